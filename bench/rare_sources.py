#!/usr/bin/env python3
"""False alarms and misses of rare over sources of many kinds.

  rare_sources.py --work DIR --program bench/run_cases [--seeds 1-4] [NAME ...]

Each source has values that come as such values come: by Zipf's law, more and
more of them, names that never return, some by night only.  None of it is
strange; after the first five days (or 100 buckets) every record that scores 50
is a false alarm.  Late in each source a value comes once that is not of its
kind: its score is shown.  Where new values are usual it should be low.
"""
import argparse
import json
import math
import os
import random
import subprocess

HOUR, DAY, EPOCH = 3600, 86400, 1704067200
ODD = "never-before"
SOURCES = {}


def source(span=HOUR, days=28, **detector):
    def add(make):
        SOURCES[make.__name__] = (make, span, days, detector)
        return make
    return add


def poisson(r, mean):
    stop, k, p = math.exp(-mean), 0, r.random()
    while p > stop:
        k += 1
        p *= r.random()
    return k


def zipf_weights(n, s):
    total, out = 0, []
    for k in range(n):
        total += 1 / (k + 1) ** s
        out.append(total)
    return out


def common(r, n=10):
    """Values of a closed set, the last ones in two of three buckets."""
    return ["p%d" % k for k in range(n)
            for _ in range(poisson(r, 6 / (1 + k) + 0.4))]


@source()
def closed(r, state, b, hour):
    return common(r)


@source()
def one(r, state, b, hour):
    return ["only"]


@source()
def hundred_equal(r, state, b, hour):
    return ["p%d" % k for k in range(100) if r.random() < 0.5]


@source()
def zipf(r, state, b, hour):
    weights = state.setdefault("w", zipf_weights(1000, 1.1))
    return ["z%d" % k for k in r.choices(range(1000), cum_weights=weights,
                                         k=poisson(r, 150))]


@source()
def zipf_wide(r, state, b, hour):
    weights = state.setdefault("w", zipf_weights(50000, 1.0))
    return ["z%d" % k for k in r.choices(range(50000), cum_weights=weights,
                                         k=poisson(r, 30))]


@source()
def growing(r, state, b, hour):
    """Chinese restaurant: new values for ever, but fewer and fewer."""
    seen, out = state.setdefault("seen", []), []
    for _ in range(poisson(r, 40)):
        if r.random() < 8 / (8 + len(seen)):
            state["n"] = state.get("n", 0) + 1
            seen.append("g%d" % state["n"])
        else:
            seen.append(r.choice(seen))
        out.append(seen[-1])
    return out


def with_ids(r, state, mean):
    out = common(r)
    for _ in range(poisson(r, mean)):
        state["n"] = state.get("n", 0) + 1
        out.append("id-%d" % state["n"])
    return out


@source()
def ids(r, state, b, hour):
    return with_ids(r, state, 3)


@source()
def ids_now_and_then(r, state, b, hour):
    return with_ids(r, state, 0.2)


@source(days=56)
def ids_of_a_week(r, state, b, hour):
    return with_ids(r, state, 0.02)


@source()
def nightly(r, state, b, hour):
    at = hour % 24
    night = ["n%d" % k for k in range(5) if at in (2, 3) and r.random() < .9]
    return common(r) + night


@source(days=56)
def weekly(r, state, b, hour):
    return common(r) + (["weekly"] if hour % 168 == 147 else []) + (
        ["fortnightly"] if hour % 336 == 100 else [])


@source(span=300, days=7)
def minutes(r, state, b, hour):
    return common(r, 6)


@source(days=21, partition_field_name="host")
def hosts(r, state, b, hour):
    return [("h%d" % h, v) for h in range(40) for v in common(r, 6)]


@source(days=21, partition_field_name="host")
def hosts_with_ids(r, state, b, hour):
    return [("h%d" % h, v) for h in range(20)
            for v in with_ids(r, state.setdefault(h, {}), h / 40)]


def write_case(path, name, seed):
    make, span, days, detector = SOURCES[name]
    r, state = random.Random("%s/%d" % (name, seed)), {}
    os.makedirs(path, exist_ok=True)
    detector = dict({"function": "rare", "by_field_name": "v"}, **detector)
    with open(os.path.join(path, "job.json"), "w") as f:
        json.dump({"analysis_config": {
            "bucket_span": "%ds" % span, "detectors": [detector]},
            "data_description": {"time_field": "t",
                                 "time_format": "epoch"}}, f)
    n = days * DAY // span
    odd = n - 1 - r.randrange(n // 10)
    with open(os.path.join(path, "data.ndjson"), "w") as f:
        for b in range(n):
            t = EPOCH + b * span
            values = make(r, state, b, b * span // HOUR)
            if b == odd:
                values.append(("h3", ODD) if "partition_field_name" in detector
                              else ODD)
            for v in values:
                row = {"t": t, "v": v}
                if isinstance(v, tuple):
                    row = {"t": t, "host": v[0], "v": v[1]}
                f.write(json.dumps(row) + "\n")
    return n, EPOCH + max(5 * DAY, 100 * span)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--work", required=True)
    ap.add_argument("--program", required=True)
    ap.add_argument("--seeds", default="1-4")
    ap.add_argument("name", nargs="*")
    args = ap.parse_args()
    lo, _, hi = args.seeds.partition("-")
    seeds = range(int(lo), int(hi or lo) + 1)
    for name in args.name or SOURCES:
        false, worst, odd, records, buckets = 0, 0, [], 0, 0
        for seed in seeds:
            case = os.path.join(args.work, "rare-%s-%d" % (name, seed))
            n, learnt = write_case(case, name, seed)
            buckets += n
            subprocess.check_call([args.program, args.work + "/out", case],
                                  stderr=subprocess.DEVNULL)
            out = os.path.join(args.work, "out", os.path.basename(case),
                               "records.ndjson")
            with open(out) as f:
                rows = [json.loads(line) for line in f]
            odd.append(max([x["record_score"] for x in rows
                            if x["by_field_value"] == ODD] or [0]))
            rows = [x["record_score"] for x in rows
                    if x["by_field_value"] != ODD and
                    x["timestamp"] >= 1000 * learnt]
            records += len(rows)
            false += sum(x >= 50 for x in rows)
            worst = max([worst] + rows)
        print("%-18s %6d buckets  %3d at 50  greatest %3.0f  records %5d  "
              "odd one: %s" % (name, buckets, false, worst, records,
                               " ".join("%.0f" % x for x in odd)), flush=True)


if __name__ == "__main__":
    main()
