#!/usr/bin/env python3
"""How many small posts a second, over many connections to as many jobs.

    bench/small_posts.py [-c 64] [-n 100000] [-s never] [-k]

Bodies are of 1000 bytes. Wants bench/post_load in the build directory (make
bench). Prints also the processor time that a request took in each kind of
process: where the client shares the processors, that tells more than the
rate. Read it with the name of the machine beside it; it judges nothing.
"""

import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "e2e"))
sys.dont_write_bytecode = True

from bench_post import cpu_seconds  # noqa: E402
from harness import BUILD, Daemon, job  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-c", type=int, default=64, help="connections, jobs")
    parser.add_argument("-n", type=int, default=100000, help="requests")
    parser.add_argument("-s", default="never", help="journal_sync")
    parser.add_argument("-r", type=int, default=2, help="rounds")
    parser.add_argument("-k", action="store_true", help="Idempotency-Key")
    args = parser.parse_args()
    with Daemon(journal_sync=args.s) as d:
        for i in range(args.c):
            d.put_job("load-%d" % i, job())
            d.open_job("load-%d" % i)
        for i in range(args.r):
            family = {d.pid: "anomd", **d.children()}
            before = {p: cpu_seconds(p) for p in family}
            subprocess.run([os.path.join(BUILD, "bench", "post_load"),
                str(d.port), str(args.c), str(args.n)]
                + (["run-%d" % i] if args.k else []), check=True)
            for kind in ("anomd", "anomd-worker"):
                spent = sum(cpu_seconds(p) - before[p]
                    for p, name in family.items() if name == kind)
                print("    %-12s %.1f us a request" % (kind,
                    1e6 * spent / args.n), flush=True)


if __name__ == "__main__":
    main()
