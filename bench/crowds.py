#!/usr/bin/env python3
"""Crowds of series that newcomers join, for what siblings lend each other.

  crowds.py --out DIR --seed N [--case NAME ...] [--list]

Writes DIR/<crowd>-s<seed>/ as kinds.py does.  Thirty hosts are there from the
beginning; six more join, one after the other.  Three of these have an odd value
8 to 14 buckets later, which is to be found; whoever knows only the newcomer's
own past cannot tell.  In crowds of strangers there is nothing to find: the six
are unlike the thirty, and must not be taken for anomalies.
"""
import math
import os

from kinds import Dice, command, describe, shape, DAY, EPOCH

SPAN = 300
BUCKETS, LEARN = 6 * 288, 3 * 288
OLD, NEW, GAP = 30, 6, 120
CROWDS = {}


class Crowd:
    def __init__(self, dice):
        self.r = dice
        self.count = False
        self.odd = (10, 16)  # in deviations
        self.strangers = False
        self.host = None     # is_new -> (value(t, deviations))


def crowd(fn):
    def make(*key):
        c = Crowd(Dice(fn.__name__, *key))
        fn(c, c.r)
        return c
    CROWDS[fn.__name__] = make
    return fn


def relative(r, sd, draw=None):
    """Values around a level of the host's own, alike in shares of it."""
    level = math.exp(3 + r.n())
    draw = draw or r.n
    return lambda t, odd: level * math.exp(sd * (draw() + odd))


@crowd
def alike(c, r):
    c.host = lambda new: relative(r, 0.05)


@crowd
def alike_absolute(c, r):
    def host(new):
        level = r.u(50, 150)
        return lambda t, odd: level + 2 * (r.n() + odd)
    c.host = host


@crowd
def alike_counts(c, r):
    def host(new):
        rate = math.exp(r.u(1.5, 4))
        return lambda t, odd: r.poisson(rate) + round(math.sqrt(rate) * odd)
    c.count, c.host = True, host


@crowd
def alike_heavy(c, r):
    c.odd = (30, 45)
    c.host = lambda new: relative(r, 0.03, lambda: r.student(3))


@crowd
def alike_by_day(c, r):
    day = shape(r, DAY, 0.3)

    def host(new):
        level = math.exp(3 + r.n())
        return lambda t, odd: level * math.exp(
            day(t) + 0.04 * (r.n() + odd))
    c.host = host


@crowd
def strangers(c, r):
    c.strangers = True
    c.host = lambda new: relative(r, 0.03 * (r.u(2, 8) if new else 1))


@crowd
def strangers_heavy(c, r):
    c.strangers = True
    c.host = lambda new: relative(
        r, 0.05, (lambda: r.student(3)) if new else r.n)


@crowd
def strangers_by_day(c, r):
    c.strangers = True
    day, other = shape(r, DAY, 0.3), shape(r, DAY, 0.6)

    def host(new):
        level, mine = math.exp(3 + r.n()), other if new else day
        return lambda t, odd: level * math.exp(mine(t) + 0.04 * r.n())
    c.host = host


@crowd
def motley(c, r):
    """All are different: nothing can be lent."""
    c.strangers = True
    c.host = lambda new: relative(r, 0.05 * math.exp(0.8 * r.n()))


def members(c):
    """(name, bucket it joins in, bucket of its odd value or None)"""
    r = c.r
    for i in range(OLD):
        yield "h%d" % i, 0, None
    for i in range(NEW):
        join = LEARN + 20 + GAP * i + r.i(0, 40)
        odd = join + r.i(8, 14) if i % 2 == 0 and not c.strangers else None
        yield "new%d" % i, join, odd


def make(c):
    """(bucket, host, value) in order, and the windows."""
    rows, windows = [], []
    for name, join, odd_at in members(c):
        host = c.host(name.startswith("new"))
        sign = 1 if c.count else c.r.sign()
        for b in range(join, BUCKETS):
            odd = sign * c.r.u(*c.odd) if b == odd_at else 0
            rows.append((b, name, host(b * SPAN, odd)))
        if odd_at is not None:
            windows.append((odd_at, name))
    rows.sort(key=lambda row: row[0])
    return rows, windows


def write(out, name, seed):
    c = CROWDS[name](seed)
    start = EPOCH + 7 * DAY * c.r.i(0, 40)
    split = c.r.pick(("partition", "by"))
    path = os.path.join(out, "%s-s%s" % (name, seed))
    os.makedirs(path, exist_ok=True)
    rows, windows = make(c)
    field = "n" if c.count else "value"
    with open(os.path.join(path, "data.ndjson"), "w") as f:
        for b, host, v in rows:
            if c.count and v == 0:
                continue
            f.write('{"time":%d,"host":"%s","%s":%s}\n' % (
                1000 * (start + b * SPAN + 1), host, field,
                "%d" % v if c.count else "%.7g" % v))
    detector = {"function": "count"} if c.count else {
        "function": "mean", "field_name": "value"}
    detector[split + "_field_name"] = "host"
    analysis = {"bucket_span": "%ds" % SPAN, "detectors": [detector]}
    if c.count:
        analysis["summary_count_field_name"] = "n"

    def span_of(first, count):
        return {"start": 1000 * (start + first * SPAN),
                "end": 1000 * (start + (first + count) * SPAN)}

    labels = {
        "case": name, "seed": str(seed), "rep": 0, "result": "record",
        "function": detector["function"], "bucket_span": SPAN,
        "start": 1000 * start, "end": 1000 * (start + BUCKETS * SPAN),
        "learn_until": 1000 * (start + LEARN * SPAN),
        "max_false_per_1000": 3,
        "windows": [dict(span_of(b, 1), kind="odd", must=True,
                         entity={"host": host})
                    for b, host in sorted(windows)],
        "neutral": [dict(span_of(b + 1, 4), why="after")
                    for b, _ in sorted(windows)]}
    describe(path, analysis, labels)


if __name__ == "__main__":
    command(__doc__, CROWDS, write)
