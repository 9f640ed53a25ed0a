/* Owns the table of messages and the reading of their payloads. */
#include "common/compat.h"

#include <errno.h>

#include "common/msg.h"

SCHEMA_DEFINE(msg_hello, MSG_HELLO_FIELDS);
SCHEMA_DEFINE(msg_ready, MSG_READY_FIELDS);
SCHEMA_DEFINE(msg_ping, MSG_PING_FIELDS);
SCHEMA_DEFINE(msg_pong, MSG_PONG_FIELDS);
SCHEMA_DEFINE(msg_upload_begin, MSG_UPLOAD_BEGIN_FIELDS);
SCHEMA_DEFINE(msg_upload_seal, MSG_UPLOAD_SEAL_FIELDS);
SCHEMA_DEFINE(msg_upload_drop, MSG_UPLOAD_DROP_FIELDS);
SCHEMA_DEFINE(msg_counts, MSG_COUNTS_FIELDS);
SCHEMA_DEFINE(msg_failed, MSG_FAILED_FIELDS);
SCHEMA_DEFINE(msg_kept, MSG_KEPT_FIELDS);
SCHEMA_DEFINE(msg_await, MSG_AWAIT_FIELDS);
SCHEMA_DEFINE(msg_progress, MSG_PROGRESS_FIELDS);
SCHEMA_DEFINE(msg_quarantined, MSG_QUARANTINED_FIELDS);
SCHEMA_DEFINE(msg_salvaged, MSG_SALVAGED_FIELDS);
SCHEMA_DEFINE(msg_flush, MSG_FLUSH_FIELDS);
SCHEMA_DEFINE(msg_forecast, MSG_FORECAST_FIELDS);
SCHEMA_DEFINE(msg_forecasted, MSG_FORECASTED_FIELDS);
SCHEMA_DEFINE(msg_forecasts, MSG_FORECASTS_FIELDS);
SCHEMA_DEFINE(msg_flushed, MSG_FLUSHED_FIELDS);
SCHEMA_DEFINE(msg_expire, MSG_EXPIRE_FIELDS);
SCHEMA_DEFINE(msg_expired, MSG_EXPIRED_FIELDS);
SCHEMA_DEFINE(msg_snapshot, MSG_SNAPSHOT_FIELDS);
SCHEMA_DEFINE(msg_chore, MSG_CHORE_FIELDS);
SCHEMA_DEFINE(msg_chore_done, MSG_CHORE_DONE_FIELDS);
SCHEMA_DEFINE(msg_snapshotted, MSG_SNAPSHOTTED_FIELDS);
SCHEMA_DEFINE(msg_disk, MSG_DISK_FIELDS);
SCHEMA_DEFINE(msg_repeated, MSG_REPEATED_FIELDS);
SCHEMA_DEFINE(msg_quarantine_post, MSG_QUARANTINE_POST_FIELDS);
SCHEMA_DEFINE(msg_quarantine_drop, MSG_QUARANTINE_DROP_FIELDS);
SCHEMA_DEFINE(msg_quarantine_gone, MSG_QUARANTINE_GONE_FIELDS);
SCHEMA_DEFINE(msg_totals, MSG_TOTALS_FIELDS);
SCHEMA_DEFINE(msg_close, MSG_CLOSE_FIELDS);
SCHEMA_DEFINE(msg_closed, MSG_CLOSED_FIELDS);
SCHEMA_DEFINE(msg_query, MSG_QUERY_FIELDS);
SCHEMA_DEFINE(msg_query_end, MSG_QUERY_END_FIELDS);
SCHEMA_DEFINE(msg_query_damaged, MSG_QUERY_DAMAGED_FIELDS);
SCHEMA_DEFINE(msg_keep_load, MSG_KEEP_LOAD_FIELDS);
SCHEMA_DEFINE(msg_keep_job, MSG_KEEP_JOB_FIELDS);
SCHEMA_DEFINE(msg_keep_create, MSG_KEEP_CREATE_FIELDS);
SCHEMA_DEFINE(msg_keep_state, MSG_KEEP_STATE_FIELDS);
SCHEMA_DEFINE(msg_keep_update, MSG_KEEP_UPDATE_FIELDS);
SCHEMA_DEFINE(msg_keep_delete, MSG_KEEP_DELETE_FIELDS);
SCHEMA_DEFINE(msg_keep_reset, MSG_KEEP_RESET_FIELDS);
SCHEMA_DEFINE(msg_keep_setting, MSG_KEEP_SETTING_FIELDS);
SCHEMA_DEFINE(msg_keep_done, MSG_KEEP_DONE_FIELDS);
SCHEMA_DEFINE(msg_keep_user, MSG_KEEP_USER_FIELDS);
SCHEMA_DEFINE(msg_keep_user_delete, MSG_KEEP_USER_DELETE_FIELDS);
SCHEMA_DEFINE(msg_keep_key, MSG_KEEP_KEY_FIELDS);
SCHEMA_DEFINE(msg_keep_hash, MSG_KEEP_HASH_FIELDS);
SCHEMA_DEFINE(msg_keep_hashed, MSG_KEEP_HASHED_FIELDS);
SCHEMA_DEFINE(msg_keep_verify, MSG_KEEP_VERIFY_FIELDS);
SCHEMA_DEFINE(msg_keep_verified, MSG_KEEP_VERIFIED_FIELDS);

