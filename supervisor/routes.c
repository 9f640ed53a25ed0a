/* Owns the route table, and the search in it. */
#include "common/compat.h"

#include <string.h>

#include "supervisor/api.h"
#include "supervisor/http.h"
#include "supervisor/params.h"
#include "supervisor/route.h"

#define READ (HTTP_GET | HTTP_HEAD)
#define BASE "{ml}"
#define ML BASE "/anomaly_detectors"
#define JOB ML "/{job_id}"
#define SNAPSHOTS JOB "/model_snapshots"
#define CAT "/_cat"
#define MONITOR "cluster:monitor/xpack/ml/"
#define ADMIN "cluster:admin/xpack/ml/"
#define SECURITY "cluster:admin/xpack/security/"
#define USER "/_security/user"

/* clang-format off */
#define LIST_PARAMS "allow_no_match,allow_no_jobs"
#define CAT_PARAMS LIST_PARAMS ",h,s,v,help,bytes,time"
#define MEMORY_PARAMS "master_timeout,timeout"
#define EXPIRED_PARAMS "requests_per_second,timeout"
#define BUCKET_PARAMS "timestamp,anomaly_score,start,end,exclude_interim,expand,from,size,sort,desc"
#define FORECAST_PARAMS "start,end,from,size,detector_index,by_field_value,partition_field_value"
#define SNAPSHOT_PARAMS "start,end,from,size,sort,desc"
#define INFLUENCER_PARAMS "influencer_score,start,end,exclude_interim,from,size,sort,desc"
#define SERIES_PARAMS "start,end,from,size,sort,desc,detector_index,by_field_value,partition_field_value"
#define OVERALL_PARAMS "top_n,bucket_span,overall_score,exclude_interim,start,end," LIST_PARAMS
#define RECORD_PARAMS "record_score,start,end,exclude_interim,from,size,sort,desc"

/*
 * Name, methods, path, parameters, privilege, action, body, handler. Literal
 * segments stand before variables: the first match wins.
 */
