/* The model plot and annotations as JSON text. */
#ifndef QUERY_PRINTPLOT_H
#define QUERY_PRINTPLOT_H

#include "common/compat.h"
#include "common/results.h"
#include "query/jsonw.h"
#include "query/print.h"

void print_plot(
    struct jsonw *, const struct print_context *, const struct plot_result *);
void print_annotation(struct jsonw *, const struct print_context *,
    const struct annotation_result *);

#endif
