/* Handlers of the API, one resource a file; the route table names them. */
#ifndef SUPERVISOR_API_H
#define SUPERVISOR_API_H

struct call;
struct job;
struct json_object;

/* api_root.c */
void api_root(struct call *);
void api_ml_info(struct call *);

/* api_jobs.c */
void api_job_put(struct call *);
void api_job_get(struct call *);
void api_job_delete(struct call *);
/* The jobs of the path's expression, each printed by one. */
void api_job_list(
    struct call *, struct json_object *(*one)(const struct job *));
/* A job as PUT and GET print it; the caller owns the object. */
struct json_object *job_answer(const struct job *);

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

/* api_results.c */
void api_buckets(struct call *);
void api_records(struct call *);

#endif
