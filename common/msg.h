/*
 * Every message between the supervisor and its children, declared once. The
 * enum, the table and the structs expand from the lists; tests walk the table.
 * Ids are never used again for something else. anomd-protocol(7) describes
 * each message.
 */
#ifndef COMMON_MSG_H
#define COMMON_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"
#include "common/schema.h"

/* Raised with every change of a message. Sent in HELLO, answered in READY. */
#define MSG_VERSION 6

#define MSG_DATA_MAX (256 * 1024)
#define MSG_JSON_MAX (1024 * 1024)
#define MSG_ID_MAX 64
#define MSG_ITEM_MAX 4096 /* an expression of ids in a path */
#define MSG_PATH_MAX 4096
#define MSG_FORECAST_S_MAX (INT64_C(3650) * 86400)

/* Who sends. */
#define FROM_SUP 0x01u
#define FROM_WRK 0x02u
#define FROM_QRY 0x04u
#define FROM_KPR 0x08u
#define FROM_CHILD (FROM_WRK | FROM_QRY | FROM_KPR)

/* What the receiver's end of the channel must be in. */
#define IN_START 0x01u	 /* after the spawn, until READY */
#define IN_OPEN 0x02u	 /* after READY */
#define IN_CLOSING 0x04u /* after CLOSE */
#define IN_ANY (IN_START | IN_OPEN | IN_CLOSING)

/* clang-format off: the lists are tables */

/* ---- to and from every child ---- */

#define MSG_HELLO_FIELDS(F, S)                                                 \
	F(S, U32, version, 1, UINT32_MAX)                                      \
	F(S, U8, log_level, 0, 3)                                              \
	/* Absolute. Worker: directory of its job; keeper: state directory;    \
	 * query: directory "jobs". */                                         \
	F(S, STR, path, 1, MSG_PATH_MAX)                                       \
	F(S, STR, job_id, 0, MSG_ID_MAX) /* empty but for a worker */          \
	F(S, U64, max_expanded_bytes, 0, INFINITY) /* of one upload */         \
	F(S, U8, sync_policy, 0, 2)		   /* enum sync_policy */      \
	/* Of this life of the supervisor: its numbers of requests begin anew  \
	 * with each. */                                                       \
	F(S, U32, epoch, 0, UINT32_MAX)                                        \
	/* Worker: signal by which the one before it died of what it had in    \
	 * hand; SIGKILL is the kernel's, for memory; 0: of something else. */ \
	F(S, U8, crash, 0, 255)                                                \
	/* Keeper: see DISK; 0 for the others. */                              \
	F(S, U64, min_free_bytes, 0, INFINITY)                                 \
	F(S, U64, reserve_bytes, 0, INFINITY)                                  \
	/* Worker: of its journal, see worker/snapper.h; 0: no limit. */       \
	F(S, U64, journal_quota_bytes, 0, INFINITY)                            \
	/* Worker: QUERY_DAMAGED came since its results were last in order. */ \
	F(S, BOOL, results_damaged, 0, 1)                                      \
	/* Worker: between interim results of its own; 0: none. */             \
	F(S, U32, interim_interval_s, 0, 86400)
SCHEMA_STRUCT(msg_hello, MSG_HELLO_FIELDS);

enum sync_policy { SYNC_ALWAYS, SYNC_INTERVAL, SYNC_NEVER };

#define MSG_READY_FIELDS(F, S) F(S, U32, version, 1, UINT32_MAX)
SCHEMA_STRUCT(msg_ready, MSG_READY_FIELDS);

/* Watchdog: progress counts units of work done since the start. */
#define MSG_PING_FIELDS(F, S) F(S, U64, token, 0, INFINITY)
SCHEMA_STRUCT(msg_ping, MSG_PING_FIELDS);

#define MSG_PONG_FIELDS(F, S)                                                  \
	F(S, U64, token, 0, INFINITY)                                          \
	F(S, U64, progress, 0, INFINITY)                                       \
	F(S, BOOL, busy, 0, 1) /* there is work that should make progress */
SCHEMA_STRUCT(msg_pong, MSG_PONG_FIELDS);

/* ---- worker ---- */

enum upload_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_ZSTD };

/* The request id of the frame names the upload until its answer. */
#define MSG_UPLOAD_BEGIN_FIELDS(F, S)                                          \
	F(S, U8, encoding, 0, ENCODING_ZSTD)                                   \
	F(S, I64, reset_start_s, -INFINITY, INFINITY) /* TIME_UNSET: none */   \
	F(S, I64, reset_end_s, -INFINITY, INFINITY)
