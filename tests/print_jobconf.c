/*
 * Prints what the manual page of a job's configuration must have: a line
 * "section|line of the source" for each field of each object, and for each
 * function. From the tables of the parser, and for functions from its answers.
 */
#include "common/compat.h"

#include <stdio.h>
#include <string.h>

#include "common/jobconf_int.h"

static void
print_field(const char *parser, const struct objparse_field *f)
{
	char type[OBJPARSE_TYPE_BYTES];
	const char *mark = "";

	objparse_type(type, f);
	if ((f->flags & OBJPARSE_UPDATABLE) != 0)
		mark = ", updatable";
	else if ((f->flags & OBJPARSE_FIXED) != 0)
		mark = ", fixed";
	else if ((f->flags & OBJPARSE_OLD) != 0)
		mark = ", old path";
	printf("%s|.It Cm %s Pq %s%s\n", parser, f->name, type, mark);
}

static void
print_table(const struct objparse_table *table)
{
	for (size_t i = 0; i < table->nfields; i++)
		print_field(table->parser, &table->field[i]);
	for (size_t i = 0; i < table->nfields; i++)
		if (objparse_table_of(&table->field[i]) != NULL)
			print_table(objparse_table_of(&table->field[i]));
}

static const char *const keys[] = { "field_name", "by_field_name",
	"over_field_name" };

/* mask: which of the keys the detector has */
static bool
is_valid(const char *function, unsigned mask)
{
	char text[256];
	struct apierr e;

	snprintf(text, sizeof(text), "{\"function\":\"%s\"", function);
	for (size_t i = 0; i < NELEM(keys); i++) {
		char member[64];

		if ((mask & 1u << i) == 0)
			continue;
		snprintf(
		    member, sizeof(member), ",\"%s\":\"f%zu\"", keys[i], i);
		strlcat(text, member, sizeof(text));
	}
	strlcat(text, "}", sizeof(text));
	return jobconf_validate_detector(text, strlen(text), NULL, &e) == 0;
}

/* Is a key in every valid detector, in none, or in some? */
static const char *
need_of(const char *function, unsigned key)
{
	bool with = false, without = false;

	for (unsigned mask = 0; mask < 1u << NELEM(keys); mask++)
		if (is_valid(function, mask)) {
			if ((mask & 1u << key) != 0)
				with = true;
			else
				without = true;
		}
	return !with ? " forbidden" : !without ? " required" : "";
}

int
main(void)
{
	const struct function_info *fn;

	print_table(&jobconf_table);
	for (size_t i = 0; (fn = function_at(i)) != NULL; i++)
		printf("Functions|.It %s Ta%s Ta%s Ta%s\n", fn->name,
		    need_of(fn->name, 0), need_of(fn->name, 1),
		    need_of(fn->name, 2));
	return 0;
}
