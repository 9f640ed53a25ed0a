/*
 * The tail of one series' surprises: how much less likely than usual a value
 * is, measured against how unlikely its predecessors were found.
 *
 * A surprise is u = -ln p under a nominal model. Were that model right, what
 * exceeds a threshold u0 would be exponential with mean 1, whatever the data.
 * It never is quite right, so the excesses over u0 are fitted by a generalised
 * Pareto distribution (Pickands, Annals of Statistics 3(1), 1975; Davison and
 * Smith, JRSS B 52(3), 1990) whose scale and shape come from their first two
 * moments (Hosking and Wallis, Technometrics 29(3), 1987), begin at the
 * exponential and forget. 1/n is added to the shape: with shape 0 and n
 * excesses behind the fit the next one is Lomax with shape n.
 *
 * Neighbours are alike, so the k-th excess in a row weighs 1/k. One far out is
 * learnt with less weight and drawn in: one anomaly must not hide the next.
 * Excesses are also counted by their size: what was seen before is never as
 * unlikely as what never was, what was seen more than a few times is learnt in
 * full.
 */
#ifndef WORKER_TAIL_H
#define WORKER_TAIL_H

#include "common/compat.h"
#include "worker/snapshot.h"

/* The threshold: one value in 20 is beyond it if the nominal model is right. */
#define TAIL_U0 2.9957322735539909934
/* Greater surprises count as this one. */
#define TAIL_U_MOST 1e15

#define TAIL_BINS 17

/* Zeroed, it believes the nominal model. All are decayed. */
struct tail {
	float n;	/* surprises seen */
	float excesses; /* of those, beyond the threshold */
	float fitted;	/* weight of the excesses in sum and squares */
	float sum;
	float squares;
	float row; /* excesses in a row, to the last surprise */
	float bin[TAIL_BINS];
};

/* ln of the probability of a surprise of at least u, 0 <= u. */
double tail_ln_p(const struct tail *, double u);

/* Learn u, of which tail_ln_p has said ln_p. */
void tail_learn(struct tail *, double u, double ln_p);

/* Keep this share of what was learnt, 0..1. */
void tail_forget(struct tail *, double keep);

/* 0, or -1 with errno. */
int tail_save(const struct tail *, struct snapshot_writer *) MUST_CHECK;
int tail_load(struct tail *, struct snapshot_reader *) MUST_CHECK;

#endif