SCHEMA_STRUCT(msg_upload_begin, MSG_UPLOAD_BEGIN_FIELDS);

/* Last byte seen, place in the line given: from here on nothing is lost. */
#define MSG_UPLOAD_SEAL_FIELDS(F, S)                                           \
	F(S, U64, wire_bytes, 0, INFINITY)	   /* sum of UPLOAD_DATA */    \
	F(S, U32, wire_crc, 0, UINT32_MAX)	   /* their CRC-32C */         \
	F(S, I64, receipt_ms, -INFINITY, INFINITY) /* wall clock */            \
	/* Hash of who may repeat it; 0: nobody. Digest of what was sent. */   \
	F(S, U64, key_hi, 0, INFINITY)                                         \
	F(S, U64, key_lo, 0, INFINITY)                                         \
	F(S, U64, digest_hi, 0, INFINITY)                                      \
	F(S, U64, digest_lo, 0, INFINITY)
SCHEMA_STRUCT(msg_upload_seal, MSG_UPLOAD_SEAL_FIELDS);

#define MSG_UPLOAD_DROP_FIELDS(F, S) F(S, U8, reason, 0, 255)
SCHEMA_STRUCT(msg_upload_drop, MSG_UPLOAD_DROP_FIELDS);

/* Counts of this upload, as _data answers them. */
#define MSG_COUNTS_FIELDS(F, S) F(S, BYTES, counts, 1, 4096)
SCHEMA_STRUCT(msg_counts, MSG_COUNTS_FIELDS); /* data_counts_schema */

/*
 * The request failed. Before its seal an upload is thereby dropped, and the
 * worker ignores what still comes of it.
 */
#define MSG_FAILED_FIELDS(F, S) F(S, BYTES, error, 1, 65536)
SCHEMA_STRUCT(msg_failed, MSG_FAILED_FIELDS); /* apierr_encode */

/*
 * The request is in the journal, as safe as the policy of syncs makes it; no
 * death of this worker loses it any more.
 */
#define MSG_KEPT_FIELDS(F, S) F(S, U64, seq, 1, INFINITY) /* its entry */
SCHEMA_STRUCT(msg_kept, MSG_KEPT_FIELDS);

/*
 * Before JOB_CONFIG: an earlier worker had this request and died with the
 * answer, so replay is to give it. What is not answered by READY is not in the
 * journal.
 */
#define MSG_AWAIT_FIELDS(F, S) F(S, U64, seq, 0, INFINITY) /* 0: not known */
SCHEMA_STRUCT(msg_await, MSG_AWAIT_FIELDS);

/* How far replay is; some times a second, before READY. */
#define MSG_PROGRESS_FIELDS(F, S)                                              \
	F(S, U64, done_bytes, 0, INFINITY) /* of the journal */                \
	F(S, U64, all_bytes, 0, INFINITY)                                      \
	F(S, U64, entries, 0, INFINITY) /* done again */
SCHEMA_STRUCT(msg_progress, MSG_PROGRESS_FIELDS);

/*
 * An entry is in quarantine, because workers died of it. Sent when that comes
 * about, and of all there are before READY.
 */
#define MSG_QUARANTINED_FIELDS(F, S)                                           \
	F(S, U64, entry, 1, INFINITY)                                          \
	F(S, BOOL, is_upload, 0, 1)                                            \
	F(S, U64, bytes, 0, INFINITY) /* of its data */                        \
	F(S, I64, receipt_ms, -INFINITY, INFINITY)                             \
	F(S, I64, aside_ms, -INFINITY, INFINITY) /* since when */              \
	F(S, STR, reason, 1, 256)
SCHEMA_STRUCT(msg_quarantined, MSG_QUARANTINED_FIELDS);

/* results.db was damaged, and what could be read of it is in a new one. */
#define MSG_SALVAGED_FIELDS(F, S)                                              \
	F(S, U64, kept, 0, INFINITY)	/* rows */                             \
	F(S, U64, dropped, 0, INFINITY) /* did not match their checksum */     \
	F(S, BOOL, cut, 0, 1)		/* pages could not be read at all */
SCHEMA_STRUCT(msg_salvaged, MSG_SALVAGED_FIELDS);

/* Seconds; TIME_UNSET where not given. */
#define MSG_FLUSH_FIELDS(F, S)                                                 \
	F(S, BOOL, calc_interim, 0, 1)                                         \
	F(S, I64, start_s, -INFINITY, INFINITY)                                \
	F(S, I64, end_s, -INFINITY, INFINITY)                                  \
	F(S, I64, advance_time_s, -INFINITY, INFINITY)                         \
	F(S, I64, skip_time_s, -INFINITY, INFINITY)                            \
	F(S, I64, receipt_ms, -INFINITY, INFINITY)