#define ROW_STRUCT(name, lower, id, from, states)                              \
	{ MSG_##name, #name, (from), (states), &msg_##lower##_schema, 0, 0 },
#define ROW_RAW(name, id, from, states, min, max)                              \
	{ MSG_##name, #name, (from), (states), NULL, (min), (max) },

/* Limits of struct messages are worked out on first use. */
static struct msg_info table[] = { MSG_STRUCTS(ROW_STRUCT) MSG_RAWS(ROW_RAW) };

#define MSG_ID_LIMIT 128 /* of by_id */

#define ID_FITS_STRUCT(name, lower, id, from, states)                          \
	_Static_assert((id) < MSG_ID_LIMIT, "id of " #name);
#define ID_FITS_RAW(name, id, from, states, min, max)                          \
	_Static_assert((id) < MSG_ID_LIMIT, "id of " #name);
MSG_STRUCTS(ID_FITS_STRUCT)
MSG_RAWS(ID_FITS_RAW)

static const struct msg_info *by_id[MSG_ID_LIMIT];

static void
table_fill(void)
{
	for (size_t i = 0; i < NELEM(table); i++) {
		struct msg_info *m = &table[i];

		if (m->schema != NULL) {
			m->min = schema_min_bytes(m->schema);
			m->max = schema_max_bytes(m->schema);
		}
		by_id[m->type] = m;
	}
}

const struct msg_info *
msg_find(uint16_t type)
{
	if (by_id[table[0].type] == NULL)
		table_fill();
	return type < MSG_ID_LIMIT ? by_id[type] : NULL;
}

const struct msg_info *
msg_at(size_t i)
{
	return i < NELEM(table) ? msg_find((uint16_t)table[i].type) : NULL;
}

const char *
msg_name(uint16_t type)
{
	const struct msg_info *m = msg_find(type);

	return m == NULL ? "unknown message" : m->name;
}

int
msg_decode(uint16_t type, const void *data, size_t len, void *obj,
    const char **badfield)
{
	const struct msg_info *m = msg_find(type);
	struct rbuf rb;

	if (m == NULL || m->schema == NULL) {
		errno = EBADMSG;
		return -1;
	}
	rbuf_init(&rb, data, len);
	if (schema_decode(m->schema, &rb, obj, badfield) == -1)
		return -1;
	if (rb.left != 0) {
		if (badfield != NULL)
			*badfield = "bytes after the last field";
		errno = EBADMSG;
		return -1;
	}
	return 0;
}
