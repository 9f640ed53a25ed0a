/*
 * The tokens of a stream of JSON values that lies in memory (RFC 8259, strict).
 * Nothing is copied and nothing allocated; the time is linear in the bytes,
 * whatever they are.
 *
 * Values may follow each other with or without blanks. A byte order mark at
 * the beginning is passed over.
 *
 * No call goes through much more than a slice of bytes: JSON_MORE says that
 * one is used up, in the midst of a token or not, and the next call goes on
 * there. What the tokens are does not depend on it.
 *
 * What is malformed gives JSON_ERROR, and reading goes on behind it:
 *
 *	- a comma, or the bracket that closes the present container, where
 *	  something else belongs: it is left, and is the next token's
 *	- a string that is none (raw control character, unknown escape, half a
 *	  surrogate pair, bytes that are not UTF-8): up to its closing quote,
 *	  or the end of its line
 *	- a string, where a comma or colon belongs: the string
 *	- a word that is none, where a value belongs: the word, of which no
 *	  more than JSON_MAX_WORD bytes
 *	- a number that breaks off ("01", "1.", "-"): what is good of it; one
 *	  of more than JSON_MAX_NUMBER bytes: the first that is too many, too
 *	- a container past JSON_MAX_DEPTH: its bracket
 *	- anything else: one byte
 *
 * Behind an error inside a container, a comma or the closing bracket is
 * expected. So one error may end without having consumed a byte, but never
 * two in a row, except at the end of the input: there, inside a container,
 * every call gives JSON_ERROR.
 */
#ifndef WORKER_JSONLEX_H
#define WORKER_JSONLEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

#define JSON_MAX_DEPTH 1000  /* containers in each other */
#define JSON_MAX_NUMBER 1000 /* bytes; the limit of the API's own parser */
#define JSON_MAX_WORD 256    /* the same, before it gives up */

enum json_token {
	JSON_END, /* of the input, outside of any container */
	JSON_ERROR,
	JSON_MORE, /* nothing yet: call again */
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_NAME,
	JSON_STRING,
	JSON_NUMBER,
	JSON_WORD, /* true or false */
	JSON_NULL,
};

/* What may come next; the names say what it follows. */
enum json_place {
	JSON_AT_ROOT,
	JSON_AFTER_BRACE,
	JSON_AFTER_NAME,
	JSON_AFTER_COLON,
	JSON_AFTER_MEMBER,
	JSON_AFTER_MEMBER_COMMA,
	JSON_AFTER_BRACKET,
	JSON_AFTER_ELEMENT,
	JSON_AFTER_ELEMENT_COMMA,
};

/* The token in whose midst a slice has ended. */
enum json_scan {
	JSON_SCAN_NONE,
	JSON_SCAN_STRING,
	JSON_SCAN_BROKEN, /* a string that is none, up to its end */
};

struct jsonlex {
	const char *p; /* next byte; borrowed */
	const char *end;
	const char *stop; /* where the slice ends; not past end */
	size_t slice;
	bool paused; /* JSON_MORE was given: p has reached stop */
	enum json_scan scan;
	enum json_token kind; /* of the string in the midst of which it is */
	/*
	 * Source text of the last NAME or STRING, without its quotes, NUMBER
	 * or WORD.
	 */
	const char *text;
	size_t len;
	bool escaped; /* the text has escapes: jsonlex_decode */
	enum json_place place;
	unsigned depth;
	bool in_object[JSON_MAX_DEPTH + 1]; /* by depth; [0] is the root */
};

/* slice: bytes, at least 1 */
void jsonlex_init(struct jsonlex *, const char *data, size_t len, size_t slice);

enum json_token jsonlex_next(struct jsonlex *);

/*
 * Behind a NAME: go to the value, if a colon follows within the slice. Returns
 * whether; the next token is the same either way.
 */
bool jsonlex_pass_colon(struct jsonlex *);
/*
 * The token at p, where the value of a member begins: its name, the colon, and
 * what belongs before them, stand between the last token and p.
 */
enum json_token jsonlex_value(struct jsonlex *, const char *p);

/*
 * Undo the escapes of a text that jsonlex_next has given, or of a part of it.
 *
 * dst   room for as much as is read: decoding never makes a text longer
 * text  where the part begins; then, where the rest does
 * end   of the whole text
 * most  bytes to read, if the text is that long, and at most
 *       JSON_MAX_ESCAPE - 1 more: no escape is cut in two
 *
 * Returns the number of bytes written, which are UTF-8 and may hold NUL.
 */
#define JSON_MAX_ESCAPE 12 /* bytes of a surrogate pair's */
size_t jsonlex_decode(
    char *dst, const char **text, const char *end, size_t most);

#endif