SCHEMA_STRUCT(msg_flush, MSG_FLUSH_FIELDS);

#define MSG_FLUSHED_FIELDS(F, S)                                               \
	F(S, I64, last_finalized_bucket_end_ms, -INFINITY, INFINITY)
SCHEMA_STRUCT(msg_flushed, MSG_FLUSHED_FIELDS);

/*
 * Remove results that are older than retention_days before the latest bucket,
 * whole buckets until max_rows are gone, and snapshots (snapexpiry.h). In place
 * of JOB_CONFIG it is all that the worker is started for: then it ends when
 * nothing is left to remove.
 */
#define MSG_EXPIRE_FIELDS(F, S)                                                \
	F(S, BOOL, results_stay, 0, 1)                                         \
	F(S, U32, retention_days, 0, UINT32_MAX)                               \
	F(S, U32, max_rows, 1, UINT32_MAX)                                     \
	F(S, BOOL, forecasts, 0, 1) /* those that have expired */              \
	F(S, BOOL, snapshots, 0, 1) /* some may go */                          \
	F(S, U32, snapshot_days, 0, UINT32_MAX)                                \
	F(S, U32, daily_days, 0, UINT32_MAX) /* then one of each day stays */
SCHEMA_STRUCT(msg_expire, MSG_EXPIRE_FIELDS);

#define MSG_EXPIRED_FIELDS(F, S)                                               \
	F(S, U64, rows, 0, INFINITY) /* buckets and records removed */         \
	F(S, BOOL, more, 0, 1)	     /* some are left: ask again */
SCHEMA_STRUCT(msg_expired, MSG_EXPIRED_FIELDS);

/* Write a snapshot as soon as no entry is under way. */
#define MSG_SNAPSHOT_FIELDS(F, S) F(S, U8, what, 0, 0)
SCHEMA_STRUCT(msg_snapshot, MSG_SNAPSHOT_FIELDS);

/*
 * Something to be done with the snapshots of a job. To an open one in its line,
 * but for CHORE_REVERT. In place of JOB_CONFIG it is all that the worker is
 * started for, as EXPIRE is.
 */
enum chore_kind {
	CHORE_UPDATE,
	CHORE_DELETE,
	CHORE_REVERT,
	CHORE_LOOK,
	CHORE_FORECASTS /* remove some, with their points */
};
enum chore_retain { CHORE_RETAIN_NOT, CHORE_RETAIN, CHORE_RETAIN_AS_IT_IS };

#define MSG_CHORE_FIELDS(F, S)                                                 \
	F(S, U8, kind, 0, CHORE_FORECASTS)                                     \
	/* "empty": revert to no model; CHORE_FORECASTS: a list of ids. */     \
	F(S, STR, snapshot_id, 1, MSG_ITEM_MAX)                                \
	F(S, BOOL, allow_none, 0, 1) /* forecasts: there may be none */        \
	F(S, BOOL, describe, 0, 1)   /* update: description is given */        \
	F(S, STR, description, 0, 4096)                                        \
	F(S, U8, retain, 0, CHORE_RETAIN_AS_IT_IS)                             \
	F(S, BOOL, delete_results, 0, 1) /* revert: those after it */          \
	/* Of revert: jobconf, printed; job_totals_encode, the present. */     \
	F(S, STR, config, 0, MSG_JSON_MAX - 16384)                             \
	F(S, BYTES, totals, 0, 8192)
SCHEMA_STRUCT(msg_chore, MSG_CHORE_FIELDS);

/* Failure is FAILED. What the snapshot is shown as; head empty: it is gone. */
#define MSG_CHORE_DONE_FIELDS(F, S)                                            \
	F(S, BYTES, head, 0, 4096) /* snaphead_put */                          \
	F(S, STR, description, 0, 4096)                                        \
	F(S, BOOL, retain, 0, 1)
SCHEMA_STRUCT(msg_chore_done, MSG_CHORE_DONE_FIELDS);

/*
 * The newest snapshot, which lasts: the answer to SNAPSHOT; or pushed with
 * request 0, when there is a new one or one was found at the start.
 */
#define MSG_SNAPSHOTTED_FIELDS(F, S)                                           \
	F(S, STR, model_snapshot_id, 0, 128) /* the newest; empty: none */     \
	F(S, I64, created_ms, -INFINITY, INFINITY)
SCHEMA_STRUCT(msg_snapshotted, MSG_SNAPSHOTTED_FIELDS);

