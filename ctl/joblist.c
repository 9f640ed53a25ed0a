/* Owns the list of the jobs of a catalogue. */
#include "common/compat.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/sqlx.h"
#include "ctl/copy.h"
#include "ctl/joblist.h"

void
joblist_clear(struct joblist *l)
{
	copy_free_names(l->name, l->n);
	*l = (struct joblist){ 0 };
}

bool
joblist_has(const struct joblist *l, const char *name)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->name[i], name) == 0)
			return true;
	return false;
}

int
joblist_add(struct joblist *l, const char *name)
{
	char **grown =
	    reallocarray(l->name, (size_t)l->n + 1, sizeof(*l->name));

	if (grown == NULL)
		return -1;
	l->name = grown;
	grown[l->n] = strdup(name);
	if (grown[l->n] == NULL)
		return -1;
	l->n++;
	return 0;
}

int
joblist_read(struct joblist *l, sqlite3 *catalog)
{
	sqlite3_stmt *st = sqlx_prepare(catalog,
	    "SELECT job_id || '.' || incarnation FROM job WHERE deleted = 0");
	int rc = 0, step, saved;

	if (st == NULL)
		return -1;
	while (rc == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
		const char *name;

		if (step != SQLITE_ROW) {
			rc = sqlx_fail(catalog, "read jobs");
			break;
		}
		name = (const char *)sqlite3_column_text(st, 0);
		if (name == NULL || strchr(name, '/') != NULL ||
		    name[0] == '.') {
			errno = EBADMSG;
			rc = -1;
		} else {
			rc = joblist_add(l, name);
		}
	}
	saved = errno;
	sqlite3_finalize(st);
	errno = saved;
	return rc;
}
