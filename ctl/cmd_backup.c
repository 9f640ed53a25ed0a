/* Owns the command that makes a backup. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/backup.h"
#include "ctl/command.h"
#include "ctl/place.h"
#include "ctl/say.h"
#include "ctl/show.h"

struct progress {
	bool on_terminal;
	bool shown;
};

static void
progress_cb(void *arg, const char *job, size_t done, size_t all)
{
	struct progress *p = arg;

	if (!p->on_terminal)
		return;
	fprintf(stderr, "\r\033[K%zu of %zu jobs, now ", done, all);
	say_text(stderr, job);
	p->shown = true;
}

static void
clear_progress(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static void
failed_cb(void *arg, const char *job, const char *why)
{
	clear_progress(arg);
	say_error("backup: job %s is left out: %s", job, why);
}

static uint64_t
total_bytes(const struct manifest *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->nfiles; i++)
		n += m->file[i].sum.size;
	return n;
}

static int
run(struct ctl *ctl, int from, int to, const char *dir)
{
	struct progress p = { isatty(STDERR_FILENO) == 1 &&
		    !args_has(ctl->args, "quiet"),
		false };
	struct backup b = { .from = from,
		.to = to,
		.progress = progress_cb,
		.progress_arg = &p,
		.failed = failed_cb };
	int status = CTL_FAILED, rc = backup_run(&b);

	clear_progress(&p);
	if (rc == 0 && manifest_write(&b.manifest, to) == -1) {
		snprintf(b.why, sizeof(b.why), MANIFEST_FILE ": %s",
		    strerror(errno));
		rc = -1;
	}
	if (rc == -1) {
		show_failure(ctl, b.why);
		say_error("backup: %s is no backup now: remove it", dir);
	} else {
		say_note("%s has %zu files, %ju bytes", dir, b.manifest.nfiles,
		    (uintmax_t)total_bytes(&b.manifest));
		status = b.manifest.nleft_out == 0 ? CTL_OK : CTL_FAILED;
	}
	manifest_clear(&b.manifest);
	return status;
}

int
cmd_backup(struct ctl *ctl)
{
	const char *dir = ctl->args->operand[0];
	const char *state_dir =
	    place_state_dir(args_value(ctl->args, "state-dir"));
	char why[PLACE_WHY_BYTES];
	int from, to = -1, status = CTL_FAILED;

	from = place_open_state(state_dir, why, sizeof(why));
	if (from != -1)
		to = place_make_empty(dir, from, state_dir, why, sizeof(why));
	if (to == -1)
		show_failure(ctl, why);
	else
		status = run(ctl, from, to, dir);
	if (to != -1)
		close(to);
	if (from != -1)
		close(from);
	return status;
}
