#!/usr/bin/env python3
"""Measure detection quality with the worker's engine, without a daemon.

  quality.py --yardstick DIR --work DIR --program bench/run_cases
             [--seeds 101-110] [--case NAME ...] [--nab] [--detail]
             [--kinds | --crowds] [--coverage]

DIR of --yardstick holds synth.py, synth_score.py, nab_score.py and nab-dev/.
Cases are made once below --work.  Prints the figures of the table in
doc/engine.md: synthetic cases over the seeds, and the dev half of NAB; with
--kinds the series of kinds.py beside this file in place of both, with --crowds
those of crowds.py.  With --coverage also how many values were inside of the
model's bounds.  Needs numpy for NAB (Debian: python3-numpy, /usr/bin/python3).
"""
import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys

# beyond the reach of a time series model of its own history
LEFT_OUT = ()


def load(path, name):
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(path, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def run(program, out, cases, coverage=False):
    half = (len(cases) + 1) // 2
    parts = [p for p in (cases[:half], cases[half:]) if p]
    program = [program] + (["-b"] if coverage else [])
    procs = [subprocess.Popen(program + [out] + p, stderr=subprocess.DEVNULL)
             for p in parts]
    if any([p.wait() != 0 for p in procs]):
        raise SystemExit("%s failed" % program)


def read_rows(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def show_coverage(what, outs):
    """Values inside of bounds: of all, and of each series."""
    total, series = {"values": 0, "below": 0, "above": 0}, []
    for out in outs:
        for name in sorted(os.listdir(out)):
            b, = read_rows(os.path.join(out, name, "bounds.ndjson"))
            if b["values"] == 0:
                continue
            series.append((1 - (b["below"] + b["above"]) / b["values"], name))
            for key in total:
                total[key] += b[key]
    series.sort()
    n = total["values"]
    print("| %s | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% (%s), "
          "%.1f %% |" % (
              what, 100 * (1 - (total["below"] + total["above"]) / n),
              100 * total["below"] / n, 100 * total["above"] / n,
              100 * series[len(series) // 2][0], 100 * series[0][0],
              series[0][1], 100 * series[-1][0]))


# -------------------------------------------------------------- synthetic --

def judge(score, cases, out):
    judged = []
    for name in sorted(os.listdir(cases)):
        with open(os.path.join(cases, name, "labels.json")) as f:
            labels = json.load(f)
        if labels["case"] in LEFT_OUT or not os.path.exists(
                os.path.join(out, name)):
            continue
        kind = "records" if labels["result"] == "record" else "buckets"
        rows = read_rows(os.path.join(out, name, kind + ".ndjson"))
        judged.append(score.Judged(name, labels, rows, False))
    return judged


def totals(score, judged, threshold=50):
    rows = [c.at(threshold) for c in judged]
    return {
        "passed": sum(a["passed"] for a in rows),
        "recall": sum(a["hit"] for a in rows) / sum(a["must"] for a in rows),
        "false": 1000 * sum(a["false"] for a in rows) /
        sum(c.judged for c in judged),
        "ap": score.average_precision(judged),
    }


def show_case(case, judged, detail):
    rows = [c.at(50) for c in judged]
    aps = [c.labels["function"] for c in judged]
    line = "%-22s %2d/%d  recall %.2f  false/1000 %6.2f" % (
        case, sum(a["passed"] for a in rows), len(rows),
        sum(a["hit"] for a in rows) / max(1, sum(a["must"] for a in rows)),
        sum(a["rate"] for a in rows) / len(aps))
    print(line)
    if not detail:
        return
    for c, a in zip(judged, rows):
        best = ", ".join("%s %.0f" % (w["kind"], c.best(k))
                         for k, w in enumerate(c.windows))
        loud = sorted(((s, t) for t, s in c.false.items() if s >= 50),
                      reverse=True)[:6]
        start = c.labels["start"]
        print("    %s %s: %s; false: %s" % (
            c.name, "ok" if a["passed"] else "FAIL", best,
            " ".join("%.0f@%.2fd" % (s, (t - start) / 86400e3)
                     for s, t in loud)))


def synthetic(args, score):
    lo, _, hi = args.seeds.partition("-")
    per_seed, by_case, outs = [], {}, []
    maker = os.path.join(args.yardstick, "synth.py")
    prefix = ""
    for name in ("kinds", "crowds"):
        if getattr(args, name):
            maker = os.path.join(os.path.dirname(__file__), name + ".py")
            prefix = name + "-"
    for seed in range(int(lo), int(hi or lo) + 1):
        cases = os.path.join(args.work, "%scases%d" % (prefix, seed))
        out = os.path.join(args.work, "%sout%d" % (prefix, seed))
        if not os.path.exists(cases):
            subprocess.check_call([
                sys.executable, maker, "--out", cases, "--seed", str(seed)],
                stderr=subprocess.DEVNULL)
        names = [n for n in sorted(os.listdir(cases))
                 if not args.case or n.rsplit("-", 1)[0] in args.case]
        subprocess.call(["rm", "-rf", out])
        run(args.program, out, [os.path.join(cases, n) for n in names],
            args.coverage)
        outs.append(out)
        judged = judge(score, cases, out)
        for c in judged:
            by_case.setdefault(c.labels["case"], []).append(c)
        per_seed.append(totals(score, judged))
    for case in sorted(by_case):
        show_case(case, by_case[case], args.detail)
    for name, digits in (("passed", 0), ("recall", 3), ("false", 2),
                         ("ap", 3)):
        values = [t[name] for t in per_seed]
        print("%-7s mean %.3f   %s" % (
            name, sum(values) / len(values),
            " ".join("%.*f" % (digits, v) for v in values)))
    if args.coverage:
        show_coverage("kinds" if args.kinds else "synthetic", outs)


# -------------------------------------------------------------------- NAB --

def nab_case(runner, path, target):
    """A series as run_server.py would post it; returns its rows."""
    with open(path, newline="") as f:
        rows = [(r["timestamp"], r["value"]) for r in csv.DictReader(f)]
    times = [runner.epoch_ms(t) for t, _ in rows]
    order = sorted(range(len(rows)), key=lambda k: times[k])
    gaps = sorted(b - a for a, b in zip(times, times[1:]) if b > a)
    span = 1000 * max(1, gaps[len(gaps) // 2] // 1000)
    os.makedirs(target, exist_ok=True)
    job = {"analysis_config": {
        "bucket_span": "%ds" % (span // 1000),
        "detectors": [{"function": "mean", "field_name": "value"}]},
        "data_description": {"time_field": "time", "time_format": "epoch_ms"}}
    with open(os.path.join(target, "job.json"), "w") as f:
        json.dump(job, f)
    with open(os.path.join(target, "data.ndjson"), "w") as f:
        for k in order:
            f.write('{"time":%d,"value":%r}\n' % (times[k],
                                                 float(rows[k][1])))
    return rows, times, order, span


def row_scores(buckets, rows, times, order, span):
    """As run_server.py gives buckets' scores to rows."""
    score = {int(b["timestamp"]): b["initial_anomaly_score"] / 100
             for b in buckets}
    starts, p, out = sorted(score), 0, [0.0] * len(rows)
    for n, k in enumerate(order):
        mine = times[k] // span * span
        if n + 1 < len(order) and times[order[n + 1]] // span * span == mine:
            continue
        best = 0.0
        while p < len(starts) and starts[p] <= mine:
            best = max(best, score[starts[p]])
            p += 1
        out[k] = best
    return out


def nab(args, runner, score):
    import numpy as np
    root = os.path.join(args.yardstick, "nab-dev")
    corpus = score.read_corpus(root, None, None)
    made, cases = {}, os.path.join(args.work, "nab")
    out = os.path.join(args.work, "nab-out")
    for key in corpus:
        name = key.replace("/", "__")
        made[key] = nab_case(runner, os.path.join(root, "data", key),
                             os.path.join(cases, name))
    run(args.program, out, [os.path.join(cases, k.replace("/", "__"))
                            for k in corpus], args.coverage)
    if args.coverage:
        show_coverage("NAB, dev half", [out])
    scores = {}
    for key in corpus:
        buckets = read_rows(os.path.join(
            out, key.replace("/", "__"), "buckets.ndjson"))
        scores[key] = np.array(row_scores(buckets, *made[key]))
    result = [score.nab_profile(corpus, scores, p, None)
              for p in score.PROFILES]
    onset = score.nab_profile({k: v.from_onset() for k, v in corpus.items()},
                              scores, "standard", None)
    print("NAB     standard %.1f  lowFP %.1f  lowFN %.1f  onset %.1f  "
          "event AP %.3f  (threshold %.3f, %d/%d windows, %d false rows)" % (
              result[0]["score"], result[1]["score"], result[2]["score"],
              onset["score"], score.event_ap(corpus, scores),
              result[0]["threshold"], result[0]["found"],
              result[0]["windows"], result[0]["fp"]))
    if args.detail:
        for k, f in sorted(result[0]["files"].items()):
            print("    %-52s raw %7.3f  %d/%d windows %4d fp" % (
                k, f["raw"], f["found"], f["windows"], f["fp"]))


def main():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("--yardstick", required=True)
    ap.add_argument("--work", required=True)
    ap.add_argument("--program", required=True)
    ap.add_argument("--seeds", default="101-110")
    ap.add_argument("--case", action="append")
    ap.add_argument("--nab", action="store_true", help="NAB only")
    ap.add_argument("--both", action="store_true", help="cases and NAB")
    ap.add_argument("--kinds", action="store_true",
                    help="the series of kinds.py in place of the yardstick's")
    ap.add_argument("--crowds", action="store_true",
                    help="crowds of series, of crowds.py")
    ap.add_argument("--detail", action="store_true")
    ap.add_argument("--coverage", action="store_true",
                    help="how many values are inside of the model's bounds")
    args = ap.parse_args()
    os.makedirs(args.work, exist_ok=True)
    if not args.nab:
        synthetic(args, load(args.yardstick, "synth_score"))
    if args.nab or args.both:
        nab(args, load(args.yardstick, "run_server"),
            load(args.yardstick, "nab_score"))


if __name__ == "__main__":
    main()