static const struct route routes[] = {
	{ "info", READ, "/", "", PRIV_MONITOR, "cluster:monitor/main", ROUTE_NO_BODY, api_root },
	{ "cat.ml_jobs", READ, CAT "/ml/anomaly_detectors", CAT_PARAMS, PRIV_MONITOR_ML, MONITOR "job/stats/get", ROUTE_NO_BODY, api_cat_jobs },
	{ "cat.ml_jobs", READ, CAT "/ml/anomaly_detectors/{job_id}", CAT_PARAMS, PRIV_MONITOR_ML, MONITOR "job/stats/get", ROUTE_NO_BODY, api_cat_jobs },
	{ "ml.info", READ, BASE "/info", "", PRIV_MONITOR_ML, MONITOR "info/get", ROUTE_NO_BODY, api_ml_info },
	{ "ml.get_memory_stats", READ, "/_ml/memory/_stats", MEMORY_PARAMS, PRIV_MONITOR_ML, MONITOR "memory/stats/get", ROUTE_NO_BODY, api_memory_stats },
	{ "ml.get_memory_stats", READ, "/_ml/memory/{item}/_stats", MEMORY_PARAMS, PRIV_MONITOR_ML, MONITOR "memory/stats/get", ROUTE_NO_BODY, api_memory_stats },
	{ "ml.get_jobs", READ, ML, LIST_PARAMS ",exclude_generated", PRIV_MONITOR_ML, MONITOR "job/get", ROUTE_NO_BODY, api_job_get },
	{ "ml.get_job_stats", READ, ML "/_stats", LIST_PARAMS, PRIV_MONITOR_ML, MONITOR "job/stats/get", ROUTE_NO_BODY, api_job_stats },
	{ "ml.estimate_model_memory", HTTP_POST, "/_ml/anomaly_detectors/_estimate_model_memory", "", PRIV_MANAGE_ML, ADMIN "job/estimate_model_memory", ROUTE_JSON_NEEDED, api_estimate_model_memory },
	{ "ml.validate", HTTP_POST, ML "/_validate", "", PRIV_MANAGE_ML, ADMIN "job/validate", ROUTE_JSON_NEEDED, api_validate },
	{ "ml.validate_detector", HTTP_POST, ML "/_validate/detector", "", PRIV_MANAGE_ML, ADMIN "job/validate/detector", ROUTE_JSON_NEEDED, api_validate_detector },
	{ "ml.get_jobs", READ, JOB, LIST_PARAMS ",exclude_generated", PRIV_MONITOR_ML, MONITOR "job/get", ROUTE_NO_BODY, api_job_get },
	{ "ml.put_job", HTTP_PUT, JOB, "ignore_unavailable,allow_no_indices,ignore_throttled,expand_wildcards", PRIV_MANAGE_ML, ADMIN "job/put", ROUTE_JSON_NEEDED, api_job_put },
	{ "ml.delete_job", HTTP_DELETE, JOB, "force,wait_for_completion,delete_user_annotations,timeout,master_timeout", PRIV_MANAGE_ML, ADMIN "job/delete", ROUTE_NO_BODY, api_job_delete },
	{ "ml.get_job_stats", READ, JOB "/_stats", LIST_PARAMS, PRIV_MONITOR_ML, MONITOR "job/stats/get", ROUTE_NO_BODY, api_job_stats },
	{ "ml.update_job", HTTP_POST, JOB "/_update", "", PRIV_MANAGE_ML, ADMIN "job/update", ROUTE_JSON_NEEDED, api_job_update },
	{ "ml.open_job", HTTP_POST, JOB "/_open", "timeout", PRIV_MANAGE_ML, ADMIN "job/open", ROUTE_JSON, api_job_open },
	{ "ml.close_job", HTTP_POST, JOB "/_close", "timeout,force," LIST_PARAMS, PRIV_MANAGE_ML, ADMIN "job/close", ROUTE_JSON, api_job_close },
	/* The old base never had it. */
	{ "ml.reset_job", HTTP_POST, "/_ml/anomaly_detectors/{job_id}/_reset", "wait_for_completion,delete_user_annotations", PRIV_MANAGE_ML, ADMIN "job/reset", ROUTE_NO_BODY, api_job_reset },
	{ "ml.flush_job", HTTP_POST, JOB "/_flush", "calc_interim,start,end,advance_time,skip_time", PRIV_MANAGE_ML, ADMIN "job/flush", ROUTE_JSON, api_job_flush },
	{ "ml.forecast", HTTP_POST, JOB "/_forecast", "duration,expires_in,max_model_memory", PRIV_MANAGE_ML, ADMIN "job/forecast", ROUTE_JSON, api_forecast },
	{ "ml.delete_forecast", HTTP_DELETE, JOB "/_forecast", "allow_no_forecasts,timeout", PRIV_MANAGE_ML, ADMIN "job/forecast/delete", ROUTE_NO_BODY, api_forecast_delete },
	{ "ml.delete_forecast", HTTP_DELETE, JOB "/_forecast/{item}", "allow_no_forecasts,timeout", PRIV_MANAGE_ML, ADMIN "job/forecast/delete", ROUTE_NO_BODY, api_forecast_delete },
	{ "ml.post_data", HTTP_POST, JOB "/_data", "reset_start,reset_end", PRIV_MANAGE_ML, ADMIN "job/data/post", ROUTE_DATA, api_job_data },
	{ "ml.set_upgrade_mode", HTTP_POST, BASE "/set_upgrade_mode", "enabled,timeout", PRIV_MANAGE_ML, ADMIN "upgrade_mode", ROUTE_NO_BODY, api_set_upgrade_mode },
	{ "ml.delete_expired_data", HTTP_DELETE, BASE "/_delete_expired_data", EXPIRED_PARAMS, PRIV_MANAGE_ML, ADMIN "delete_expired_data", ROUTE_JSON, api_delete_expired_data },
	{ "ml.delete_expired_data", HTTP_DELETE, BASE "/_delete_expired_data/{job_id}", EXPIRED_PARAMS, PRIV_MANAGE_ML, ADMIN "delete_expired_data", ROUTE_JSON, api_delete_expired_data },
	{ "ml.get_buckets", READ | HTTP_POST, JOB "/results/buckets", BUCKET_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/buckets/get", ROUTE_JSON, api_buckets },
	{ "ml.get_buckets", READ | HTTP_POST, JOB "/results/buckets/{item}", BUCKET_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/buckets/get", ROUTE_JSON, api_buckets },
	{ "ml.get_overall_buckets", READ | HTTP_POST, JOB "/results/overall_buckets", OVERALL_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/overall_buckets/get", ROUTE_JSON, api_overall_buckets },
	/* Ours. */
	{ "anomd.get_forecasts", READ | HTTP_POST, "/_ml/anomaly_detectors/{job_id}/results/forecasts", FORECAST_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/forecasts/get", ROUTE_JSON, api_forecasts },
	{ "anomd.get_forecasts", READ | HTTP_POST, "/_ml/anomaly_detectors/{job_id}/results/forecasts/{item}", FORECAST_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/forecasts/get", ROUTE_JSON, api_forecasts },
	{ "anomd.get_quarantine", READ, "/_ml/anomaly_detectors/{job_id}/_quarantine", "", PRIV_MONITOR_ML, MONITOR "job/quarantine/get", ROUTE_NO_BODY, api_quarantine_get },
	{ "anomd.drop_quarantined", HTTP_DELETE, "/_ml/anomaly_detectors/{job_id}/_quarantine/{item}", "", PRIV_MANAGE_ML, ADMIN "job/quarantine/drop", ROUTE_NO_BODY, api_quarantine_drop },
	{ "anomd.post_quarantined", HTTP_POST, "/_ml/anomaly_detectors/{job_id}/_quarantine/{item}/_post", "", PRIV_MANAGE_ML, ADMIN "job/quarantine/post", ROUTE_NO_BODY, api_quarantine_post },
	{ "ml.get_model_snapshots", READ | HTTP_POST, SNAPSHOTS, SNAPSHOT_PARAMS, PRIV_MONITOR_ML, MONITOR "job/model_snapshots/get", ROUTE_JSON, api_snapshots },
	{ "ml.get_model_snapshots", READ | HTTP_POST, SNAPSHOTS "/{item}", SNAPSHOT_PARAMS, PRIV_MONITOR_ML, MONITOR "job/model_snapshots/get", ROUTE_JSON, api_snapshots },
	{ "ml.delete_model_snapshot", HTTP_DELETE, SNAPSHOTS "/{item}", "", PRIV_MANAGE_ML, ADMIN "job/model_snapshots/delete", ROUTE_NO_BODY, api_snapshot_delete },
	{ "ml.update_model_snapshot", HTTP_POST, SNAPSHOTS "/{item}/_update", "", PRIV_MANAGE_ML, ADMIN "job/model_snapshots/update", ROUTE_JSON_NEEDED, api_snapshot_update },
	{ "ml.revert_model_snapshot", HTTP_POST, SNAPSHOTS "/{item}/_revert", "delete_intervening_results", PRIV_MANAGE_ML, ADMIN "job/model_snapshots/revert", ROUTE_JSON, api_snapshot_revert },
	/* The old base never had these two. */
	{ "ml.upgrade_job_snapshot", HTTP_POST, "/_ml/anomaly_detectors/{job_id}/model_snapshots/{item}/_upgrade", "timeout,wait_for_completion", PRIV_MANAGE_ML, ADMIN "job/model_snapshots/upgrade", ROUTE_NO_BODY, api_snapshot_upgrade },
	{ "ml.get_model_snapshot_upgrade_stats", READ, "/_ml/anomaly_detectors/{job_id}/model_snapshots/{item}/_upgrade/_stats", "allow_no_match", PRIV_MONITOR_ML, MONITOR "job/model_snapshots/upgrade/stats", ROUTE_NO_BODY, api_snapshot_upgrade_stats },
	{ "security.authenticate", READ, "/_security/_authenticate", "", PRIV_AUTHENTICATED, SECURITY "user/authenticate", ROUTE_NO_BODY, api_authenticate },
	{ "security.get_user", READ, USER, "with_profile_uid", PRIV_SECURITY, SECURITY "user/get", ROUTE_NO_BODY, api_user_get },
	{ "security.change_password", HTTP_PUT | HTTP_POST, USER "/_password", "refresh", PRIV_AUTHENTICATED, SECURITY "user/change_password", ROUTE_JSON_NEEDED, api_user_password },
	{ "security.get_user", READ, USER "/{item}", "with_profile_uid", PRIV_SECURITY, SECURITY "user/get", ROUTE_NO_BODY, api_user_get },
	{ "security.put_user", HTTP_PUT | HTTP_POST, USER "/{item}", "refresh", PRIV_SECURITY, SECURITY "user/put", ROUTE_JSON_NEEDED, api_user_put },
	{ "security.delete_user", HTTP_DELETE, USER "/{item}", "refresh", PRIV_SECURITY, SECURITY "user/delete", ROUTE_NO_BODY, api_user_delete },
	{ "security.change_password", HTTP_PUT | HTTP_POST, USER "/{item}/_password", "refresh", PRIV_AUTHENTICATED, SECURITY "user/change_password", ROUTE_JSON_NEEDED, api_user_password },
	{ "security.enable_user", HTTP_PUT | HTTP_POST, USER "/{item}/_enable", "refresh", PRIV_SECURITY, SECURITY "user/set_enabled", ROUTE_NO_BODY, api_user_enable },
	{ "security.disable_user", HTTP_PUT | HTTP_POST, USER "/{item}/_disable", "refresh", PRIV_SECURITY, SECURITY "user/set_enabled", ROUTE_NO_BODY, api_user_disable },
	{ "security.get_api_key", READ, "/_security/api_key", "id,name,username,realm_name,owner,active_only,with_limited_by,with_profile_uid", PRIV_OWN_KEYS, SECURITY "api_key/get", ROUTE_NO_BODY, api_key_get },
	{ "security.create_api_key", HTTP_PUT | HTTP_POST, "/_security/api_key", "refresh", PRIV_OWN_KEYS, SECURITY "api_key/create", ROUTE_JSON_NEEDED, api_key_create },
	{ "security.update_api_key", HTTP_PUT, "/_security/api_key/{item}", "", PRIV_OWN_KEYS, SECURITY "api_key/update", ROUTE_JSON_NEEDED, api_key_update },
	{ "security.invalidate_api_key", HTTP_DELETE, "/_security/api_key", "", PRIV_OWN_KEYS, SECURITY "api_key/invalidate", ROUTE_JSON_NEEDED, api_key_invalidate },
	{ "ml.get_records", READ | HTTP_POST, JOB "/results/records", RECORD_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/records/get", ROUTE_JSON, api_records },
	{ "ml.get_influencers", READ | HTTP_POST, JOB "/results/influencers", INFLUENCER_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/influencers/get", ROUTE_JSON, api_influencers },
	{ "anomd.get_model_plot", READ | HTTP_POST, "/_ml/anomaly_detectors/{job_id}/results/model_plot", SERIES_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/model_plot/get", ROUTE_JSON, api_model_plot },
	{ "anomd.get_annotations", READ | HTTP_POST, "/_ml/anomaly_detectors/{job_id}/results/annotations", SERIES_PARAMS, PRIV_MONITOR_ML, MONITOR "job/results/annotations/get", ROUTE_JSON, api_annotations },
};
/* clang-format on */

static const struct {
	const char *prefix;
	bool old;
} bases[] = { { "/_ml", false }, { "/_xpack/ml", true } };

static const char *const privilege_names[] = {
	[PRIV_MONITOR] = "monitor",
	[PRIV_MONITOR_ML] = "monitor_ml",
	[PRIV_MANAGE_ML] = "manage_ml",
	[PRIV_AUTHENTICATED] = "authenticated",
	[PRIV_OWN_KEYS] = "manage_own_api_key",
	[PRIV_SECURITY] = "manage_security",
};

/* With an item behind it the name is one job's: the list is of its items. */
bool
route_takes_list(const struct route *r)
{
	return strstr(r->params, "allow_no_match") != NULL &&
	    strstr(r->path, "{item}") == NULL;
}

static void
print_line(const struct route *r, const char *method, FILE *f)
{
	bool ml = strncmp(r->path, BASE, sizeof(BASE) - 1) == 0;

	fprintf(f, "%s\t%s%s\t%s\t%s\t%s\n", method, ml ? bases[0].prefix : "",
	    ml ? r->path + sizeof(BASE) - 1 : r->path,
	    privilege_names[r->privilege], r->action, r->name);
}

void
route_print(FILE *f)
{
	static const struct {
		unsigned method;
		const char *name;
	} methods[] = { { HTTP_GET, "GET" }, { HTTP_HEAD, "HEAD" },
		{ HTTP_POST, "POST" }, { HTTP_PUT, "PUT" },
		{ HTTP_DELETE, "DELETE" } };

	for (size_t i = 0; i < NELEM(routes); i++)
		for (size_t k = 0; k < NELEM(methods); k++)
			if ((routes[i].methods & methods[k].method) != 0)
				print_line(&routes[i], methods[k].name, f);
}

const struct route *
route_at(size_t i)
{
	return i < NELEM(routes) ? &routes[i] : NULL;
}

/* Is a segment of the path this literal, once its escapes are undone? */
static bool
segment_is(const char *path, size_t plen, const char *literal, size_t llen)
{
	while (plen > 0 && llen > 0) {
		size_t used = *path == '%' && plen >= 3 ? 3 : 1;
		int byte = used == 3 ? params_hex_byte(path + 1)
				     : (unsigned char)*path;

		if (byte != (unsigned char)*literal)
			return false;
		path += used;
		plen -= used;
		literal++;
		llen--;
	}
	return plen == 0 && llen == 0;
}

/* Does the path, of len bytes, have this form? */
static bool
path_matches(
    const char *form, const char *path, size_t len, struct route_match *m)
{
	while (*form == '/') {
		size_t flen, plen = 0;

		if (len == 0 || *path != '/')
			return false;
		form++;
		path++;
		len--;
		flen = strcspn(form, "/");
		while (plen < len && path[plen] != '/')
			plen++;
		if (strncmp(form, "{job_id}", flen) == 0 && plen > 0) {
			m->job_id = path;
			m->job_id_len = plen;
		} else if (strncmp(form, "{item}", flen) == 0 && plen > 0) {
			m->item = path;
			m->item_len = plen;
		} else if (!segment_is(path, plen, form, flen)) {
			return false;
		}
		form += flen;
		path += plen;
		len -= plen;
	}
	return len == 0;
}

/* Below a base the path has the form of the table, or the form is literal. */
static bool
route_matches(const struct route *r, const char *path, struct route_match *m)
{
	size_t len = strlen(path), blen;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (strcmp(r->path, "/") == 0)
		return strcmp(path, "/") == 0;
	if (strncmp(r->path, BASE, sizeof(BASE) - 1) != 0)
		return path_matches(r->path, path, len, m);
	for (size_t i = 0; i < NELEM(bases); i++) {
		blen = strlen(bases[i].prefix);
		if (len <= blen || strncmp(path, bases[i].prefix, blen) != 0)
			continue;
		m->old_path = bases[i].old;
		return path_matches(
		    r->path + sizeof(BASE) - 1, path + blen, len - blen, m);
	}
	return false;
}

/* A path below the old base is answered as one, also when it is unknown. */
static bool
path_is_old(const char *path)
{
	for (size_t i = 0; i < NELEM(bases); i++) {
		size_t len = strlen(bases[i].prefix);

		if (strncmp(path, bases[i].prefix, len) == 0 &&
		    (path[len] == '/' || path[len] == '\0'))
			return bases[i].old;
	}
	return false;
}

void
route_find(const char *path, unsigned method, struct route_match *m)
{
	memset(m, 0, sizeof(*m));
	m->old_path = path_is_old(path);
	for (size_t i = 0; i < NELEM(routes); i++) {
		struct route_match try = { 0 };

		if (!route_matches(&routes[i], path, &try))
			continue;
		/* A literal path hides the variable of a later route. */
		if (m->allowed != 0 &&
		    (try.job_id_len != m->job_id_len ||
			try.item_len != m->item_len))
			break;
		try.allowed = m->allowed | routes[i].methods;
		try.route = m->route;
		if ((routes[i].methods & method) != 0 && m->route == NULL)
			try.route = &routes[i];
		*m = try;
	}
}
