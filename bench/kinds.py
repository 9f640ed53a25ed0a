#!/usr/bin/env python3
"""Labelled series of many kinds, for the check that a change generalises.

  kinds.py --out DIR --seed N [--case NAME ...] [--list]

Writes DIR/<kind>-s<seed>/ with data.ndjson, job.json and labels.json, in the
form that the synthetic yardstick's scorer reads.  The same seed gives the same
bytes.  Every kind is a process without any anomaly; into it come two or three
events of random sort, place and size: a spike, a dip, a shift of the level, an
outage, a slow ramp.  About a third of the kinds come a second time without any
(<kind>.clean): they must be quiet.

Sizes are in deviations of the process's own noise, on the scale on which it is
made (logarithms for the multiplicative ones), well beyond all of its own.
"""
import argparse
import datetime
import json
import math
import os
import random

MINUTE, HOUR, DAY = 60, 3600, 86400
EPOCH = 1704067200  # 2024-01-01T00:00:00Z, a Monday
KINDS = {}


class Dice:
    """random() alone is used: its stream is the same in all versions."""

    def __init__(self, *key):
        self.random = random.Random("/".join(str(k) for k in key)).random

    def u(self, lo, hi):
        return lo + (hi - lo) * self.random()

    def i(self, lo, hi):
        return lo + int(self.random() * (hi - lo + 1))

    def n(self):
        return (math.sqrt(-2 * math.log(1 - self.random())) *
                math.cos(2 * math.pi * self.random()))

    def chance(self, p):
        return self.random() < p

    def pick(self, things):
        return things[int(self.random() * len(things))]

    def sign(self):
        return 1 if self.random() < 0.5 else -1

    def student(self, freedom):
        return self.n() / math.sqrt(
            sum(self.n() ** 2 for _ in range(freedom)) / freedom)

    def poisson(self, mean):
        if mean > 50:
            return max(0, round(mean + math.sqrt(mean) * self.n()))
        stop, k, p = math.exp(-mean), 0, self.random()
        while p > stop:
            k += 1
            p *= self.random()
        return k


