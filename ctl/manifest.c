/* Owns manifest.json: its list in memory, its writing and reading. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/disk.h"
#include "common/jsonmake.h"
#include "common/jsonx.h"
#include "ctl/manifest.h"

#define NEW_FILE MANIFEST_FILE ".new"
#define TEXT_MAX_BYTES ((off_t)1 << 30)

/* Around the object that the checksum is of. */
#define BEGIN "{\"crc32c\":\""
#define MIDDLE "\",\"manifest\":"
#define DIGITS 8
#define HEAD_BYTES (sizeof(BEGIN) - 1 + DIGITS + sizeof(MIDDLE) - 1)
#define TAIL "}\n"
#define TAIL_BYTES (sizeof(TAIL) - 1)

/* ---- the list ---- */

static void
file_clear(struct manifest_file *f)
{
	free(f->path);
}

void
manifest_clear(struct manifest *m)
{
	for (size_t i = 0; i < m->nfiles; i++)
		file_clear(&m->file[i]);
	free(m->file);
	for (size_t i = 0; i < m->nleft_out; i++)
		free(m->left_out[i]);
	free(m->left_out);
	*m = (struct manifest){ 0 };
}

struct manifest_file *
manifest_find(const struct manifest *m, const char *path)
{
	for (size_t i = m->nfiles; i > m->settled; i--)
		if (strcmp(m->file[i - 1].path, path) == 0)
			return &m->file[i - 1];
	return NULL;
}

/* Append without looking whether it is there. */
static struct manifest_file *
append(struct manifest *m, const char *path, const struct copy_sum *sum)
{
	struct manifest_file *grown =
	    reallocarray(m->file, m->nfiles + 1, sizeof(*m->file));

	if (grown == NULL)
		return NULL;
	m->file = grown;
	grown = &m->file[m->nfiles];
	*grown = (struct manifest_file){ .path = strdup(path), .sum = *sum };
	if (grown->path == NULL)
		return NULL;
	m->nfiles++;
	return grown;
}

struct manifest_file *
manifest_put(struct manifest *m, const char *path, const struct copy_sum *sum)
{
	struct manifest_file *f = manifest_find(m, path);

	if (f == NULL)
		return append(m, path, sum);
	f->sum = *sum;
	return f;
}

void
manifest_drop(struct manifest *m, const char *path)
{
	size_t len = strlen(path), kept = 0;
	bool below = len > 0 && path[len - 1] == '/';

	for (size_t i = 0; i < m->nfiles; i++) {
		struct manifest_file *f = &m->file[i];

		if (below ? strncmp(f->path, path, len) == 0
			  : strcmp(f->path, path) == 0)
			file_clear(f);
		else
			m->file[kept++] = *f;
	}
	m->nfiles = kept;
}

void
manifest_rewind(struct manifest *m)
{
	while (m->nfiles > m->settled)
		file_clear(&m->file[--m->nfiles]);
}

int
manifest_leave_out(struct manifest *m, const char *job)
{
	char **grown =
	    reallocarray(m->left_out, m->nleft_out + 1, sizeof(*grown));

	if (grown == NULL)
		return -1;
	m->left_out = grown;
	grown[m->nleft_out] = strdup(job);
	if (grown[m->nleft_out] == NULL)
		return -1;
	m->nleft_out++;
	return 0;
}

/* ---- writing ---- */

static struct json_object *
make_file(const struct manifest_file *f)
{
	struct json_object *o = json_object_new_object();

	jsonmake_string(&o, "path", f->path);
	jsonmake_uint(&o, "size", f->sum.size);
	jsonmake_uint(&o, "crc32c", f->sum.crc);
	return o;
}

static struct json_object *
make_manifest(const struct manifest *m)
{
	struct json_object *o = json_object_new_object();
	struct json_object *out = json_object_new_array();
	struct json_object *files = json_object_new_array();

	jsonmake_int(&o, "format", MANIFEST_FORMAT);
	jsonmake_string(&o, "version", m->version);
	jsonmake_int(&o, "created_ms", m->created_ms);
	for (size_t i = 0; i < m->nleft_out; i++)
		jsonmake_append(&out, json_object_new_string(m->left_out[i]));
	jsonmake_add(&o, "left_out", out);
	for (size_t i = 0; i < m->nfiles; i++)
		jsonmake_append(&files, make_file(&m->file[i]));
	jsonmake_add(&o, "files", files);
	return o;
}

static int
write_text(int fd, const char *text)
{
	size_t len = strlen(text);
	char head[HEAD_BYTES + 1];

	snprintf(head, sizeof(head), BEGIN "%08x" MIDDLE,
	    (unsigned)crc32c(0, text, len));
	if (disk_write_at(fd, head, HEAD_BYTES, 0) == -1 ||
	    disk_write_at(fd, text, len, HEAD_BYTES) == -1 ||
	    disk_write_at(fd, TAIL, TAIL_BYTES, HEAD_BYTES + len) == -1)
		return -1;
	return fsync(fd);
}

int
manifest_write(const struct manifest *m, int dirfd)
{
	struct json_object *o = make_manifest(m);
	const char *text = o == NULL
	    ? NULL
	    : json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	int fd = -1, rc = -1;

	if (text == NULL) {
		errno = ENOMEM;
		goto out;
	}
	fd = openat(dirfd, NEW_FILE,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 || write_text(fd, text) == -1 ||
	    renameat(dirfd, NEW_FILE, dirfd, MANIFEST_FILE) == -1)
		goto out;
	rc = fsync(dirfd);
out:
	if (fd != -1)
		close(fd);
	json_object_put(o);
	return rc;
}

