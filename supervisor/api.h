/* Handlers of the API, one resource a file; the route table names them. */
#ifndef SUPERVISOR_API_H
#define SUPERVISOR_API_H

struct accounts;
struct apierr;
struct call;
struct job;
struct json_object;
struct objparse_table;

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

/* api_stats.c */
void api_job_stats(struct call *);

/* api_life.c */
void api_job_open(struct call *);
void api_job_close(struct call *);
void api_job_flush(struct call *);

/* api_data.c */
void api_job_data(struct call *);

/* api_results.c */
void api_buckets(struct call *);
void api_records(struct call *);

/* api_security.c */
void api_authenticate(struct call *);
void api_user_get(struct call *);
void api_user_put(struct call *);
void api_user_delete(struct call *);
void api_user_password(struct call *);
void api_user_enable(struct call *);
void api_user_disable(struct call *);
/* The users and keys; NULL: security is off, the call was answered. */
struct accounts *api_accounts(struct call *);
/* The body, an object of these fields; the caller owns it. NULL with *e. */
struct json_object *api_object(
    struct call *, const struct objparse_table *, struct apierr *e);
/* The member "metadata" as a text that lives with o. 0, or -1 with *e. */
int api_metadata(struct json_object *o, const char **text, struct apierr *e);

/* api_keys.c */
void api_key_get(struct call *);
void api_key_create(struct call *);
void api_key_invalidate(struct call *);

#endif