/* The disk of the state directory. Pushed when it has changed. */
#define MSG_DISK_FIELDS(F, S)                                                  \
	F(S, U64, free_bytes, 0, INFINITY)                                     \
	F(S, BOOL, low, 0, 1) /* no data is to be taken in */
SCHEMA_STRUCT(msg_disk, MSG_DISK_FIELDS);

/*
 * In place of COUNTS or FAILED: an upload with this key was answered so before,
 * and this one was not counted. One of the two is empty.
 */
#define MSG_REPEATED_FIELDS(F, S)                                              \
	F(S, BYTES, counts, 0, 4096) /* data_counts_schema */                  \
	F(S, BYTES, error, 0, 65536) /* apierr_encode */
SCHEMA_STRUCT(msg_repeated, MSG_REPEATED_FIELDS);

/*
 * Post an entry of the quarantine again: answered as an upload is, COUNTS or
 * FAILED.
 */
#define MSG_QUARANTINE_POST_FIELDS(F, S)                                       \
	F(S, U64, entry, 1, INFINITY)                                          \
	F(S, I64, receipt_ms, -INFINITY, INFINITY) /* wall clock */
SCHEMA_STRUCT(msg_quarantine_post, MSG_QUARANTINE_POST_FIELDS);

/* Remove one; the answer is QUARANTINE_GONE or FAILED. */
#define MSG_QUARANTINE_DROP_FIELDS(F, S) F(S, U64, entry, 1, INFINITY)
SCHEMA_STRUCT(msg_quarantine_drop, MSG_QUARANTINE_DROP_FIELDS);

/*
 * An entry is not in quarantine any more. With request 0: it is in the journal
 * again.
 */
#define MSG_QUARANTINE_GONE_FIELDS(F, S) F(S, U64, entry, 1, INFINITY)
SCHEMA_STRUCT(msg_quarantine_gone, MSG_QUARANTINE_GONE_FIELDS);

/*
 * Make a forecast of what follows the last bucket that is final. It is an entry
 * of the journal, whose data is this message.
 */
#define MSG_FORECAST_FIELDS(F, S)                                              \
	F(S, STR, forecast_id, 1, MSG_ID_MAX)                                  \
	F(S, I64, receipt_ms, -INFINITY, INFINITY) /* wall clock */            \
	F(S, I64, duration_s, 1, MSG_FORECAST_S_MAX)                           \
	F(S, I64, expires_in_ms, 0, INFINITY) /* 0: never */                   \
	F(S, BOOL, duration_given, 0, 1)                                       \
	F(S, BOOL, expiry_given, 0, 1)                                         \
	F(S, U64, max_memory_bytes, 1, INFINITY)                               \
	F(S, BOOL, disk_has_room, 0, 1) /* for models beyond that */
SCHEMA_STRUCT(msg_forecast, MSG_FORECAST_FIELDS);

/* It is going to be made: the answer. Else FAILED says why not. */
#define MSG_FORECASTED_FIELDS(F, S) F(S, STR, forecast_id, 1, MSG_ID_MAX)
SCHEMA_STRUCT(msg_forecasted, MSG_FORECASTED_FIELDS);

/* Pushed when they have changed: forecast_totals_schema. */
#define MSG_FORECASTS_FIELDS(F, S) F(S, BYTES, totals, 1, 1024)
SCHEMA_STRUCT(msg_forecasts, MSG_FORECASTS_FIELDS);

/* job_totals_encode. Pushed before READY, each answer, and CLOSED. */
#define MSG_TOTALS_FIELDS(F, S) F(S, BYTES, totals, 1, 8192)
SCHEMA_STRUCT(msg_totals, MSG_TOTALS_FIELDS);

/* keep: write the state before ending; a forced close does not. */
#define MSG_CLOSE_FIELDS(F, S) F(S, BOOL, keep, 0, 1)
SCHEMA_STRUCT(msg_close, MSG_CLOSE_FIELDS);

#define MSG_CLOSED_FIELDS(F, S)                                                \
	F(S, STR, model_snapshot_id, 0, 128) /* empty: none was written */
SCHEMA_STRUCT(msg_closed, MSG_CLOSED_FIELDS);

/* ---- query ---- */

enum query_kind {
	QUERY_BUCKETS,
	QUERY_RECORDS,
	QUERY_QUARANTINE,
	QUERY_SNAPSHOTS,
	QUERY_INFLUENCERS,
	QUERY_OVERALL,
	QUERY_MODEL_PLOT,
	QUERY_ANNOTATIONS,
	QUERY_FORECAST
};

#define MSG_SPAN_MS_MAX (INT64_MAX / 1000000) /* as durations are read: ns */
#define MSG_JOBS_MAX (MSG_JSON_MAX - 32768)

