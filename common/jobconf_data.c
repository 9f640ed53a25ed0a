/* Owns data_description: how a job's records are to be read (2.7). */
#include "common/compat.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <strings.h>

#include "common/jobconf_int.h"
#include "common/timefmt.h"

static int
keep(struct objparse *op, const char *text, struct json_object **out)
{
	*out = json_object_new_string(text);
	return *out == NULL ? objparse_no_memory(op) : 0;
}

/* The default is not printed, so it is not kept. */
static int
convert_format(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (strcasecmp(v->text, "xcontent") == 0)
		return 0;
	if (strcasecmp(v->text, "delimited") == 0 ||
	    strcasecmp(v->text, "delineated") == 0)
		return keep(op, "delimited", out);
	return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
	    "Unknown %s [%s]; records are [xcontent] or [delimited]", f->name,
	    v->text);
}

static int
convert_time_field(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (v->type == JSONX_NULL)
		return apierr_set(op->e, 400, "null_pointer_exception",
		    "time_field must not be null");
	if (jobconf_convert_name(op, f, v, out) == -1)
		return -1;
	return *out == NULL ? keep(op, "", out) : 0;
}

static int
convert_time_format(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	struct timefmt *tf = timefmt_new(v->text);

	(void)f;
	if (tf == NULL && errno == ENOMEM)
		return objparse_no_memory(op);
	if (tf == NULL)
		return apierr_set(op->e, 400, E_STATUS,
		    "Invalid Time format string '%s'", v->text);
	timefmt_free(tf);
	return keep(op, v->text, out);
}

/* Of UTF-8: all bytes but those that go on with a character. */
static size_t
count_characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* One character; the readers of records split at bytes, so one of ASCII. */
static int
convert_char(struct objparse *op, const struct objparse_field *f,
    const struct jsonx_value *v, struct json_object **out)
{
	if (count_characters(v->text) != 1)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "String must be a single character, found [%s]", v->text);
	if ((unsigned char)v->text[0] > 0x7f)
		return apierr_set(op->e, 400, E_ILLEGAL_ARGUMENT,
		    "%s has to be a character of ASCII, found [%s]", f->name,
		    v->text);
	return keep(op, v->text, out);
}

static int
put_default(struct objparse *op, struct json_object *obj, const char *key,
    const char *value)
{
	if (jobconf_member(obj, key) != NULL)
		return 0;
	return objparse_put(op, obj, key, json_object_new_string(value));
}

static int
finish_data_description(struct objparse *op, struct json_object *obj)
{
	if (put_default(op, obj, "time_field", "time") == -1 ||
	    put_default(op, obj, "time_format", "epoch_ms") == -1)
		return -1;
	if (jobconf_member(obj, "format") == NULL)
		return 0;
	if (put_default(op, obj, "field_delimiter", "\t") == -1)
		return -1;
	return put_default(op, obj, "quote_character", "\"");
}

static const struct objparse_field data_fields[] = {
	/* clang-format off */
	{ "format", T_STRING, convert_format, NULL, 0 },
	{ "time_field", T_STRING | T_NULL, convert_time_field, NULL, 0 },
	{ "time_format", T_STRING, convert_time_format, NULL, 0 },
	{ "field_delimiter", T_STRING, convert_char, NULL, 0 },
	{ "quote_character", T_STRING, convert_char, NULL, 0 },
	/* clang-format on */
};

const struct objparse_table jobconf_data_description_table = {
	"data_description", data_fields, NELEM(data_fields),
	finish_data_description, NULL
};