/* ---- reading ---- */

/* The path of a file below the directory, and no way out of it. */
static bool
is_below(const char *path)
{
	const char *p = path;

	if (path[0] == '\0' || path[0] == '/')
		return false;
	while (p != NULL) {
		size_t len = strcspn(p, "/");

		if (len == 0 || (len == 1 && p[0] == '.') ||
		    (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p = p[len] == '/' ? p + len + 1 : NULL;
	}
	return true;
}

static bool
get_number(const struct jsonx_value *obj, const char *key, int64_t *v)
{
	const struct jsonx_value *n = jsonx_get(obj, key);

	return n != NULL && n->type == JSONX_NUMBER && jsonx_int64(n, v) &&
	    *v >= 0;
}

static int
bad(char *why, size_t whylen, const char *what)
{
	snprintf(why, whylen, MANIFEST_FILE ": %s", what);
	errno = EBADMSG;
	return -1;
}

static int
get_files(struct manifest *m, const struct jsonx_value *files, char *why,
    size_t whylen)
{
	if (files == NULL || files->type != JSONX_ARRAY)
		return bad(why, whylen, "it has no list of files");
	for (const struct jsonx_value *v = files->child; v != NULL;
	     v = v->next) {
		const struct jsonx_value *path = jsonx_get(v, "path");
		int64_t size, crc;

		if (path == NULL || path->type != JSONX_STRING ||
		    !is_below(path->text) || !get_number(v, "size", &size) ||
		    !get_number(v, "crc32c", &crc) || crc > UINT32_MAX)
			return bad(why, whylen, "a file in it is none");
		if (append(m, path->text,
			&(struct copy_sum){ (uint64_t)size, (uint32_t)crc }) ==
		    NULL)
			return bad(why, whylen, "out of memory");
	}
	return 0;
}

static int
get_manifest(
    struct manifest *m, const struct jsonx_value *v, char *why, size_t whylen)
{
	const struct jsonx_value *version = jsonx_get(v, "version");
	const struct jsonx_value *out = jsonx_get(v, "left_out");
	int64_t format;

	if (!get_number(v, "format", &format) || format != MANIFEST_FORMAT)
		return bad(why, whylen,
		    "its format is another one: use the anomctl that made it, "
		    "or a newer one");
	if (version == NULL || version->type != JSONX_STRING ||
	    !get_number(v, "created_ms", &m->created_ms))
		return bad(why, whylen, "it has no version or no time");
	strlcpy(m->version, version->text, sizeof(m->version));
	out = out != NULL && out->type == JSONX_ARRAY ? out->child : NULL;
	for (; out != NULL; out = out->next)
		if (out->type != JSONX_STRING ||
		    manifest_leave_out(m, out->text) == -1)
			return bad(why, whylen, "a job in it is none");
	return get_files(m, jsonx_get(v, "files"), why, whylen);
}

static int
parse(
    struct manifest *m, const char *text, size_t len, char *why, size_t whylen)
{
	struct jsonx_value *v;
	const char *body = text + HEAD_BYTES;
	char head[HEAD_BYTES + 1];
	struct apierr e;
	size_t n;
	int rc;

	if (len < HEAD_BYTES + TAIL_BYTES)
		return bad(why, whylen, "it is cut off");
	n = len - HEAD_BYTES - TAIL_BYTES;
	snprintf(head, sizeof(head), BEGIN "%08x" MIDDLE,
	    (unsigned)crc32c(0, body, n));
	if (memcmp(text, head, HEAD_BYTES) != 0 ||
	    memcmp(body + n, TAIL, TAIL_BYTES) != 0)
		return bad(why, whylen, "its checksum is wrong: it is damaged");
	v = jsonx_parse(body, n, &e);
	if (v == NULL)
		return bad(why, whylen, "it is no JSON");
	rc = get_manifest(m, v, why, whylen);
	jsonx_free(v);
	return rc;
}

static int
read_text(int fd, char **text, size_t *len)
{
	struct stat st;
	size_t n = 0;

	if (fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX_BYTES) {
		errno = EBADMSG;
		return -1;
	}
	*text = malloc((size_t)st.st_size + 1);
	if (*text == NULL)
		return -1;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, *text + n, (size_t)st.st_size - n);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*len = n;
	return 0;
}

int
manifest_read(struct manifest *m, int dirfd, char *why, size_t whylen)
{
	int fd = openat(dirfd, MANIFEST_FILE,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = NULL;
	size_t len = 0;
	int rc = -1, saved;

	if (fd == -1 || read_text(fd, &text, &len) == -1)
		snprintf(why, whylen, MANIFEST_FILE ": %s", strerror(errno));
	else
		rc = parse(m, text, len, why, whylen);
	saved = errno;
	free(text);
	if (fd != -1)
		close(fd);
	errno = saved;
	return rc;
}

int
manifest_check(
    const struct manifest_file *f, int dirfd, char *why, size_t whylen)
{
	struct copy_sum sum;

	if (copy_sum_file(dirfd, f->path, &sum) == -1) {
		snprintf(why, whylen, "%s", strerror(errno));
		return -1;
	}
	if (sum.size == f->sum.size && sum.crc == f->sum.crc)
		return 0;
	if (sum.size != f->sum.size)
		snprintf(why, whylen, "it has %ju bytes, and should have %ju",
		    (uintmax_t)sum.size, (uintmax_t)f->sum.size);
	else
		snprintf(why, whylen, "its checksum is wrong");
	errno = EBADMSG;
	return -1;
}