#define MSG_VALUE_MAX 4096

#define MSG_QUERY_FIELDS(F, S)                                                 \
	F(S, U8, kind, 0, QUERY_FORECAST)                                      \
	F(S, STR, job_id, 0, MSG_ID_MAX) /* empty: see jobs */                 \
	F(S, STR, directory, 0, 256)	 /* below "jobs" */                    \
	F(S, I64, timestamp_ms, -INFINITY,                                     \
	    INFINITY) /* one bucket, or unset */                               \
	F(S, I64, start_ms, -INFINITY, INFINITY)                               \
	F(S, I64, end_ms, -INFINITY, INFINITY)                                 \
	F(S, F64, score, -INFINITY, INFINITY) /* least; <= 0: all */           \
	F(S, BOOL, exclude_interim, 0, 1)                                      \
	F(S, BOOL, expand, 0, 1)                                               \
	F(S, BOOL, desc, 0, 1)                                                 \
	F(S, U32, from, 0, 10000)                                              \
	F(S, U32, size, 0, 10000)                                              \
	F(S, STR, sort, 0, 256) /* empty: the default of the kind */           \
	F(S, BOOL, pretty, 0, 1)                                               \
	F(S, BOOL, human, 0, 1)                                                \
	F(S, BOOL, yaml, 0, 1)                                                 \
	F(S, STR, filter_path, 0, 8192)                                        \
	F(S, STR, ids, 0, 1024) /* of snapshots, a list; empty: all */         \
	/* Overall buckets: scores of which the mean is taken; length of the   \
	 * windows, and of the buckets that they are put together to. */       \
	F(S, U32, top_n, 0, INT32_MAX)                                         \
	F(S, I64, span_ms, 0, MSG_SPAN_MS_MAX)                                 \
	F(S, I64, bucket_span_ms, 0, MSG_SPAN_MS_MAX)                          \
	F(S, BYTES, jobs, 0, MSG_JOBS_MAX) /* joblist.h */                     \
	/* Model plot, annotations, points of a forecast: of one detector, its \
	 * index and 1, or 0: of any; of one value of a field, which may be    \
	 * empty, if it was given. */                                          \
	F(S, U32, detector, 0, INT32_MAX)                                      \
	F(S, BOOL, by_given, 0, 1)                                             \
	F(S, BYTES, by_value, 0, MSG_VALUE_MAX)                                \
	F(S, BOOL, partition_given, 0, 1)                                      \
	F(S, BYTES, partition_value, 0, MSG_VALUE_MAX)
SCHEMA_STRUCT(msg_query, MSG_QUERY_FIELDS);

/* QUERY_PART* then QUERY_END, or FAILED before the first part. */
#define MSG_QUERY_END_FIELDS(F, S) F(S, U64, bytes, 0, INFINITY)
SCHEMA_STRUCT(msg_query_end, MSG_QUERY_END_FIELDS);

/* Before FAILED: results.db of the job is damaged. */
#define MSG_QUERY_DAMAGED_FIELDS(F, S)                                         \
	F(S, U32, job, 0, UINT32_MAX) /* which of QUERY's jobs; else 0 */
SCHEMA_STRUCT(msg_query_damaged, MSG_QUERY_DAMAGED_FIELDS);

/* ---- keeper ---- */

#define MSG_KEEP_LOAD_FIELDS(F, S) F(S, U8, what, 0, 0)
SCHEMA_STRUCT(msg_keep_load, MSG_KEEP_LOAD_FIELDS);

/* A stored job: answer to KEEP_LOAD (one each, then KEEP_DONE). */
#define MSG_KEEP_JOB_FIELDS(F, S)                                              \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, U64, incarnation, 1, INFINITY)                                    \
	F(S, STR, config, 2, MSG_JSON_MAX - 16384) /* jobconf, printed */      \
	F(S, I64, create_time_ms, -INFINITY, INFINITY)                         \
	F(S, I64, finished_time_ms, -INFINITY, INFINITY)                       \
	F(S, STR, model_snapshot_id, 0, 128)                                   \
	F(S, BOOL, wanted_open, 0, 1) /* was open, not closed by request */    \
	F(S, BYTES, totals, 0, 8192)
SCHEMA_STRUCT(msg_keep_job, MSG_KEEP_JOB_FIELDS);

/* New job; the keeper chooses the incarnation and makes its directory. */
#define MSG_KEEP_CREATE_FIELDS(F, S)                                           \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, STR, config, 2, MSG_JSON_MAX - 16384)                             \
	F(S, I64, create_time_ms, -INFINITY, INFINITY)
