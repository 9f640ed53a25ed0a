/* What commands share: values out of answers, and what is done with them. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/compat.h"
#include "common/jsonx.h"
#include "ctl/client.h"
#include "ctl/command.h"

/* A member that is a string, else "". obj may be NULL or of any type. */
const char *show_string(const struct jsonx_value *obj, const char *key);
/* A member that is an array, else NULL. */
const struct jsonx_value *show_array(
    const struct jsonx_value *obj, const char *key);
/* The strings of an array, "a,b"; nothing for NULL. */
void show_join(FILE *, const struct jsonx_value *array);

/* Is it what the daemon answers when the thing that was named is not there? */
bool show_is_absent(const struct answer *);

/* "user create: <why>", as an error. Returns CTL_FAILED. */
int show_failure(const struct ctl *, const char *why);
/* The same with what client_call() had to say. */
int show_refusal(const struct ctl *);
/* The same for an answer that has not the form it should have. */
int show_strange(const struct ctl *);

/* The answer as it came, on standard output. Returns the exit status. */
int show_json(const struct ctl *, const struct answer *);

/*
 * A request whose path, from client_path(), may be NULL for want of memory.
 * Frees it. Otherwise as client_call(), with the failure already said.
 */
int show_call(const struct ctl *, const char *method, char *path,
    const struct secret *body, struct answer *) MUST_CHECK;

#endif
