/* The daemon as the API sees it: the one node of a cluster. */
#ifndef SUPERVISOR_NODE_H
#define SUPERVISOR_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/compat.h"

struct json_object;
struct server;

/*
 * What a worker takes beside its models: 560 kB of its own were measured in
 * each of 40, with some records and their results, rounded up.
 */
#define NODE_WORKER_BYTES (UINT64_C(600) * 1024)

/*
 * Learn what the machine has, at the start: nothing of it is looked up again
 * while the daemon serves.
 */
void node_measure(struct server *);

/* id, name, ephemeral_id, transport_address, attributes. NULL: no memory. */
struct json_object *node_json(const struct server *);
/* Texts, all of them. ml_only: those whose names begin with "ml.". */
struct json_object *node_attributes(const struct server *, bool ml_only);

/*
 * Does a comma list of nodes (NULL: all) mean this one? Its elements are ids,
 * names, addresses, each with wildcards, _all, _local, _master, and
 * "<role>:true", or ":false", which takes out again what stood before.
 */
bool node_is_meant(const struct server *, const char *list);

/* The roles of the node, one by one; NULL behind the last. */
const char *node_role(size_t i);

/* What all models together may take. */
uint64_t node_ml_bytes(const struct server *);

#endif
