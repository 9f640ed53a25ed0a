/* What the daemon says of itself as a node. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <string.h>

#include "supervisor/node.h"
#include "tests/supervisor_fixture.h"

#define INFO "/_ml/info"
#define MEMORY "/_ml/memory/_stats"
#define MIB (UINT64_C(1) << 20)

static struct server node = {
	.node_id = "Abc-9", .node_name = "alpha", .address = "127.0.0.1:9200"
};

Test(node, is_meant_by_any_of_its_names)
{
	static const char *const lists[] = { "_all", "_local", "_master", "*",
		"Abc-9", "alpha", "alp*", "127.0.0.1:*", "beta,alpha", ",_all",
		"ml:true", "master:true", "ml:false,alpha" };

	cr_expect(node_is_meant(&node, NULL));
	for (size_t i = 0; i < NELEM(lists); i++)
		cr_expect(node_is_meant(&node, lists[i]), "%s", lists[i]);
}

Test(node, is_not_meant_by_other_names)
{
	char longer[400];
	static const char *const lists[] = { "", ",", "beta", "abc-9", "alph",
		"data:true", "ml:false", "_all,ml:false", "alpha,master:false",
		"ml:maybe", "ml" };

	for (size_t i = 0; i < NELEM(lists); i++)
		cr_expect_not(node_is_meant(&node, lists[i]), "%s", lists[i]);
	memset(longer, '*', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_not(node_is_meant(&node, longer));
}

Test(node, info_shows_the_upgrade_mode)
{
	sv_start();
	sv_expect(sv_talk("GET", INFO, NULL), 200, "\"upgrade_mode\":false");
	sv.upgrade_mode = true;
	sv_expect(sv_talk("GET", INFO, NULL), 200, "\"upgrade_mode\":true");
	sv_end();
}

Test(node, counts_the_memory_of_open_jobs)
{
	const char *heard;
	struct job *job;

	sv_start();
	sv.memory_bytes = 4096 * MIB;
	sv_job("closed", NULL)->totals.size.model_bytes = 7;
	job = sv_open_job("j");
	job->totals.size.model_bytes = 12345;
	heard = sv_talk("GET", MEMORY, NULL);
	sv_expect(heard, 200, "\"anomaly_detectors_in_bytes\":12345,");
	sv_expect(heard, 200, "\"native_code_overhead_in_bytes\":614400,");
	sv_expect(heard, 200, "\"total_in_bytes\":4294967296,");
	sv_expect(heard, 200, "\"max_in_bytes\":4294967296,");
	cr_expect_null(strstr(heard, "\"total\":\"4gb\""));
	heard = sv_talk("GET", MEMORY "?human", NULL);
	sv_expect(
	    heard, 200, "\"total\":\"4gb\",\"total_in_bytes\":4294967296,");
	sv_expect(heard, 200,
	    "\"anomaly_detectors\":\"12kb\","
	    "\"anomaly_detectors_in_bytes\":12345,");
	sv_end();
}

/* What info says with a configured maximum (0: none) and so much memory. */
static void
expect_limits(
    uint64_t most, uint64_t memory, const char *preset, const char *limits)
{
	const struct conf *before = sv.conf;
	struct conf conf = *before;
	const char *heard;

	conf.max_model_memory_bytes = most;
	sv.conf = &conf;
	sv.memory_bytes = memory;
	sv.processors = 3;
	heard = sv_talk("GET", INFO, NULL);
	sv_expect(heard, 200, preset);
	sv_expect(heard, 200, limits);
	sv.conf = before;
}

Test(node, info_shows_the_limits_of_model_memory)
{
	sv_start();
	expect_limits(0, 4096 * MIB, "\"model_memory_limit\":\"1gb\"",
	    "\"limits\":{\"effective_max_model_memory_limit\":\"4095mb\","
	    "\"total_ml_memory\":\"4096mb\","
	    "\"max_single_ml_node_processors\":3,\"total_ml_processors\":3}");
	expect_limits(512 * MIB, 4096 * MIB, "\"model_memory_limit\":\"512mb\"",
	    "\"limits\":{\"max_model_memory_limit\":\"512mb\","
	    "\"effective_max_model_memory_limit\":\"512mb\","
	    "\"total_ml_memory\":\"4096mb\"");
	expect_limits(6144 * MIB, 4096 * MIB, "\"model_memory_limit\":\"1gb\"",
	    "\"limits\":{\"max_model_memory_limit\":\"6gb\","
	    "\"effective_max_model_memory_limit\":\"4095mb\","
	    "\"total_ml_memory\":\"4096mb\"");
	sv_end();
}
