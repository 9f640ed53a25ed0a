/* The route table: paths to handlers. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/api.h"
#include "supervisor/http.h"
#include "supervisor/route.h"

static const struct {
	const char *path;
	unsigned method;
	void (*handle)(struct call *);
	bool old;
	const char *job_id, *item;
} found[] = {
	{ "/", HTTP_GET, api_root, false, "", "" },
	{ "/", HTTP_HEAD, api_root, false, "", "" },
	{ "/_ml/info", HTTP_GET, api_ml_info, false, "", "" },
	{ "/_ml/memory/_stats", HTTP_GET, api_memory_stats, false, "", "" },
	{ "/_ml/memory/n/_stats", HTTP_GET, api_memory_stats, false, "", "n" },
	{ "/_cat/ml/anomaly_detectors", HTTP_GET, api_cat_jobs, false, "", "" },
	{ "/_cat/ml/anomaly_detectors/x", HTTP_GET, api_cat_jobs, false, "x",
	    "" },
	{ "/_ml/anomaly_detectors/_estimate_model_memory", HTTP_POST,
	    api_estimate_model_memory, false, "", "" },
	{ "/_ml/anomaly_detectors", HTTP_GET, api_job_get, false, "", "" },
	{ "/_ml/anomaly_detectors/", HTTP_GET, api_job_get, false, "", "" },
	{ "/_ml/anomaly_detectors/_stats", HTTP_GET, api_job_stats, false, "",
	    "" },
	{ "/_ml/anomaly_detectors/_validate", HTTP_POST, api_validate, false,
	    "", "" },
	{ "/_xpack/ml/anomaly_detectors/_validate", HTTP_POST, api_validate,
	    true, "", "" },
	{ "/_ml/anomaly_detectors/_validate/detector", HTTP_POST,
	    api_validate_detector, false, "", "" },
	{ "/_ml/anomaly_detectors/x/_update", HTTP_POST, api_job_update, false,
	    "x", "" },
	{ "/_ml/anomaly_detectors/a%20b", HTTP_PUT, api_job_put, false, "a%20b",
	    "" },
	{ "/_xpack/ml/anomaly_detectors/x/_data", HTTP_POST, api_job_data, true,
	    "x", "" },
	{ "/_ml/anomaly_detectors/x/_stats", HTTP_GET, api_job_stats, false,
	    "x", "" },
	{ "/_ml/anomaly_detectors/x/results/buckets", HTTP_POST, api_buckets,
	    false, "x", "" },
	{ "/_ml/anomaly_detectors/x/results/buckets/12", HTTP_GET, api_buckets,
	    false, "x", "12" },
	{ "/_ml/anomaly%5Fdetectors/%78/_%64ata", HTTP_POST, api_job_data,
	    false, "%78", "" },
	{ "/_xpack/ml/anomaly_detectors/x/results/records", HTTP_GET,
	    api_records, true, "x", "" },
	{ "/_security/user/_password", HTTP_POST, api_user_password, false, "",
	    "" },
	{ "/_security/user/a/_password", HTTP_PUT, api_user_password, false, "",
	    "a" },
	{ "/_security/user/a%2Cb", HTTP_GET, api_user_get, false, "", "a%2Cb" },
	{ "/_security/api_key", HTTP_DELETE, api_key_invalidate, false, "",
	    "" },
};

Test(route, known_paths_find_their_handler)
{
	for (size_t i = 0; i < NELEM(found); i++) {
		struct route_match m;

		route_find(found[i].path, found[i].method, &m);
		cr_assert_not_null(m.route, "%s", found[i].path);
		cr_expect_eq(
		    m.route->handle, found[i].handle, "%s", found[i].path);
		cr_expect_eq(m.old_path, found[i].old, "%s", found[i].path);
		cr_expect_eq(m.job_id_len, strlen(found[i].job_id));
		cr_expect_eq(strncmp(m.job_id == NULL ? "" : m.job_id,
				 found[i].job_id, m.job_id_len),
		    0);
		cr_expect_eq(m.item_len, strlen(found[i].item));
	}
}

Test(route, unknown_paths_allow_no_method)
{
	static const char *const paths[] = { "//", "/_ml", "/_ml/", "/_mlx",
		"/_ml/anomaly_detectors//_data", "/_ml//info", "/x",
		"/_ml/anomaly_detectors/x/results",
		"/_ml/anomaly_detectors/x/results/buckets/1/2",
		"/_ml/anomaly_detectors/x/_data/y", "/_xpack/info", "",
		"/_xpack/mlinfo", "/_ml/inf%6", "/_ml/info%",
		"/_xpack/ml/memory/_stats", "/_ml/memory", "/_cat", "/_cat/ml",
		"/_ml/_cat/ml/anomaly_detectors" };

	for (size_t i = 0; i < NELEM(paths); i++) {
		struct route_match m;

		route_find(paths[i], HTTP_GET, &m);
		cr_expect_null(m.route, "%s", paths[i]);
		cr_expect_eq(m.allowed, 0, "%s", paths[i]);
	}
}

Test(route, wrong_method_tells_the_right_ones)
{
	struct route_match m;

	route_find("/_ml/anomaly_detectors/x", HTTP_POST, &m);
	cr_expect_null(m.route);
	cr_expect_eq(m.allowed, HTTP_GET | HTTP_HEAD | HTTP_PUT | HTTP_DELETE);
	route_find("/_ml/anomaly_detectors/_stats", HTTP_PUT, &m);
	cr_expect_null(m.route, "a job cannot be named _stats");
	cr_expect_eq(m.allowed, HTTP_GET | HTTP_HEAD);
}

Test(route, what_only_the_new_base_has_is_no_job_of_the_old_one)
{
	struct route_match m;

	route_find("/_xpack/ml/anomaly_detectors/_estimate_model_memory",
	    HTTP_POST, &m);
	cr_expect_null(m.route);
	route_find(
	    "/_ml/anomaly_detectors/_estimate_model_memory", HTTP_PUT, &m);
	cr_expect_null(m.route);
	cr_expect_eq(m.allowed, HTTP_POST);
}

Test(route, every_route_has_a_privilege_and_a_handler)
{
	const struct route *r;

	for (size_t i = 0; (r = route_at(i)) != NULL; i++) {
		bool reads =
		    (r->methods &
			~(unsigned)(HTTP_GET | HTTP_HEAD | HTTP_POST)) == 0 &&
		    (r->methods & HTTP_GET) != 0;

		cr_expect_not_null(r->handle, "%s", r->path);
		cr_expect_not_null(r->name, "%s", r->path);
		cr_expect(
		    r->action != NULL && *r->action != '\0', "%s", r->path);
		if (strncmp(r->path, "/_security/", 11) == 0)
			cr_expect_geq(
			    r->privilege, PRIV_AUTHENTICATED, "%s", r->path);
		else if (i > 0)
			cr_expect_eq(r->privilege,
			    reads ? PRIV_MONITOR_ML : PRIV_MANAGE_ML, "%s",
			    r->path);
	}
}

/* A list is cut down to what the caller may see; all else is one job's. */
Test(route, only_what_takes_a_list_takes_a_list)
{
	const struct route *r;
	size_t lists = 0;

	for (size_t i = 0; (r = route_at(i)) != NULL; i++) {
		if (!route_takes_list(r))
			continue;
		cr_expect(strstr(r->name, "get_job") != NULL ||
			strstr(r->name, "close_job") != NULL ||
			strstr(r->name, "overall_buckets") != NULL ||
			strncmp(r->name, "cat.", 4) == 0,
		    "%s", r->name);
		lists++;
	}
	cr_expect_geq(lists, 5);
}

Test(route, the_printed_table_has_a_line_for_each_method)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	route_print(f);
	fclose(f);
	cr_expect_not_null(strstr(text,
	    "PUT\t/_ml/anomaly_detectors/{job_id}\tmanage_ml\t"
	    "cluster:admin/xpack/ml/job/put\tml.put_job\n"));
	cr_expect_not_null(
	    strstr(text, "HEAD\t/\tmonitor\tcluster:monitor/main\tinfo\n"));
	free(text);
}
