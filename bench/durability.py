#!/usr/bin/env python3
"""What it costs that nothing acknowledged is lost.

    bench/durability.py [-n 16] [-q 20000] [large] [small] [keys] [replay]

All figures of one kind are taken in one run, in turns, so that what else the
machine does hits them alike:

    large   bodies of 16 MB to a job with each journal_sync, and to one whose
            worker has no journal at all
    small   bodies of 1000 bytes over 64 connections, to one job and to 64
    keys    the same to one job, with and without an Idempotency-Key each
    replay  a job's bodies of 16 MB, and the same read again after a death

Without a word all are taken. Wants bench/post_load and
bench/unjournaled_worker in the build directory (make bench). Read it with the
name of the machine beside it; it judges nothing.
"""

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "e2e"))
sys.dont_write_bytecode = True

from bench_post import START, body, cpu_seconds, post  # noqa: E402
from harness import BUILD, Daemon, job  # noqa: E402

LARGE_MB = 16
CONNECTIONS = 64
NO_JOURNAL = "no journal"
WAYS = ("always", "interval", "never", NO_JOURNAL)


@contextlib.contextmanager
def unjournaled():
    """A libexec_dir with the worker that has no journal."""
    where = tempfile.mkdtemp(prefix="anomd-bench-")
    try:
        for role in ("query", "keeper"):
            os.symlink(os.path.join(BUILD, "anomd-" + role),
                os.path.join(where, "anomd-" + role))
        os.symlink(os.path.join(BUILD, "bench", "unjournaled_worker"),
            os.path.join(where, "anomd-worker"))
        yield where
    finally:
        shutil.rmtree(where)


@contextlib.contextmanager
def daemons(ways):
    """A daemon for each way, by its name."""
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(unjournaled())
        made = {}
        for way in ways:
            options = {"libexec_dir": where, "journal_sync": "never"} \
                if way == NO_JOURNAL else {"journal_sync": way}
            made[way] = stack.enter_context(Daemon(max_body_size="1gb",
                **options))
        yield made


def mean_job(d, name):
    d.put_job(name, job(span="5m", field="responsetime"))
    d.open_job(name)


def large(rounds):
    took = {way: [] for way in WAYS}
    start = START
    with daemons(WAYS) as made:
        for d in made.values():
            mean_job(d, "j")
        for i in range(rounds + 2):
            data, count, start = body(LARGE_MB, start)
            for k in range(len(WAYS)):
                # whoever comes first finds another cache than the last
                way = WAYS[(i + k) % len(WAYS)]
                _, seconds, counts = post(made[way].port, "j", data)
                assert counts["processed_record_count"] == count, counts
                if i >= 2:      # the first ones open files
                    took[way].append(seconds)
    print("bodies of %d MB, %d each, one after the other:" % (LARGE_MB,
        rounds))
    for way in WAYS:
        ratios = {base: statistics.median(b / t for t, b
            in zip(took[way], took[base])) for base in ("never", NO_JOURNAL)}
        print("    %-10s median %5.1f ms, %4.0f MB/s; %.2f of never, %.2f of "
            "no journal" % (way, 1e3 * statistics.median(took[way]),
            LARGE_MB * len(took[way]) / sum(took[way]), ratios["never"],
            ratios[NO_JOURNAL]), flush=True)


def load(d, jobs, requests, run=None):
    """Posts them; returns what post_load says, and the worker's time."""
    family = d.children()
    before = {p: cpu_seconds(p) for p in family}
    text = subprocess.run([os.path.join(BUILD, "bench", "post_load"),
        "-j", str(jobs), str(d.port), str(CONNECTIONS), str(requests)]
        + ([run] if run else []), check=True, stdout=subprocess.PIPE,
        universal_newlines=True).stdout.strip()
    spent = sum(cpu_seconds(p) - before[p]
        for p, name in family.items() if name == "anomd-worker")
    return "%s; worker %.1f us each" % (text, 1e6 * spent / requests)


def small(requests):
    with daemons(WAYS) as made:
        for d in made.values():
            for i in range(CONNECTIONS):
                d.put_job("load-%d" % i, job())
                d.open_job("load-%d" % i)
        for jobs in (1, CONNECTIONS):
            print("bodies of 1000 bytes to %d jobs:" % jobs)
            for i in range(2):
                for way in WAYS:
                    print("    %-10s %s" % (way, load(made[way], jobs,
                        requests)), flush=True)


def keys(requests):
    with daemons(("never", "always")) as made:
        print("bodies of 1000 bytes to one job, without keys and with:")
        for way, d in made.items():
            d.put_job("load-0", job())
            d.open_job("load-0")
            for i in range(2):
                for run in (None, "run-%d" % i):
                    print("    %-6s %-8s %s" % (way, "keys" if run else
                        "no keys", load(d, 1, requests, run)), flush=True)


def replay(rounds):
    with Daemon(journal_sync="always") as d:
        mean_job(d, "j")
        start, records, first = START, 0, 0.0
        for _ in range(rounds):
            data, count, start = body(LARGE_MB, start)
            first += post(d.port, "j", data)[1]
            records += count
        worker = d.worker_pid("j")
        os.kill(worker, signal.SIGKILL)
        began = time.monotonic()
        # an upload waits for the replay
        d.post("j", [])
        again = time.monotonic() - began
        assert d.worker_pid("j") != worker
    print("%d records in bodies of %d MB: first %.2f million/s, again after "
        "a death %.2f million/s, which is %.2f times as fast" % (records,
        LARGE_MB, records / first / 1e6, records / again / 1e6,
        first / again), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=16, help="large bodies")
    parser.add_argument("-q", type=int, default=20000, help="small bodies")
    parser.add_argument("what", nargs="*", help="large small keys replay")
    args = parser.parse_args()
    kinds = {"large": (large, args.n), "small": (small, args.q),
        "keys": (keys, args.q), "replay": (replay, args.n)}
    for name in args.what or kinds:
        if name not in kinds:
            parser.error("%s is none of %s" % (name, ", ".join(kinds)))
        work, n = kinds[name]
        work(n)


if __name__ == "__main__":
    main()
