/* Owns what all questions to query processes have in common. */
#include "common/compat.h"

#include <inttypes.h>
#include <stdio.h>

#include "supervisor/ask.h"
#include "supervisor/call.h"
#include "supervisor/job.h"
#include "supervisor/querypool.h"
#include "supervisor/server.h"

void
ask_query(struct call *c, const struct job *job, struct msg_query *m)
{
	char directory[128];

	if (job != NULL) {
		snprintf(directory, sizeof(directory), "%s.%" PRIu64, job->id,
		    job->incarnation);
		m->job_id = span_of(job->id);
		m->directory = span_of(directory);
	}
	m->pretty = c->style.pretty;
	m->human = c->style.human;
	m->yaml = c->style.yaml;
	m->filter_path = span_of(c->style.filter_path);
	querypool_ask(c->srv->queries, c, m);
}