SCHEMA_STRUCT(msg_keep_create, MSG_KEEP_CREATE_FIELDS);

/* What changes with open and close. */
#define MSG_KEEP_STATE_FIELDS(F, S)                                            \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, U64, incarnation, 1, INFINITY)                                    \
	F(S, I64, finished_time_ms, -INFINITY, INFINITY)                       \
	F(S, STR, model_snapshot_id, 0, 128)                                   \
	F(S, BOOL, wanted_open, 0, 1)                                          \
	F(S, BYTES, totals, 0, 8192)
SCHEMA_STRUCT(msg_keep_state, MSG_KEEP_STATE_FIELDS);

/* Mark deleted, move the directory to the trash, purge it. */
#define MSG_KEEP_DELETE_FIELDS(F, S)                                           \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, U64, incarnation, 1, INFINITY)
SCHEMA_STRUCT(msg_keep_delete, MSG_KEEP_DELETE_FIELDS);

/* What an update has made of the configuration. */
#define MSG_KEEP_UPDATE_FIELDS(F, S)                                           \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, U64, incarnation, 1, INFINITY)                                    \
	F(S, STR, config, 2, MSG_JSON_MAX - 16384)
SCHEMA_STRUCT(msg_keep_update, MSG_KEEP_UPDATE_FIELDS);

/*
 * The job begins anew: its configuration stays, and it gets another
 * incarnation and directory. One that has a later incarnation was reset by an
 * earlier request that was not answered.
 */
#define MSG_KEEP_RESET_FIELDS(F, S)                                            \
	F(S, STR, job_id, 1, MSG_ID_MAX)                                       \
	F(S, U64, incarnation, 1, INFINITY)
SCHEMA_STRUCT(msg_keep_reset, MSG_KEEP_RESET_FIELDS);

/*
 * What holds for the whole daemon. To the keeper: store it; from it: a part of
 * the answer to KEEP_LOAD, before the jobs.
 */
#define MSG_KEEP_SETTING_FIELDS(F, S)                                          \
	F(S, STR, name, 1, 64)                                                 \
	F(S, STR, value, 0, 1024)
SCHEMA_STRUCT(msg_keep_setting, MSG_KEEP_SETTING_FIELDS);

/* The request is on disk. Failure is FAILED. */
#define MSG_KEEP_DONE_FIELDS(F, S)                                             \
	F(S, U64, incarnation, 0,                                              \
	    INFINITY) /* of KEEP_CREATE, KEEP_RESET; else 0 */
SCHEMA_STRUCT(msg_keep_done, MSG_KEEP_DONE_FIELDS);

#define MSG_USER_MAX 64	     /* a user's name */
#define MSG_PASSWORD_MAX 512 /* a password */
#define MSG_HASH_MAX 128     /* an argon2id hash, as text */
#define MSG_KEY_HASH 32	     /* the hash of a key's secret */
#define MSG_METADATA_MAX (16 * 1024)

/*
 * A user: sent at KEEP_LOAD, and to be stored. The hash stays with the keeper:
 * empty when it sends, and an empty one to be stored leaves the one it has.
 */
#define MSG_KEEP_USER_FIELDS(F, S)                                             \
	F(S, STR, name, 1, MSG_USER_MAX)                                       \
	F(S, STR, hash, 0, MSG_HASH_MAX)                                       \
	F(S, U64, revision, 1, INFINITY) /* higher with every change */        \
	F(S, BOOL, enabled, 0, 1)                                              \
	F(S, STR, roles, 0, 1024) /* comma list */                             \
	F(S, STR, full_name, 0, 1024)                                          \
	F(S, STR, email, 0, 1024)                                              \
	F(S, STR, metadata, 2, MSG_METADATA_MAX) /* JSON */
SCHEMA_STRUCT(msg_keep_user, MSG_KEEP_USER_FIELDS);

#define MSG_KEEP_USER_DELETE_FIELDS(F, S) F(S, STR, name, 1, MSG_USER_MAX)
SCHEMA_STRUCT(msg_keep_user_delete, MSG_KEEP_USER_DELETE_FIELDS);