class Kind:
    """A process: values on its own scale, and the way to what is measured."""

    def __init__(self, dice, span, nbuckets, learn):
        self.r, self.span, self.n, self.learn = dice, span, nbuckets, learn
        self.events = ("spike", "dip", "shift", "outage", "ramp")
        self.sd = 1.0           # of its noise
        self.size = (9, 14)     # of events, in sd
        self.y = [0.0] * nbuckets
        self.finish = lambda y: y
        self.settle = max(2 * DAY // span, 150)  # buckets to adapt in
        self.count = False
        self.missing = 0.0      # share of buckets without a record
        self.zero = None        # what an outage reads; None: finish(0)
        self.neutral = []       # (first, count)
        self.start = None       # of the first bucket; None: any Monday

    def add(self, f):
        for b in range(self.n):
            self.y[b] += f(b * self.span)

    def noise(self, sd):
        self.sd = sd
        for b in range(self.n):
            self.y[b] += sd * self.r.n()

    def walk(self, sd, keep):
        """Noise that keeps a share of itself from bucket to bucket."""
        x = 0.0
        for b in range(self.n):
            x = keep * x + sd * self.r.n()
            self.y[b] += x


def kind(**made_of):
    def wrap(fn):
        def make(*key):
            k = Kind(Dice(fn.__name__, *key), **made_of)
            fn(k, k.r)
            return k
        KINDS[fn.__name__] = make
        return fn
    return wrap


def wave(period, amp, phase, overtones=()):
    def at(t):
        x = 2 * math.pi * (t / period + phase)
        return amp * (math.sin(x) + sum(
            a * math.sin((k + 2) * x + p)
            for k, (a, p) in enumerate(overtones)))
    return at


def shape(r, period, amp):
    tones = [(r.u(0, 0.6), r.u(0, 6.3)), (r.u(0, 0.4), r.u(0, 6.3))]
    return wave(period, amp, r.random(), tones)


def day_and_week(r, amp):
    day, weekend = shape(r, DAY, amp), r.u(0.3, 1)
    return lambda t: day(t) * (weekend if t // DAY % 7 >= 5 else 1)


# ---------------------------------------------------------------- periods --

@kind(span=60, nbuckets=5 * 1440, learn=2 * 1440)
def hour(k, r):
    k.add(shape(r, HOUR, r.u(8, 30)))
    k.add(lambda t: 200)
    k.noise(2)


@kind(span=300, nbuckets=14 * 288, learn=4 * 288)
def ninety_minutes(k, r):
    k.add(shape(r, 90 * MINUTE, r.u(8, 30)))
    k.add(lambda t: 200)
    k.noise(2)


@kind(span=60, nbuckets=3000, learn=1000)
def seven_minutes(k, r):
    k.add(shape(r, 7 * MINUTE, r.u(8, 20)))
    k.add(lambda t: 80)
    k.noise(1.5)


@kind(span=600, nbuckets=21 * 144, learn=7 * 144)
def half_day(k, r):
    k.add(shape(r, 12 * HOUR, r.u(10, 40)))
    k.add(lambda t: 90)
    k.noise(3)


@kind(span=2 * HOUR, nbuckets=120 * 12, learn=45 * 12)
def ten_days(k, r):
    k.add(shape(r, 10 * DAY, r.u(15, 40)))
    k.add(lambda t: 90)
    k.noise(3)


@kind(span=600, nbuckets=42 * 144, learn=21 * 144)
def two_periods(k, r):
    k.add(shape(r, 7 * HOUR, r.u(10, 20)))
    k.add(shape(r, 50 * HOUR, r.u(10, 20)))
    k.add(lambda t: 150)
    k.noise(1.5)


@kind(span=300, nbuckets=28 * 288, learn=10 * 288)
def five_hours_and_day(k, r):
    k.add(shape(r, DAY, r.u(15, 30)))
    k.add(shape(r, 5 * HOUR, r.u(8, 15)))
    k.add(lambda t: 150)
    k.noise(1.5)


@kind(span=HOUR, nbuckets=63 * 24, learn=21 * 24)
def hourly(k, r):
    k.add(day_and_week(r, r.u(20, 60)))
    k.add(lambda t: 300)
    k.noise(4)


@kind(span=DAY, nbuckets=500, learn=150)
def daily(k, r):
    share = [r.u(0.5, 1.5) for _ in range(7)]
    k.add(lambda t: 4000 * share[t // DAY % 7])
    k.noise(120)
    k.settle = 60


@kind(span=10, nbuckets=4000, learn=1200)
def ten_seconds(k, r):
    k.add(lambda t: 12)
    k.walk(0.6, 0.8)
    k.noise(1)
    k.sd = 1.4


# ----------------------------------------------------------------- trends --

@kind(span=900, nbuckets=35 * 96, learn=10 * 96)
def growth(k, r):
    rate, day = r.u(0.02, 0.06), shape(r, DAY, 0.4)
    k.add(lambda t: 4 + rate * t / DAY + day(t))
    k.noise(0.05)
    k.finish = math.exp
    k.zero = 0


@kind(span=HOUR, nbuckets=90 * 24, learn=20 * 24)
def up(k, r):
    slope = r.u(0.05, 0.15)
    k.add(lambda t: 100 + slope * t / HOUR)
    k.noise(2)


@kind(span=HOUR, nbuckets=90 * 24, learn=20 * 24)
def down(k, r):
    slope, day = r.u(0.05, 0.15), shape(r, DAY, 10)
    k.add(lambda t: 900 - slope * t / HOUR + day(t))
    k.noise(2)


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def steep(k, r):
    slope = r.u(0.4, 0.9) * r.sign()
    k.add(lambda t: 5000 + slope * t / 300)
    k.noise(1)


# ------------------------------------------------------------------ noise --

@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def heavy(k, r):
    k.y = [50 + 2 * r.student(3) for _ in k.y]
    k.sd, k.size = 2, (45, 80)
    k.events = ("spike", "dip", "outage")
    k.zero = -200


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def skewed(k, r):
    k.y = [-20 * math.log(1 - r.random()) for _ in k.y]
    k.sd, k.size = 20, (22, 40)
    k.events = ("spike", "spike", "shift")


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def lognormal(k, r):
    k.add(lambda t: r.u(2, 3))
    k.noise(r.u(0.3, 0.8))
    k.finish = math.exp
    k.size = (6.5, 9)
    k.zero = 0
    k.events = ("spike", "spike", "outage")


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def uniform(k, r):
    k.y = [r.random() for _ in k.y]
    k.sd, k.size = 0.1, (14, 22)
    k.events = ("spike", "dip", "shift")


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def wandering(k, r):
    k.add(lambda t: 500)
    k.walk(1, 0.995)
    k.noise(0.3)
    k.sd, k.size = 1.2, (12, 18)
    k.events = ("spike", "dip", "shift")


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def sluggish(k, r):
    k.add(lambda t: 70)
    k.walk(0.5, 0.95)
    k.sd, k.size = 1, (9, 14)
    k.events = ("spike", "dip", "outage")


# ------------------------------------------------------------------ units --

def plain_day(k, r):
    k.add(shape(r, DAY, 15))
    k.add(lambda t: 60)
    k.noise(1.5)


@kind(span=900, nbuckets=28 * 96, learn=8 * 96)
def offset(k, r):
    plain_day(k, r)
    by = r.pick((1e6, 1e9, 1e12))
    k.finish = lambda y: by + y
    k.zero = by - 80


@kind(span=900, nbuckets=28 * 96, learn=8 * 96)
def below_zero(k, r):
    plain_day(k, r)
    k.finish = lambda y: y - 5000
    k.zero = -5200


@kind(span=900, nbuckets=28 * 96, learn=8 * 96)
def tiny(k, r):
    plain_day(k, r)
    k.finish = lambda y: 1e-12 * y


@kind(span=900, nbuckets=28 * 96, learn=8 * 96)
def huge(k, r):
    plain_day(k, r)
    k.finish = lambda y: 1e18 * y


@kind(span=900, nbuckets=28 * 96, learn=8 * 96)
def around_zero(k, r):
    k.add(shape(r, DAY, 4))
    k.noise(1)
    k.zero = -40


# ----------------------------------------------------------------- counts --

def as_counts(k, rate):
    k.count = True
    k.y = [float(k.r.poisson(rate(b * k.span))) for b in range(k.n)]
    k.finish = lambda y: max(0, round(y))


@kind(span=300, nbuckets=14 * 288, learn=4 * 288)
def sparse(k, r):
    mean = r.u(0.05, 0.4)
    as_counts(k, lambda t: mean)
    k.size, k.sd = (9, 14), 1
    k.events = ("spike", "spike")


@kind(span=300, nbuckets=21 * 288, learn=7 * 288)
def sparse_by_day(k, r):
    day = shape(r, DAY, 1)
    as_counts(k, lambda t: 1.2 * max(0, 0.6 + day(t)))
    k.size, k.sd = (14, 20), 1
    k.events = ("spike", "spike")


@kind(span=600, nbuckets=28 * 144, learn=10 * 144)
def busy(k, r):
    day = day_and_week(r, 0.7)
    as_counts(k, lambda t: 300 * math.exp(day(t) + 0.05 * r.n()))
    k.sd, k.size = 120, (11, 16)
    k.events = ("spike", "spike", "outage")


@kind(span=300, nbuckets=12 * 288, learn=4 * 288)
def twenties(k, r):
    as_counts(k, lambda t: 20)
    k.sd, k.size = 4.5, (9, 13)
    k.events = ("spike", "shift", "outage")


# ----------------------------------------------------------------- states --

@kind(span=300, nbuckets=14 * 288, learn=5 * 288)
def on_and_off(k, r):
    on, left = False, 0
    for b in range(k.n):
        if left == 0:
            on, left = not on, r.i(3, 40)
        left -= 1
        k.y[b] = 60 if on else 5
    k.noise(1)
    k.size = (90, 140)
    k.events = ("spike", "spike")


@kind(span=300, nbuckets=14 * 288, learn=5 * 288)
def saturating(k, r):
    day = shape(r, DAY, 50)
    k.add(lambda t: 70 + day(t))
    k.noise(4)
    k.finish = lambda y: min(100, max(0, y))
    k.zero = 0
    k.events = ("outage", "dip")
    k.size = (16, 20)
    # what is beyond the ceiling is not seen
    k.y = [min(y, 104) for y in k.y]


@kind(span=300, nbuckets=14 * 288, learn=5 * 288)
def gauge(k, r):
    x = 40
    for b in range(k.n):
        if r.chance(0.03):
            x = min(60, max(20, x + r.pick((-2, -1, 1, 2))))
        k.y[b] = x
    k.sd, k.size = 2, (22, 40)
    k.events = ("spike", "shift", "outage")
    k.zero = 0


@kind(span=HOUR, nbuckets=150 * 24, learn=20 * 24)
def monthly(k, r):
    day = shape(r, DAY, 8)
    k.add(lambda t: 100 + day(t))
    k.noise(2)
    for month in range(0, 150, 30):
        first = 24 * month + 2
        for b in range(first, min(first + 6, k.n)):
            k.y[b] += 60
        k.neutral.append((first, 8))


@kind(span=300, nbuckets=18 * 288, learn=7 * 288)
def nightly(k, r):
    k.add(lambda t: 10)
    for day in range(18):
        first = 288 * day + 24 + r.i(-4, 4)
        for b in range(first, first + r.i(5, 9)):
            k.y[b] += 50 + 3 * r.n()
    k.noise(1)
    k.size = (80, 120)
    k.events = ("spike", "spike")


@kind(span=600, nbuckets=21 * 144, learn=6 * 144)
def bad_start(k, r):
    day, until = shape(r, DAY, 10), r.i(100, 250)
    k.add(lambda t: 100 + day(t))
    k.noise(2)
    for b in range(until):
        k.y[b] += 150 + 30 * r.n()


@kind(span=300, nbuckets=14 * 288, learn=5 * 288)
def teeth(k, r):
    x, top = 0.0, 100
    for b in range(k.n):
        x += r.u(0.6, 1.2)
        if x > top:
            x, top = 0.0, r.u(90, 110)
        k.y[b] = x + 200
    k.noise(0.5)
    k.size = (260, 400)
    k.events = ("spike", "dip")


@kind(span=300, nbuckets=14 * 288, learn=5 * 288)
def holes(k, r):
    k.add(shape(r, DAY, 20))
    k.add(lambda t: 150)
    k.noise(2)
    k.missing = 0.3


# --------------------------------------------------------------- calendar --

def on_days(k, r, is_day, hours, known=5):
    """A job of some hours on certain days; what it does is known after some."""
    k.start = EPOCH + DAY * r.i(0, 280)
    day, first, by = shape(r, DAY, 8), r.i(0, 24 - hours), r.u(40, 70)
    k.add(lambda t: 100 + day(t))
    k.noise(2)
    seen, each = 0, DAY // k.span
    for n in range(k.n // each):
        date = datetime.datetime(1970, 1, 1) + datetime.timedelta(
            seconds=k.start + n * DAY)
        if not is_day(date):
            continue
        seen += 1
        begin = n * each + first * HOUR // k.span
        size = by * r.u(0.95, 1.05)
        for b in range(begin, begin + hours * HOUR // k.span):
            k.y[b] += size
        if seen <= known:
            k.neutral.append((begin, hours * HOUR // k.span + 2))


def last_day(date):
    """Of its month."""
    return (date + datetime.timedelta(days=1)).day == 1


@kind(span=HOUR, nbuckets=300 * 24, learn=40 * 24)
def payday(k, r):
    number = r.i(2, 27)
    on_days(k, r, lambda d: d.day == number, r.i(4, 20))


@kind(span=HOUR, nbuckets=300 * 24, learn=40 * 24)
def month_end(k, r):
    on_days(k, r, last_day, r.i(4, 20))


@kind(span=HOUR, nbuckets=300 * 24, learn=40 * 24)
def second_tuesday(k, r):
    on_days(k, r, lambda d: d.weekday() == 1 and 8 <= d.day <= 14,
            r.i(4, 20))


@kind(span=1800, nbuckets=300 * 48, learn=40 * 48)
def last_working_day(k, r):
    def is_day(d):
        days = (d + datetime.timedelta(days=i) for i in range(1, 8))
        later = [x for x in days if x.month == d.month and x.weekday() < 5]
        return d.weekday() < 5 and not later
    on_days(k, r, is_day, r.i(4, 20))


@kind(span=900, nbuckets=70 * 96, learn=21 * 96)
def holidays(k, r):
    """Some working days are like Sundays: told by their first hours."""
    free = {7 * week + r.i(0, 4) for week in (r.i(3, 4), r.i(5, 6), r.i(8, 9))}
    up, base = r.u(60, 150), r.u(10, 60)

    def works(t):
        day, hour = t // DAY, t % DAY / HOUR
        return 8 <= hour < 18 and day % 7 < 5 and day not in free

    k.add(lambda t: base + (up if works(t) else 0))
    k.noise(3)
    for day in sorted(free):
        k.neutral.append((day * 96 + 32, 4))


# ----------------------------------------------------------------- events --

def place(k, taken, count):
    """The first bucket of an event, away from all others."""
    apart = k.settle + count
    for _ in range(2000):
        b = k.r.i(k.learn + 20, k.n - count - 30)
        if all(b + apart < lo or b > hi + apart for lo, hi in taken):
            return b
    return None


def size_of(k):
    return k.sd * k.r.u(*k.size)


def put_event(k, sort, b, windows, outages):
    r, neutral = k.r, k.neutral
    if sort in ("spike", "dip"):
        sign, count = (1 if sort == "spike" else -1), r.i(1, 3)
        by = sign * size_of(k)
        for i in range(count):
            k.y[b + i] += by
        windows.append((b, count, sort))
        neutral.append((b + count, max(4, count)))
    elif sort == "shift":
        by = (1 if k.count else r.sign()) * size_of(k)
        for i in range(b, k.n):
            k.y[i] += by
        windows.append((b, 8, sort))
        neutral.append((b + 8, k.settle))
    elif sort == "outage":
        count = r.i(6, 24)
        outages.update(range(b, b + count))
        windows.append((b, min(count, 8), sort))
        neutral.append((b + 8, count + 8))
    else:
        count, by = r.i(40, 80), r.sign() * 1.6 * size_of(k)
        for i in range(count):
            k.y[b + i] += by * i / count
        seen = int(count * 4 * k.sd / abs(by)) + 1
        neutral.append((b, seen))
        windows.append((b + seen, count - seen, sort))
        neutral.append((b + count, count))


def put_events(k):
    windows, outages, taken = [], set(), []
    sorts = list(k.events)
    for _ in range(min(3, len(sorts))):
        sort = sorts.pop(k.r.i(0, len(sorts) - 1))
        b = place(k, taken, 80)
        if b is None:
            break
        taken.append((b, b + 80))
        put_event(k, sort, b, windows, outages)
    return windows, outages


def measured(k, b, outages):
    if b in outages:
        return k.zero if k.zero is not None else k.finish(0)
    return k.finish(k.y[b])


def digits(v):
    """So many that the last bit of a mathematical library never shows."""
    return float("%.15g" % v) if abs(v) >= 1e6 else float("%.7g" % v)


def write_data(k, path, start, outages):
    with open(path, "w") as f:
        for b in range(k.n):
            v = measured(k, b, outages)
            at = 1000 * (start + b * k.span + k.r.i(0, k.span - 1))
            if k.r.chance(k.missing) or (k.count and v == 0):
                continue
            f.write('{"time":%d,"%s":%r}\n' % (
                at, "n" if k.count else "value",
                int(v) if k.count else digits(v)))


def describe(path, analysis, labels):
    """Write what the scorer and the server want to know of a case."""
    job = {"analysis_config": analysis, "data_description": {
        "time_field": "time", "time_format": "epoch_ms"}}
    for file, obj in (("job.json", job), ("labels.json", labels)):
        with open(os.path.join(path, file), "w") as f:
            json.dump(obj, f, indent=1, sort_keys=True)
            f.write("\n")


def write(out, name, seed, clean):
    k = KINDS[name](seed, clean)
    start = EPOCH + 7 * DAY * k.r.i(0, 40)
    if k.start is not None:
        start = k.start
    whole = name + (".clean" if clean else "")
    path = os.path.join(out, "%s-s%s" % (whole, seed))
    os.makedirs(path, exist_ok=True)
    windows, outages = ([], set()) if clean else put_events(k)
    write_data(k, os.path.join(path, "data.ndjson"), start, outages)
    detector = {"function": "count"} if k.count else {
        "function": "mean", "field_name": "value"}
    analysis = {"bucket_span": "%ds" % k.span, "detectors": [detector]}
    if k.count:
        analysis["summary_count_field_name"] = "n"

    def span_of(first, count):
        return {"start": 1000 * (start + first * k.span),
                "end": 1000 * (start + (first + count) * k.span)}

    labels = {
        "case": whole, "seed": str(seed), "rep": 0, "result": "bucket",
        "function": detector["function"], "bucket_span": k.span,
        "start": 1000 * start, "end": 1000 * (start + k.n * k.span),
        "learn_until": 1000 * (start + k.learn * k.span),
        "max_false_per_1000": 0.5,
        "windows": [dict(span_of(b, n), kind=sort, must=True)
                    for b, n, sort in sorted(windows)],
        "neutral": [dict(span_of(b, n), why="settles")
                    for b, n in k.neutral]}
    describe(path, analysis, labels)


def command(doc, names, make):
    """The command line: make(out, name, seed) of those that are named."""
    ap = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--out", help="directory for the cases")
    ap.add_argument("--seed", default="1")
    ap.add_argument("--case", action="append", help="only these")
    ap.add_argument("--list", action="store_true")
    args = ap.parse_args()
    if args.list:
        print("\n".join(names))
        return
    if not args.out:
        ap.error("--out or --list")
    unknown = set(args.case or ()) - set(names)
    if unknown:
        ap.error("no such case: " + " ".join(sorted(unknown)))
    for name in args.case or names:
        make(args.out, name, args.seed)


def write_both(out, name, seed):
    write(out, name, seed, False)
    if Dice("clean", name, seed).chance(0.35):
        write(out, name, seed, True)


if __name__ == "__main__":
    command(__doc__, KINDS, write_both)
