/*
 * Owns the posting of records: files in pieces, one after the other, each tried
 * until it is taken or is refused for good. Trying again is safe, for every
 * piece has a key (pieces.h).
 */
#include "common/compat.h"

#define ZLIB_CONST

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "common/apierr.h"
#include "common/clock.h"
#include "common/jsonmake.h"
#include "common/units.h"
#include "ctl/pieces.h"
#include "ctl/progress.h"
#include "ctl/say.h"
#include "ctl/show.h"

#define PIECE_BYTES (16u << 20)
#define PIECE_MIN_BYTES (64u << 10)
#define PIECE_MAX_BYTES (64u << 20)
#define GIVE_UP_US INT64_C(300000000)
#define DELAY_FIRST_US 200000 /* doubles from one try to the next */
#define DELAY_MAX_US 10000000
#define DELAY_SLICE_US 50000 /* in which a signal is noticed */

/* Counts that are those of one upload, and so can be added up. */
static const char *const counts[] = { "processed_record_count",
	"processed_field_count", "input_bytes", "input_field_count",
	"invalid_date_count", "missing_field_count",
	"out_of_order_timestamp_count", "input_record_count" };

struct post {
	struct ctl *ctl;
	char *path;	     /* owned: of the uploads */
	unsigned char *room; /* owned: of packed pieces, or NULL */
	size_t roomlen;
	struct pieces_form form;
	int64_t give_up_us;
	int64_t begun_us;
	bool json, shows;
	uint64_t total;	   /* bytes of all files; 0: not known */
	uint64_t position; /* of those before this one */
	uint64_t uploads, repeats;
	int64_t sum[NELEM(counts)];
};

static volatile sig_atomic_t interrupted;

static void
interrupt_cb(int sig)
{
	(void)sig;
	interrupted = 1;
}

static bool
is_interrupted(void)
{
	return interrupted != 0;
}

/* ---- what is shown ---- */

static void
show_progress(const struct post *p, const struct pieces *pieces)
{
	char text[160];

	if (!p->shows)
		return;
	progress_text(text, sizeof(text), p->position + pieces_position(pieces),
	    p->total, clock_mono_us() - p->begun_us);
	fprintf(stderr, "\r%s\033[K", text);
}

static void
end_progress(const struct post *p)
{
	if (p->shows)
		fputs("\r\033[K", stderr);
}

static int
show_sums(const struct post *p)
{
	struct json_object *o = json_object_new_object();
	const char *text;

	jsonmake_uint(&o, "uploads", p->uploads);
	jsonmake_uint(&o, "repeated", p->repeats);
	for (size_t i = 0; i < NELEM(counts); i++)
		jsonmake_int(&o, counts[i], p->sum[i]);
	text = o == NULL
	    ? NULL
	    : json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	if (text == NULL) {
		json_object_put(o);
		return show_failure(p->ctl, "out of memory");
	}
	if (p->json)
		puts(text);
	else
		for (size_t i = 0; i < NELEM(counts); i++)
			printf("%-29s %jd\n", counts[i], (intmax_t)p->sum[i]);
	json_object_put(o);
	if (p->repeats > 0)
		say_note("%ju of %ju uploads had been taken before and are not "
			 "counted again",
		    (uintmax_t)p->repeats, (uintmax_t)p->uploads);
	return CTL_OK;
}

/* ---- one piece ---- */

static int
add_counts(struct post *p, const struct answer *a)
{
	for (size_t i = 0; i < NELEM(counts); i++) {
		const struct jsonx_value *v = jsonx_get(a->json, counts[i]);
		int64_t n;

		if (v == NULL || v->type != JSONX_NUMBER || !jsonx_int64(v, &n))
			return show_strange(p->ctl);
		p->sum[i] += n;
	}
	p->uploads++;
	p->repeats += a->is_repeat;
	return CTL_OK;
}

