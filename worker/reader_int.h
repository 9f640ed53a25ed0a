/*
 * What the two kinds of reader share with reader.c, and nobody else sees.
 */
#ifndef WORKER_READER_INT_H
#define WORKER_READER_INT_H

#include "worker/fieldset.h"
#include "worker/jsonlex.h"
#include "worker/reader.h"
#include "worker/shape.h"

/* The prefix "outer.inner." of the object that is being read. */
struct json_path {
	char *text; /* owned: the longest wanted name fits */
	size_t cap;
	unsigned depth; /* objects that are open inside the record */
	/* Bytes of the prefix at each depth; past cap: nothing is wanted. */
	size_t len[JSON_MAX_DEPTH + 1];
};

/* What the tokens to come are taken for. */
enum json_doing {
	DOING_MEMBERS,
	DOING_VALUE, /* of a member whose name was read */
	DOING_JOIN,  /* the elements of an array that is wanted */
	DOING_COPY,  /* of a scalar */
	DOING_SKIP_ARRAY,
	DOING_SKIP_MALFORMED,
};

struct json_reader {
	struct jsonlex lex;
	struct json_path path;
	char *name;	  /* owned: a name whose escapes are undone */
	unsigned nerrors; /* while skipping, in this upload */
	struct shape shape;
	unsigned nmembers; /* of the record so far, outside of nested objects */

	/* What a slice may end in the midst of. */
	enum json_doing doing;
	const char *member; /* VALUE: its name; borrowed, or jr->name */
	size_t member_len;
	size_t field; /* VALUE, JOIN, COPY: where the value goes */
	size_t mark;  /* where it begins in the fields' text */
	bool joining; /* COPY: of an element of an array */
	bool first;   /* JOIN: no element was seen yet */
	struct {
		const char *p; /* COPY: what is still to be copied; borrowed */
		const char *end;
		bool escaped;
	} rest;
	unsigned arrays; /* SKIP_ARRAY: how many are open */
	unsigned ends;	 /* SKIP_MALFORMED: of objects, still to be met */
	bool merged;	 /* the record goes on into the next document */
};

/* A column of the header that is a wanted field. */
struct delimited_column {
	size_t column;
	size_t field;
};

/* What the bytes to come are taken for. */
enum delimited_doing {
	DOING_LINE,   /* between records */
	DOING_COLUMN, /* at the beginning of one */
	DOING_PLAIN,
	DOING_QUOTED,
	DOING_CHECK,  /* a column is whole: is it UTF-8? */
	DOING_REPLACE /* what in it is not */
};

/* The text of a column: in the upload as it stands, or built. */
struct delimited_text {
	bool built;
	const char *p; /* not built: where it begins; borrowed */
	size_t len;    /* of the whole column */
	size_t mark;   /* built: where it begins in the fields' text */
	size_t at;     /* what was checked or replaced so far */
	size_t clean;  /* where it begins once replaced */
};

struct delimited_reader {
	const char *p; /* next byte; borrowed */
	const char *end;
	const char *stop; /* where the slice ends; not past end */
	enum delimited_doing doing;
	bool header_read;
	unsigned lines;	 /* of the present record */
	size_t ncolumns; /* of the header */
	/* In the order of the header. Owned; every field has room. */
	struct delimited_column *wanted;
	size_t nwanted;

	size_t column;	  /* of the record, the present one */
	size_t at;	  /* of wanted, the next one */
	bool keep;	  /* the text of the column is asked for */
	bool more;	  /* another column follows in the line */
	const char *from; /* what is not built of it begins there */
	struct delimited_text text;
};

struct reader {
	const struct jobconf *conf; /* borrowed */
	struct fieldset fields;
	const char *data; /* the upload; borrowed */
	size_t len;
	size_t slice;
	int last; /* what reader_next has answered; 0 and -1 stay so */
	struct apierr error; /* when last is -1 */
	struct json_reader json;
	struct delimited_reader delimited;
};

/*
 * The operations of a format. init returns 0 or -1 with ENOMEM; next returns as
 * reader_next does, the record being in fields.
 */
struct reader_format {
	int (*init)(struct reader *);
	void (*clear)(struct reader *);
	void (*begin)(struct reader *);
	int (*next)(struct reader *, struct apierr *);
	size_t (*bytes)(const struct reader *);
};

extern const struct reader_format reader_json;
extern const struct reader_format reader_delimited;

#endif
