#!/usr/bin/env python3
"""Opens many jobs, lets them idle, and tells what that costs.

    bench/many_jobs.py [-n 1000] [-c 16]

Prints opens a second, and the proportional memory (PSS) of the daemon with
all its children. Read it with the name of the machine beside it; it judges
nothing.
"""

import argparse
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "e2e"))
sys.dont_write_bytecode = True

from harness import Daemon, job  # noqa: E402  (the path above comes first)


def pss_kb(pid):
    """The memory of a process, shared pages divided among their users."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def side_by_side(threads, items, work):
    """work(item) for each item, in a number of threads; seconds it took."""
    rest = list(items)
    lock = threading.Lock()

    def run():
        while True:
            with lock:
                if not rest:
                    return
                item = rest.pop()
            work(item)

    start = time.monotonic()
    crowd = [threading.Thread(target=run) for _ in range(threads)]
    for t in crowd:
        t.start()
    for t in crowd:
        t.join()
    return time.monotonic() - start


def report(d, what):
    family = list(d.children().items())
    own = pss_kb(d.pid)
    workers = [pss_kb(p) for p, n in family if n.startswith("anomd-worker")]
    rest = sum(pss_kb(p) for p, n in family
        if not n.startswith("anomd-worker"))
    print("%-22s supervisor %.1f MB, %d workers %.1f MB (%.0f kB each), "
        "others %.1f MB, in all %.1f MB" % (what, own / 1024, len(workers),
        sum(workers) / 1024, sum(workers) / max(1, len(workers)),
        rest / 1024, (own + sum(workers) + rest) / 1024))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=1000, help="jobs")
    parser.add_argument("-c", type=int, default=16, help="clients at a time")
    args = parser.parse_args()
    names = ["idle-%04d" % n for n in range(args.n)]
    with Daemon(journal_sync="never") as d:
        report(d, "no job")
        took = side_by_side(args.c, names, lambda n: d.put_job(n, job()))
        print("put:   %d in %.2f s, %.0f/s" % (args.n, took, args.n / took))
        took = side_by_side(args.c, names, d.open_job)
        print("open:  %d in %.2f s, %.0f/s" % (args.n, took, args.n / took))
        time.sleep(2)
        report(d, "open and idle")
        took = side_by_side(args.c, names, lambda n: d.post(n, [{
            "time": 1403481600, "v": 1}]))
        print("post:  %d in %.2f s, %.0f/s" % (args.n, took, args.n / took))
        report(d, "after one small post")
        start = time.monotonic()
        d.stop(seconds=120)
        print("stop:  %.2f s" % (time.monotonic() - start))


if __name__ == "__main__":
    main()