/* The same bytes for the same piece: the daemon compares them. */
static int
pack(struct post *p, const struct piece *piece, struct client_upload *up)
{
	z_stream z = { 0 };
	size_t room;
	int rc;

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -1;
	room = deflateBound(&z, piece->len);
	if (room > p->roomlen) {
		free(p->room);
		p->room = malloc(room);
		p->roomlen = p->room == NULL ? 0 : room;
	}
	z.next_in = (const Bytef *)piece->data;
	z.avail_in = (uInt)piece->len;
	z.next_out = p->room;
	z.avail_out = (uInt)p->roomlen;
	rc = p->room == NULL ? Z_MEM_ERROR : deflate(&z, Z_FINISH);
	up->data = p->room;
	up->len = z.total_out;
	up->gzip = true;
	(void)deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -1;
}

/* A job that is not open may be on its way back, once there was trouble. */
static bool
may_try_again(const struct answer *a, bool troubled)
{
	return a->status == 0 || a->status == 429 || a->status >= 500 ||
	    (a->status == 409 && troubled);
}

static void
wait_for(int64_t us)
{
	int64_t end = clock_mono_us() + us;

	while (!is_interrupted() && clock_mono_us() < end) {
		struct timespec t = { 0, DELAY_SLICE_US * 1000 };

		nanosleep(&t, NULL);
	}
}

/* Returns the exit status. */
static int
post_piece(struct post *p, const struct client_upload *up)
{
	int64_t end_us = clock_mono_us() + p->give_up_us;
	int64_t delay_us = DELAY_FIRST_US;
	bool troubled = false;

	for (;;) {
		struct answer a = { 0 };
		int rc = client_upload(p->ctl->client, up, &a), status;
		int64_t wait_us = a.retry_after_s * 1000000;
		bool again = may_try_again(&a, troubled);

		troubled |= a.status == 0 || a.status >= 500;
		status = rc == 0 ? add_counts(p, &a) : CTL_FAILED;
		answer_clear(&a);
		if (rc == 0 || is_interrupted())
			return status;
		if (wait_us < delay_us)
			wait_us = delay_us;
		if (!again || clock_mono_us() + wait_us > end_us) {
			end_progress(p);
			return show_refusal(p->ctl);
		}
		wait_for(wait_us);
		delay_us =
		    delay_us * 2 < DELAY_MAX_US ? delay_us * 2 : DELAY_MAX_US;
	}
}

/* ---- files ---- */

static int
post_pieces(struct post *p, struct pieces *pieces)
{
	int status = CTL_OK, rc = 0;
	struct piece piece;
	char why[512], text[700];

	while (status == CTL_OK && !is_interrupted() &&
	    (rc = pieces_next(pieces, &piece, why, sizeof(why))) == 1) {
		struct client_upload up = { .path = p->path,
			.key = piece.key,
			.data = piece.data,
			.len = piece.len };

		if (pieces_is_gzip(pieces) && pack(p, &piece, &up) == -1)
			return show_failure(p->ctl, "out of memory");
		show_progress(p, pieces);
		status = post_piece(p, &up);
		if (status != CTL_OK && !is_interrupted())
			say_error("%.200s: stopped at byte %ju", p->form.name,
			    (uintmax_t)piece.offset);
	}
	if (rc != -1)
		return status;
	end_progress(p);
	snprintf(text, sizeof(text), "%.150s: %s", p->form.name, why);
	return show_failure(p->ctl, text);
}

static int
post_file(struct post *p, const char *name)
{
	bool is_stdin = strcmp(name, "-") == 0;
	int fd =
	    is_stdin ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
	struct pieces *pieces;
	char why[256];
	int status;

	if (fd == -1) {
		snprintf(why, sizeof(why), "%.150s: %s", name, strerror(errno));
		return show_failure(p->ctl, why);
	}
	p->form.name = name;
	pieces = pieces_new(fd, &p->form, why, sizeof(why));
	if (pieces == NULL)
		return show_failure(p->ctl, why);
	status = post_pieces(p, pieces);
	p->position += pieces_position(pieces);
	pieces_free(pieces);
	return status;
}

