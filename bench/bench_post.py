#!/usr/bin/env python3
"""How fast records get in, and how fast results come out meanwhile.

    bench/bench_post.py [-m 100] [-n 5] [-s always] [-f FUNCTION] [-p PORT]

Posts bodies of records of 123 bytes to one job, one after the other, and
tells records a second, the processor time of each process, and what of the
posts passed before the last byte had arrived. During the last half of the
posts, pages of buckets and records are asked for all the time. Read it with
the name of the machine beside it; it judges nothing.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "tests", "e2e"))
sys.dont_write_bytecode = True

from harness import Daemon, job  # noqa: E402  (the path above comes first)

RECORD = 123
START = 1403481600
PER_SECOND = 10


def body(megabytes, start):
    """Records, one a line; and when the next body begins."""
    lines = []
    count = megabytes * 1000 * 1000 // (RECORD + 1)
    for i in range(count):
        value = 100 + i * 7919 % 900
        if i // 36000 % 12 == 7 and i % 36000 < 400:
            value *= 50     # so that there are anomalies to be shown
        head = ('{"time":%d,"airline":"A%02d","responsetime":%d.%04d,'
            '"sourcetype":"farequote","message":"' % (start
            + i // PER_SECOND, i % 100, value, i % 10000))
        lines.append(head + "m" * (RECORD - 2 - len(head)) + '"}\n')
    return "".join(lines).encode(), count, start + count // PER_SECOND + 60


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def post(port, name, data):
    """Send by hand: http.client copies. Returns seconds until sent, all."""
    start = time.monotonic()
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"POST /_ml/anomaly_detectors/%s/_data HTTP/1.1\r\n"
        b"Host: localhost\r\nContent-Type: application/x-ndjson\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n"
        % (name.encode(), len(data)))
    s.sendall(data)
    sent = time.monotonic() - start
    answer = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        answer += piece
    took = time.monotonic() - start
    if b" 202 " not in answer.split(b"\r\n", 1)[0]:
        sys.exit(answer.decode(errors="replace"))
    return sent, took, json.loads(answer.split(b"\r\n\r\n", 1)[1])


def ask(port, path, what, stop, out):
    """Asks for the page until stopped; then says how long each took."""
    took = []
    rows = 0
    c = http.client.HTTPConnection("127.0.0.1", port)
    while not stop.is_set():
        start = time.monotonic()
        c.request("GET", path)
        answer = c.getresponse()
        page = answer.read()
        took.append(1000 * (time.monotonic() - start))
        rows = len(json.loads(page)[what])
        time.sleep(0.002)
    out.put((what, rows, sorted(took)))


class Askers:
    """A process for each kind of page: the poster should not slow them."""

    def __init__(self, port, name):
        self.stop = multiprocessing.Event()
        self.out = multiprocessing.Queue()
        self.crowd = [multiprocessing.Process(target=ask, args=(port,
            "/_ml/anomaly_detectors/%s/results/%s?size=100" % (name, what),
            what, self.stop, self.out)) for what in ("buckets", "records")]
        for p in self.crowd:
            p.start()

    def report(self):
        self.stop.set()
        for _ in self.crowd:
            what, rows, t = self.out.get()
            print("%-8s pages of %3d rows: %4d asked, p50 %.1f ms, p99 %.1f "
                "ms, longest %s ms" % (what, rows, len(t), t[len(t) // 2],
                t[len(t) * 99 // 100], " ".join("%.1f" % x for x in t[-4:])))
        for p in self.crowd:
            p.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-m", type=int, default=100, help="megabytes a body")
    parser.add_argument("-n", type=int, default=6, help="bodies")
    parser.add_argument("-s", default="always", help="journal_sync")
    parser.add_argument("-f", default="mean", help="function")
    parser.add_argument("-p", default=None, help="partition field")
    parser.add_argument("-b", default="5m", help="bucket span")
    args = parser.parse_args()
    more = {"partition_field_name": args.p} if args.p else {}
    with Daemon(journal_sync=args.s, max_body_size="1gb") as d:
        d.put_job("j", job(span=args.b, function=args.f,
            field="responsetime", **more))
        d.open_job("j")
        start = START
        askers = None
        for n in range(args.n):
            data, count, start = body(args.m, start)
            if n == args.n // 2:
                askers = Askers(d.port, "j")
            family = {d.pid: "anomd", **d.children()}
            before = {p: cpu_seconds(p) for p in family}
            sent, took, counts = post(d.port, "j", data)
            cpu = ", ".join("%s %.2f" % (name, cpu_seconds(p) - before[p])
                for p, name in family.items())
            assert counts["processed_record_count"] == count, counts
            print("%d records, %.2f s (sent after %.2f): %.2f million a "
                "second; processor seconds: %s" % (count, took, sent,
                count / took / 1e6, cpu), flush=True)
        askers.report()
        print("and while nothing is posted:")
        askers = Askers(d.port, "j")
        time.sleep(args.n / 4)
        askers.report()


if __name__ == "__main__":
    main()
