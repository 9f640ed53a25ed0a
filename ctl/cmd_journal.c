/*
 * Owns the command that prints the journal of a job. It reads the files, not
 * the daemon: also when that does not run, and on a copy.
 */
#include "common/compat.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/command.h"
#include "ctl/say.h"
#include "ctl/show.h"
#include "worker/journal_walk.h"

struct listing {
	uint64_t only; /* 0: all entries */
	bool data;     /* what was posted, instead of a line for each entry */
	bool found;
	bool damaged;
};

static const char *const type_names[] = {
	[JOURNAL_OPEN] = "open",
	[JOURNAL_UPLOAD] = "upload",
	[JOURNAL_FLUSH] = "flush",
	[JOURNAL_CLOSE] = "close",
	[JOURNAL_FORECAST] = "forecast",
};

static void
print_time(const char *name, int64_t v)
{
	if (v != TIME_UNSET)
		printf(",\"%s\":%" PRId64, name, v);
}

static void
print_line(const struct journal_entry *e)
{
	const char *type =
	    e->type < NELEM(type_names) ? type_names[e->type] : NULL;

	printf("{\"seq\":%" PRIu64 ",\"type\":\"%s\"", e->seq,
	    type != NULL ? type : "other");
	print_time("receipt_ms", e->receipt_ms);
	print_time("reset_start_s", e->reset_start_s);
	print_time("reset_end_s", e->reset_end_s);
	if (e->calc_interim)
		fputs(",\"calc_interim\":true", stdout);
	print_time("start_s", e->start_s);
	print_time("end_s", e->end_s);
	print_time("advance_time_s", e->advance_time_s);
	print_time("skip_time_s", e->skip_time_s);
	printf(",\"data_bytes\":%" PRIu64 ",\"data_crc\":\"%08" PRIx32 "\"}\n",
	    e->data_len, e->data_crc);
}

static int
print_entry(void *arg, const struct journal_entry *e, const char *data)
{
	struct listing *l = arg;

	if (l->only != 0 && e->seq != l->only)
		return 0;
	l->found = true;
	if (!l->data)
		print_line(e);
	else if (e->type == JOURNAL_UPLOAD && e->data_len > 0 &&
	    fwrite(data, 1, (size_t)e->data_len, stdout) != e->data_len)
		return 1;
	/* The end of the program says so. */
	return ferror(stdout) ? 1 : 0;
}

static void
print_damage(
    void *arg, const char *path, size_t at, const char *why, bool is_end)
{
	struct listing *l = arg;

	if (is_end) {
		say_note("%s: half an entry at its end, from byte %zu on, "
			 "which was never answered",
		    path, at);
		return;
	}
	say_error("%s: damaged at byte %zu: %s", path, at, why);
	l->damaged = true;
}

int
cmd_journal(struct ctl *ctl)
{
	const char *dir = ctl->args->operand[0];
	const char *entry = args_value(ctl->args, "entry");
	struct listing l = { .data = args_has(ctl->args, "data") };
	const struct journal_walk walk = { print_entry, print_damage, &l };
	const char *why;

	if (entry != NULL) {
		l.only = (uint64_t)strtonum(entry, 1, INT64_MAX, &why);
		if (why != NULL) {
			say_error("journal: --entry wants the number of an "
				  "entry, from 1 on");
			return CTL_USAGE;
		}
	}
	if (chdir(dir) == -1) {
		say_error("journal: %s: %s; give the directory of a job, such "
			  "as /var/lib/anomd/jobs/latency.1",
		    dir, strerror(errno));
		return CTL_FAILED;
	}
	if (journal_walk(&walk) == -1) {
		say_error(
		    "journal: %s/%s: %s", dir, JOURNAL_DIR, strerror(errno));
		return CTL_FAILED;
	}
	if (l.only != 0 && !l.found) {
		say_error("journal: there is no entry %s in %s", entry, dir);
		return CTL_FAILED;
	}
	return l.damaged ? CTL_FAILED : CTL_OK;
}
