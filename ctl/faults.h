/* What is found wrong with a directory, and how it is said. */
#ifndef CTL_FAULTS_H
#define CTL_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/compat.h"

/* How often to look at what a daemon at work may be changing. */
#define FAULTS_LOOKS_MAX 20

struct faults {
	const char *dir; /* borrowed: what paths are below */
	bool is_backup;
	size_t nfiles, nfaults, nunread;
	const char *means; /* borrowed: what is lost, and the cure; NULL: "" */
};

/*
 * A verify_report_cb: "<dir>/<path>: byte <offset>: <what>; <means>" on
 * standard output. arg: struct faults.
 */
void faults_report(
    void *arg, const char *path, uint64_t offset, const char *what);

/* The same of what has no offset, as a file that is missing. */
void faults_add(struct faults *, const char *path, const char *what);

/* The same of one that is not there, whose loss means that. */
void faults_missing(struct faults *, const char *path, const char *means);

/*
 * A file was looked at: rc -1 with errno when it could not be read. One that is
 * not there was never needed, or no more while a daemon is at work; what must
 * be there is for faults_add.
 */
void faults_looked(struct faults *, const char *path, int rc);

/* Let a daemon at work get on a little, between two looks. */
void faults_pause(void);

#endif
