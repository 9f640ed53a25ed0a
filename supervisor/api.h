/* Handlers of the API, one resource a file; the route table names them. */
#ifndef SUPERVISOR_API_H
#define SUPERVISOR_API_H

#include "common/compat.h"
#include "common/jobconf.h"

struct apierr;
struct call;
struct job;
struct json_object;
struct objparse_table;

/* api_root.c */
void api_root(struct call *);

/* api_info.c */
void api_ml_info(struct call *);

/* api_memory.c */
void api_memory_stats(struct call *);

/* api_estimate.c */
void api_estimate_model_memory(struct call *);

/* api_cat.c */
void api_cat_jobs(struct call *);

/* api_jobs.c */
void api_job_put(struct call *);
void api_job_get(struct call *);
void api_job_delete(struct call *);
/*
 * The jobs of the path's expression and allow_no_match; as jobexpr_expand.
 */
long api_jobs_meant(struct call *, struct job ***list, struct apierr *e);
/* The same, answered: each printed by one. */
void api_job_list(
    struct call *, struct json_object *(*one)(const struct job *));
/* A job as PUT and GET print it; the caller owns the object. */
struct json_object *job_answer(const struct job *);
/* What the configuration in the body of this call has to obey. */
struct jobconf_rules api_rules(const struct call *);

/* api_update.c */
void api_job_update(struct call *);

/* api_validate.c */
void api_validate(struct call *);
void api_validate_detector(struct call *);

/* {"task":"..."}: of the deletion or reset that is under way */
void api_reply_task(struct call *, const struct job *);

/* api_stats.c */
void api_job_stats(struct call *);

/* api_life.c */
void api_job_open(struct call *);
void api_job_close(struct call *);
void api_job_flush(struct call *);
void api_job_reset(struct call *);

/* api_expired.c */
void api_delete_expired_data(struct call *);

/* upgrade.c */
void api_set_upgrade_mode(struct call *);

/* api_data.c */
void api_job_data(struct call *);

/* api_forecast.c */
void api_forecast(struct call *);
void api_forecast_delete(struct call *);
void api_forecasts(struct call *);

/* api_snapshots.c */
void api_snapshots(struct call *);
void api_snapshot_update(struct call *);
void api_snapshot_delete(struct call *);
void api_snapshot_revert(struct call *);
void api_snapshot_upgrade(struct call *);
void api_snapshot_upgrade_stats(struct call *);

/* api_overall.c */
void api_overall_buckets(struct call *);

/* api_results.c */
void api_buckets(struct call *);
void api_records(struct call *);
void api_influencers(struct call *);
void api_model_plot(struct call *);
void api_annotations(struct call *);

/* api_quarantine.c */
void api_quarantine_get(struct call *);
void api_quarantine_post(struct call *);
void api_quarantine_drop(struct call *);

/* api_security.c, api_keys*.c: called only while security is on. */
void api_authenticate(struct call *);
void api_user_get(struct call *);
void api_user_put(struct call *);
void api_user_delete(struct call *);
void api_user_password(struct call *);
void api_user_enable(struct call *);
void api_user_disable(struct call *);
/* api_body.c */
/* 400 "Validation Failed: 1: <text>;". Returns -1. */
int PRINTF_LIKE(2, 3) api_invalid(struct apierr *, const char *fmt, ...);
/* The text of a password is not left behind in freed memory. NULL is fine. */
void api_wipe(const char *text);
/* The body, an object of these fields; the caller owns it. NULL with *e. */
struct json_object *api_object(
    struct call *, const struct objparse_table *, struct apierr *e);
/* The member "metadata" as a text that lives with o. 0, or -1 with *e. */
int api_metadata(struct json_object *o, const char **text, struct apierr *e);

void api_key_get(struct call *);
void api_key_create(struct call *);
void api_key_update(struct call *);
void api_key_invalidate(struct call *);

#endif
