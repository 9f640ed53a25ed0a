/*
 * Making JSON objects when memory may run out at every step. The functions
 * take the object by reference: when something fails, it is put and becomes
 * NULL, and what is added to NULL is put as well. So a whole answer is made
 * without a check, and is NULL at its end when any part of it is missing.
 */
#ifndef COMMON_JSONMAKE_H
#define COMMON_JSONMAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

struct json_object;

/*
 * Add a member to an object, or an element to an array. value: taken over in
 * every case; NULL stands for the memory that it wanted, not for null.
 */
void jsonmake_add(
    struct json_object **, const char *key, struct json_object *value);
void jsonmake_append(struct json_object **array, struct json_object *value);

void jsonmake_string(struct json_object **, const char *key, const char *value);
void jsonmake_int(struct json_object **, const char *key, int64_t value);
void jsonmake_uint(struct json_object **, const char *key, uint64_t value);
void jsonmake_double(struct json_object **, const char *key, double value);
void jsonmake_bool(struct json_object **, const char *key, bool value);

#endif
