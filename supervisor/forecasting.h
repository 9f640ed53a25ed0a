/*
 * Forecasts that clients ask for, in the lines of their jobs. Each has its id
 * from the first moment on: sent again to another worker it is the same one.
 */
#ifndef SUPERVISOR_FORECASTING_H
#define SUPERVISOR_FORECASTING_H

#include "common/compat.h"
#include "common/msg.h"

struct call;
struct job;
struct op;

/* Give it an id and a place in the line. Answers the call sooner or later. */
void forecasting_ask(struct job *, struct call *, const struct msg_forecast *);
/* Tell the worker. 0, or -1: it cannot be told. */
int forecasting_send(struct op *) MUST_CHECK;
/* The operation is answered: it will be made. */
void forecasting_done(struct op *);
/* The worker has told how many the job has. 0, or -1: it cannot be read. */
int forecasting_totals(struct job *, const struct msg_forecasts *) MUST_CHECK;

#endif