/* An API key: sent at KEEP_LOAD, and to be stored in place of what was. */
#define MSG_KEEP_KEY_FIELDS(F, S)                                              \
	F(S, STR, id, 1, 32)                                                   \
	F(S, STR, name, 1, 256)                                                \
	F(S, BYTES, hash, MSG_KEY_HASH, MSG_KEY_HASH)                          \
	F(S, STR, owner, 1, MSG_USER_MAX)                                      \
	F(S, STR, realm, 1, 32)                                                \
	F(S, I64, creation_ms, -INFINITY, INFINITY)                            \
	F(S, I64, expiration_ms, -INFINITY, INFINITY)  /* or unset */          \
	F(S, I64, invalidated_ms, -INFINITY, INFINITY) /* or unset */          \
	F(S, STR, roles, 2, 65536)		       /* descriptors, JSON */ \
	F(S, STR, metadata, 2, MSG_METADATA_MAX)       /* JSON */
SCHEMA_STRUCT(msg_keep_key, MSG_KEEP_KEY_FIELDS);

/* Make the hash of a password; answered out of turn, as KEEP_VERIFY is. */
#define MSG_KEEP_HASH_FIELDS(F, S) F(S, STR, password, 1, MSG_PASSWORD_MAX)
SCHEMA_STRUCT(msg_keep_hash, MSG_KEEP_HASH_FIELDS);

#define MSG_KEEP_HASHED_FIELDS(F, S) F(S, STR, hash, 1, MSG_HASH_MAX)
SCHEMA_STRUCT(msg_keep_hashed, MSG_KEEP_HASHED_FIELDS);

/* Is this the password of the user? No is also said of one who is not. */
#define MSG_KEEP_VERIFY_FIELDS(F, S)                                           \
	F(S, STR, name, 1, MSG_USER_MAX)                                       \
	F(S, STR, password, 1, MSG_PASSWORD_MAX)
SCHEMA_STRUCT(msg_keep_verify, MSG_KEEP_VERIFY_FIELDS);

#define MSG_KEEP_VERIFIED_FIELDS(F, S) F(S, BOOL, ok, 0, 1)
SCHEMA_STRUCT(msg_keep_verified, MSG_KEEP_VERIFIED_FIELDS);

/*
 * The lists. MSG_STRUCTS: payload is the encoding of struct msg_<lower>.
 * MSG_RAWS: payload is bare bytes, with their least and greatest number.
 */
