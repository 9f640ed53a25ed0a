/* JSON objects that are made while memory runs out. */
#include "common/compat.h"

#include <criterion/criterion.h>
#include <json-c/json.h>

#include "common/jsonmake.h"

Test(jsonmake, members_stand_in_their_order)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array();

	jsonmake_string(&o, "s", "x");
	jsonmake_int(&o, "i", -5);
	jsonmake_uint(&o, "u", UINT64_MAX);
	jsonmake_bool(&o, "b", true);
	jsonmake_double(&o, "d", 0.5);
	jsonmake_append(&list, json_object_new_int64(1));
	jsonmake_add(&o, "l", list);
	cr_assert_str_eq(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
	    "{\"s\":\"x\",\"i\":-5,\"u\":18446744073709551615,\"b\":true,"
	    "\"d\":0.5,\"l\":[1]}");
	json_object_put(o);
}

Test(jsonmake, a_missing_value_makes_the_whole_object_missing)
{
	struct json_object *o = json_object_new_object();

	jsonmake_int(&o, "i", 1);
	jsonmake_add(&o, "lost", NULL);
	cr_assert_null(o);
}

Test(jsonmake, nothing_is_added_to_an_object_that_is_missing)
{
	struct json_object *o = NULL, *list = NULL;

	jsonmake_int(&o, "i", 1);
	cr_expect_null(o);
	jsonmake_append(&list, json_object_new_int64(1));
	cr_expect_null(list);
}

Test(jsonmake, a_missing_element_makes_the_array_missing)
{
	struct json_object *list = json_object_new_array();

	jsonmake_append(&list, NULL);
	cr_assert_null(list);
}