/* 0 when one of them is no plain file. */
static uint64_t
total_bytes(const char *const *files, size_t n)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		struct stat st;

		if (strcmp(files[i], "-") == 0 || stat(files[i], &st) == -1 ||
		    !S_ISREG(st.st_mode))
			return 0;
		total += (uint64_t)st.st_size;
	}
	return total;
}

/* ---- the command ---- */

/* Delimited records have a header, which every upload must begin with. */
static int
ask_form(struct post *p, const char *job)
{
	struct answer a = { 0 };
	const struct jsonx_value *v;
	int rc = show_call(p->ctl, "GET",
	    client_path("/_ml/anomaly_detectors/{}", job), NULL, &a);

	if (rc == 0) {
		v = show_array(a.json, "jobs");
		v = v == NULL ? NULL : v->child;
		v = v == NULL ? NULL : jsonx_get(v, "data_description");
		p->form.header =
		    strcmp(show_string(v, "format"), "delimited") == 0;
	}
	answer_clear(&a);
	return rc == 0 ? CTL_OK : CTL_FAILED;
}

static int
usage(const struct post *p, const char *why)
{
	show_failure(p->ctl, why);
	return CTL_USAGE;
}

static int
read_options(struct post *p)
{
	const struct args *a = p->ctl->args;
	const char *text = args_value(a, "piece");
	uint64_t bytes = PIECE_BYTES;
	struct apierr e;
	int64_t ns;

	if (text != NULL &&
	    (units_size("piece", text, &bytes, &e) == -1 ||
		bytes < PIECE_MIN_BYTES || bytes > PIECE_MAX_BYTES))
		return usage(p, "--piece wants a size from 64kb to 64mb");
	p->form.max_bytes = (size_t)bytes;
	p->form.tag = args_value(a, "tag");
	p->give_up_us = GIVE_UP_US;
	text = args_value(a, "give-up");
	if (text != NULL) {
		if (units_duration("give-up", text, &ns, &e) == -1 || ns < 0)
			return usage(p, "--give-up wants a time such as 5m");
		p->give_up_us = ns / 1000;
	}
	text = args_value(a, "format");
	p->json = text != NULL && strcmp(text, "json") == 0;
	if (text != NULL && !p->json && strcmp(text, "text") != 0)
		return usage(p, "--format wants text or json");
	return CTL_OK;
}

static int
post_files(struct post *p, const char *const *files, size_t n)
{
	int status = CTL_OK;

	p->total = total_bytes(files, n);
	p->begun_us = clock_mono_us();
	for (size_t i = 0; i < n && status == CTL_OK && !is_interrupted(); i++)
		status = post_file(p, files[i]);
	end_progress(p);
	if (is_interrupted()) {
		say_error("post: interrupted; the same command goes on, and "
			  "does not count again what was taken");
		status = CTL_FAILED;
	}
	if ((p->uploads > 0 || status == CTL_OK) && show_sums(p) != CTL_OK)
		status = CTL_FAILED;
	return status;
}

int
cmd_post(struct ctl *ctl)
{
	static const char *const standard_input[] = { "-" };
	const struct args *a = ctl->args;
	struct sigaction act = { .sa_handler = interrupt_cb };
	struct post p = { .ctl = ctl };
	int status = read_options(&p);

	if (status != CTL_OK)
		return status;
	p.path = client_path("/_ml/anomaly_detectors/{}/_data", a->operand[0]);
	if (p.path == NULL)
		return show_failure(ctl, "out of memory");
	p.shows = isatty(STDERR_FILENO) == 1 && !args_has(a, "quiet");
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	client_set_stop(ctl->client, is_interrupted);
	status = ask_form(&p, a->operand[0]);
	if (status == CTL_OK && a->noperands > 1)
		status = post_files(&p, a->operand + 1, a->noperands - 1);
	else if (status == CTL_OK)
		status = post_files(&p, standard_input, 1);
	free(p.room);
	free(p.path);
	return status;
}