#define MSG_STRUCTS(X)                                                         \
	/* name       lower        id  sender      allowed while */            \
	X(HELLO, hello, 1, FROM_SUP, IN_START)                                 \
	X(READY, ready, 2, FROM_CHILD, IN_START)                               \
	X(PING, ping, 3, FROM_SUP, IN_ANY)                                     \
	X(PONG, pong, 4, FROM_CHILD, IN_ANY)                                   \
	X(UPLOAD_BEGIN, upload_begin, 20, FROM_SUP, IN_OPEN)                   \
	X(UPLOAD_SEAL, upload_seal, 22, FROM_SUP, IN_OPEN)                     \
	X(UPLOAD_DROP, upload_drop, 23, FROM_SUP, IN_OPEN | IN_CLOSING)        \
	X(COUNTS, counts, 24, FROM_WRK, IN_ANY)                                \
	X(FAILED, failed, 25, FROM_CHILD, IN_ANY)                              \
	X(KEPT, kept, 26, FROM_WRK, IN_ANY)                                    \
	X(AWAIT, await, 27, FROM_SUP, IN_START)                                \
	X(PROGRESS, progress, 28, FROM_WRK, IN_START)                          \
	X(QUARANTINED, quarantined, 29, FROM_WRK, IN_START | IN_OPEN)          \
	X(FLUSH, flush, 30, FROM_SUP, IN_OPEN)                                 \
	X(FLUSHED, flushed, 31, FROM_WRK, IN_ANY)                              \
	X(EXPIRE, expire, 32, FROM_SUP, IN_START | IN_OPEN)                    \
	X(EXPIRED, expired, 33, FROM_WRK, IN_ANY)                              \
	X(SNAPSHOT, snapshot, 34, FROM_SUP, IN_OPEN)                           \
	X(SNAPSHOTTED, snapshotted, 35, FROM_WRK, IN_OPEN | IN_CLOSING)        \
	X(CHORE, chore, 36, FROM_SUP, IN_START | IN_OPEN)                      \
	X(CHORE_DONE, chore_done, 37, FROM_WRK, IN_ANY)                        \
	X(TOTALS, totals, 40, FROM_WRK, IN_ANY)                                \
	X(REPEATED, repeated, 41, FROM_WRK, IN_OPEN | IN_CLOSING)              \
	X(DISK, disk, 43, FROM_KPR, IN_OPEN)                                   \
	X(SALVAGED, salvaged, 45, FROM_WRK, IN_START)                          \
	X(QUARANTINE_POST, quarantine_post, 47, FROM_SUP, IN_OPEN)             \
	X(QUARANTINE_DROP, quarantine_drop, 48, FROM_SUP, IN_OPEN)             \
	X(QUARANTINE_GONE, quarantine_gone, 49, FROM_WRK, IN_ANY)              \
	X(CLOSE, close, 50, FROM_SUP, IN_OPEN)                                 \
	X(CLOSED, closed, 51, FROM_WRK, IN_CLOSING)                            \
	X(FORECAST, forecast, 52, FROM_SUP, IN_OPEN)                           \
	X(FORECASTED, forecasted, 53, FROM_WRK, IN_ANY)                        \
	X(FORECASTS, forecasts, 54, FROM_WRK, IN_ANY)                          \
	X(QUERY, query, 60, FROM_SUP, IN_OPEN)                                 \
	X(QUERY_END, query_end, 62, FROM_QRY, IN_OPEN)                         \
	X(QUERY_DAMAGED, query_damaged, 63, FROM_QRY, IN_OPEN)                 \
	X(KEEP_LOAD, keep_load, 70, FROM_SUP, IN_OPEN)                         \
	X(KEEP_JOB, keep_job, 71, FROM_KPR, IN_OPEN)                           \
	X(KEEP_CREATE, keep_create, 72, FROM_SUP, IN_OPEN)                     \
	X(KEEP_STATE, keep_state, 73, FROM_SUP, IN_OPEN)                       \
	X(KEEP_DELETE, keep_delete, 74, FROM_SUP, IN_OPEN)                     \
	X(KEEP_DONE, keep_done, 75, FROM_KPR, IN_OPEN)                         \
	X(KEEP_UPDATE, keep_update, 76, FROM_SUP, IN_OPEN)                     \
	X(KEEP_RESET, keep_reset, 77, FROM_SUP, IN_OPEN)                       \
	X(KEEP_SETTING, keep_setting, 78, FROM_SUP | FROM_KPR, IN_OPEN)        \
	X(KEEP_USER, keep_user, 80, FROM_KPR, IN_OPEN)                         \
	X(KEEP_USER_PUT, keep_user, 81, FROM_SUP, IN_OPEN)                     \
	X(KEEP_USER_DELETE, keep_user_delete, 82, FROM_SUP, IN_OPEN)           \
	X(KEEP_KEY, keep_key, 83, FROM_KPR, IN_OPEN)                           \
	X(KEEP_KEY_PUT, keep_key, 84, FROM_SUP, IN_OPEN)                       \
	X(KEEP_HASH, keep_hash, 85, FROM_SUP, IN_OPEN)                         \
	X(KEEP_HASHED, keep_hashed, 86, FROM_KPR, IN_OPEN)                     \
	X(KEEP_VERIFY, keep_verify, 87, FROM_SUP, IN_OPEN)                     \
	X(KEEP_VERIFIED, keep_verified, 88, FROM_KPR, IN_OPEN)

#define MSG_RAWS(X)                                                            \
	/* name       id  sender    allowed while  min  max bytes */           \
	X(JOB_CONFIG, 10, FROM_SUP, IN_START, 2, MSG_JSON_MAX)                 \
	X(UPLOAD_DATA, 21, FROM_SUP, IN_OPEN, 1, MSG_DATA_MAX)                 \
	X(JOB_UPDATED, 64, FROM_SUP, IN_ANY, 2, MSG_JSON_MAX)                  \
	X(QUERY_PART, 61, FROM_QRY, IN_OPEN, 1, MSG_DATA_MAX)

#define MSG_ENUM_STRUCT(name, lower, id, from, states) MSG_##name = (id),
#define MSG_ENUM_RAW(name, id, from, states, min, max) MSG_##name = (id),
enum msg_type { MSG_STRUCTS(MSG_ENUM_STRUCT) MSG_RAWS(MSG_ENUM_RAW) };

struct msg_info {
	enum msg_type type;
	const char *name;
	unsigned from;		     /* FROM_* */
	unsigned states;	     /* IN_* */
	const struct schema *schema; /* NULL: bare bytes */
	size_t min;		     /* bytes of payload */
	size_t max;
};

/* NULL when there is no such message. */
const struct msg_info *msg_find(uint16_t type);
const char *msg_name(uint16_t type);
/* To walk the table: the i-th message, NULL past the last one. */
const struct msg_info *msg_at(size_t i);

/*
 * Read a whole payload into the message's struct; spans in it point into data.
 * Returns 0, or -1 with EBADMSG: a field out of range or bytes left over;
 * *badfield (may be NULL) names it.
 */
int msg_decode(uint16_t type, const void *data, size_t len, void *obj,
    const char **badfield) MUST_CHECK;

#endif
