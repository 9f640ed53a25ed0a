/* Owns the memory of secrets, and where they come from. */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <readpassphrase.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/wire.h"
#include "ctl/secret.h"

void
secret_clear(struct secret *s)
{
	if (s->text != NULL)
		explicit_bzero(s->text, s->room);
	free(s->text);
	memset(s, 0, sizeof(*s));
}

int
secret_add(struct secret *s, const void *data, size_t len)
{
	if (s->text == NULL || len >= s->room - s->len) {
		/* realloc() would leave the old bytes where they are. */
		struct secret bigger = { .room = (s->len + len + 1) * 2 };

		bigger.text = malloc(bigger.room);
		if (bigger.text == NULL)
			return -1;
		bigger.len = s->len;
		if (s->text != NULL)
			memcpy(bigger.text, s->text, s->len);
		secret_clear(s);
		*s = bigger;
	}
	if (len > 0)
		memcpy(s->text + s->len, data, len);
	s->len += len;
	s->text[s->len] = '\0';
	return 0;
}

int
secret_add_text(struct secret *s, const char *text)
{
	return secret_add(s, text, strlen(text));
}

int
secret_add_json(struct secret *s, const char *text)
{
	if (secret_add(s, "\"", 1) == -1)
		return -1;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		char escape[8];
		int len = 1, rc;

		if (c == '"' || c == '\\')
			len = snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c < 0x20)
			len = snprintf(escape, sizeof(escape), "\\u%04x", c);
		else
			escape[0] = (char)c;
		rc = secret_add(s, escape, (size_t)len);
		explicit_bzero(escape, sizeof(escape));
		if (rc == -1)
			return -1;
	}
	return secret_add(s, "\"", 1);
}

/* ---- reading ---- */

static int
refuse(struct secret *s, char *why, size_t whylen, const char *from,
    const char *what)
{
	secret_clear(s);
	snprintf(why, whylen, "%s: %s", from, what);
	return -1;
}

/* What cannot be sent in JSON, or is no secret. */
static int
check_text(struct secret *s, const char *from, char *why, size_t whylen)
{
	if (s->len == 0)
		return refuse(s, why, whylen, from, "there is nothing in it");
	if (memchr(s->text, '\0', s->len) != NULL)
		return refuse(s, why, whylen, from, "there is a NUL in it");
	if (!wire_utf8_ok(s->text, s->len))
		return refuse(s, why, whylen, from, "it is not UTF-8");
	return 0;
}

/* A byte at a time: what follows the line is for whoever reads next. */
static int
read_line(struct secret *s, int fd, const char *from, char *why, size_t whylen)
{
	ssize_t n;
	char c;

	for (;;) {
		n = read(fd, &c, 1);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return refuse(s, why, whylen, from, strerror(errno));
		if (n == 0 || c == '\n')
			break;
		if (s->len == SECRET_MAX_BYTES)
			return refuse(s, why, whylen, from,
			    "its first line is too long for a secret");
		if (secret_add(s, &c, 1) == -1)
			return refuse(s, why, whylen, from, "out of memory");
	}
	explicit_bzero(&c, sizeof(c));
	if (s->len > 0 && s->text[s->len - 1] == '\r')
		s->text[--s->len] = '\0';
	return check_text(s, from, why, whylen);
}

int
secret_read(struct secret *s, const char *path, char *why, size_t whylen)
{
	int fd, rc;

	if (strcmp(path, "-") == 0)
		return read_line(
		    s, STDIN_FILENO, "standard input", why, whylen);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd == -1)
		return refuse(s, why, whylen, path, strerror(errno));
	rc = read_line(s, fd, path, why, whylen);
	close(fd);
	return rc;
}

int
secret_ask(struct secret *s, const char *prompt, char *why, size_t whylen)
{
	/* One byte more than is taken shows that it was cut. */
	char typed[SECRET_MAX_BYTES + 2];
	int rc = -1;

	if (readpassphrase(prompt, typed, sizeof(typed), RPP_REQUIRE_TTY) ==
	    NULL) {
		snprintf(why, whylen, "cannot ask on the terminal: %s",
		    strerror(errno));
		explicit_bzero(typed, sizeof(typed));
		return -1;
	}
	if (strlen(typed) > SECRET_MAX_BYTES)
		snprintf(why, whylen, "what was typed is too long");
	else if (typed[0] == '\0')
		snprintf(why, whylen, "nothing was typed");
	else if (!wire_utf8_ok(typed, strlen(typed)))
		snprintf(why, whylen, "what was typed is not UTF-8");
	else if (secret_add_text(s, typed) == -1)
		snprintf(why, whylen, "out of memory");
	else
		rc = 0;
	explicit_bzero(typed, sizeof(typed));
	return rc;
}

/* ---- making and showing ---- */

#define GENERATED_LEN 24

int
secret_generate(struct secret *s)
{
	static const char signs[] =
	    "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

	for (int i = 0; i < GENERATED_LEN; i++) {
		size_t at = arc4random_uniform(sizeof(signs) - 1);

		if (secret_add(s, &signs[at], 1) == -1) {
			secret_clear(s);
			return -1;
		}
	}
	return 0;
}

static int
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
secret_write(const struct secret *s, int fd)
{
	if (write_all(fd, s->text, s->len) == -1)
		return -1;
	return write_all(fd, "\n", 1);
}
