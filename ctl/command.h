/*
 * The table of commands: what there is, how it is called, what it takes. Help,
 * the completion of shells and the reading of the command line come from it.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/compat.h"
#include "ctl/args.h"

struct client;

/* The exit status of the program. */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
};

/* What a command is given. */
struct ctl {
	const struct command *command;
	const struct args *args; /* operands: without the command's name */
	struct client *client;	 /* NULL for commands that are local */
};

struct command {
	const char *group;    /* "user"; NULL: the name stands alone */
	const char *name;     /* "create" */
	const char *operands; /* "NAME ROLE...", "" for none */
	size_t min, max;      /* how many operands; SIZE_MAX: any number */
	const char *summary;
	const struct args_form *options; /* besides the common ones */
	bool local;			 /* needs no daemon */
	int (*run)(struct ctl *);	 /* returns the exit status */
};

/* The options that every command takes. */
extern const struct args_form command_common_options[];

/* In the order of help; NULL behind the last one. */
const struct command *command_at(size_t i);
/* By one word or two. NULL when it is none. */
const struct command *command_find(const char *const *words, size_t n);
bool command_is_group(const char *word);
/* "create, list", of a group or (NULL) all first words. */
void command_names(const char *group, char *dst, size_t dstlen);

/* Help on one command, on a group of them, and on the whole. */
void command_help(FILE *, const struct command *);
void command_help_group(FILE *, const char *group);
void command_help_all(FILE *);

/*
 * Print the words that may stand in the place of the last of n words, each on
 * its line: what a shell asks for to complete a command line.
 */
void command_complete(FILE *, const char *const *words, size_t n);

/* ---- the commands ---- */

int cmd_help(struct ctl *);
int cmd_complete(struct ctl *);
int cmd_post(struct ctl *);
int cmd_user_create(struct ctl *);
int cmd_user_list(struct ctl *);
int cmd_user_password(struct ctl *);
int cmd_user_role(struct ctl *);
int cmd_user_enable(struct ctl *);
int cmd_user_disable(struct ctl *);
int cmd_user_revoke(struct ctl *);
int cmd_journal(struct ctl *);
int cmd_key_create(struct ctl *);
int cmd_key_list(struct ctl *);
int cmd_key_expire(struct ctl *);
int cmd_key_revoke(struct ctl *);
int cmd_quarantine_list(struct ctl *);
int cmd_quarantine_show(struct ctl *);
int cmd_quarantine_post(struct ctl *);
int cmd_quarantine_drop(struct ctl *);
int cmd_backup(struct ctl *);
int cmd_status(struct ctl *);
int cmd_jobs(struct ctl *);
int cmd_restore(struct ctl *);
int cmd_verify(struct ctl *);

#endif
