#!/usr/bin/env python3
"""Loss of power, at any moment, over and over.

    tests/powerloss/powerloss.py [--long | --planted] [--cuts N] [--seed N]

One run of the daemon is recorded (recorder.c): what its processes write, and
in the same stream what the clients have been told. Then the power is lost at
many points of that stream, the disk gets what it may have then (disk.py), and
the daemon is started on it. What had been acknowledged must be there: jobs
created, deleted, open or closed; uploads, each in whole; and the results must
be, to the last bit, those of the same entries on an undisturbed job.

With --planted it is this program that is tested: in each run one kind of
sync is left out (recorder.c), and has to be found missing; so has a call that
the recorder does not know.

The last line is "N passed, N failed".
"""

import argparse
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "e2e"), os.path.join(TESTS,
    "torture")]

import disk     # noqa: E402  (the path comes first)
import entries  # noqa: E402
import state    # noqa: E402
from harness import BUILD, ML, Daemon, job, wait_until  # noqa: E402

START = 1455000000
RING_BYTES = 1 << 30
CHILDREN = ("anomd-worker", "anomd-keeper", "anomd-query")
SIZES = (1, 3, 40, 700, 9000)   # records; the last goes by way of the spool
# Syncs of a job's segments, of their names, of large uploads, and of all jobs.
PLANTED = ("/journal/", "/journal$", "/spool/", "/catalog.db")
JOBS = {
    "plain": job(span="5m"),
    "parts": job(span="5m", function="sum", partition_field_name="p"),
    "gone": job(span="5m", function="count", field=None),
}


class Recorder:
    """The library, its file, and programs that run under it."""

    def __init__(self, temp, drop=""):
        self.library = os.path.join(temp, "recorder.so")
        self.ring = os.path.join(temp, "ring")
        self.bin = os.path.join(temp, "bin")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11",
            "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", self.library,
            os.path.join(HERE, "recorder.c"),
            os.path.join(HERE, "refused.c"), "-ldl"], check=True)
        with open(self.ring, "wb") as f:
            f.truncate(RING_BYTES)
        os.mkdir(self.bin)
        # The supervisor gives its children no environment of others.
        for name in CHILDREN:
            path = os.path.join(self.bin, name)
            with open(path, "w") as f:
                f.write("#!/bin/sh\nANOMD_RECORD='%s' ANOMD_DROP_SYNC='%s' "
                    "LD_PRELOAD='%s' exec '%s/%s' \"$@\"\n" % (self.ring,
                    drop, self.library, BUILD, name))
            os.chmod(path, 0o755)
        os.environ["ANOMD_RECORD"] = self.ring
        self.here = ctypes.CDLL(self.library)
        del os.environ["ANOMD_RECORD"]

    def note(self, text):
        self.here.recorder_note(text.encode())


class Workload:
    """What the clients do, with a note before and behind each step."""

    def __init__(self, recorder, daemon, seed, steps):
        self.recorder = recorder
        self.daemon = daemon
        self.seed = seed
        self.steps = steps
        self.sizes = {}     # job id -> records of each upload, in order
        self.problems = []

    def step(self, job_id, what, function, *args, **more):
        self.recorder.note("try %s %s" % (job_id, what))
        function(*args, **more)
        self.recorder.note("did %s %s" % (job_id, what))

    def client(self, job_id):
        try:
            self.work(job_id)
        except BaseException as e:
            self.problems.append("%s: %r" % (job_id, e))
            raise

    def work(self, job_id):
        rng = random.Random("%d %s" % (self.seed, job_id))
        d, clock = self.daemon, START
        sizes = self.sizes[job_id] = []
        self.step(job_id, "put", d.put_job, job_id, JOBS[job_id])
        self.step(job_id, "open", d.open_job, job_id)
        for i in range(self.steps):
            count = rng.choice(SIZES)
            sizes.append(count)
            lines = ['{"time":%d,"v":%r,"p":"p%d"}\n' % (clock + k // 4,
                rng.gauss(50, 4), k % 3) for k in range(count)]
            clock += count // 4 + rng.choice((10, 300, 900))
            self.step(job_id, "post", d.post, job_id,
                "".join(lines).encode(), headers=entries.NDJSON)
            if i % 7 == 6:
                self.step(job_id, "close", d.close_job, job_id)
                self.step(job_id, "open", d.open_job, job_id)
        self.step(job_id, "close", d.close_job, job_id)
        if job_id == "gone":
            self.step(job_id, "delete", d.delete_job, job_id)

    def run(self):
        threads = [threading.Thread(target=self.client, args=(name,))
            for name in JOBS]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not self.problems, self.problems


class Promise:
    """What the client of a job knew at a moment."""

    def __init__(self):
        self.tried = []
        self.done = []

    def add(self, word, what):
        (self.tried if word == "try" else self.done).append(what)

    @property
    def pending(self):
        """What had been asked, and not yet answered."""
        return self.tried[-1] if len(self.tried) > len(self.done) else None

    def check_catalogue(self, found):
        """found: the job's state, or None. Lines that say what is wrong."""
        exists = "put" in self.done and "delete" not in self.done
        if exists != (found is not None) and self.pending not in ("put",
                "delete"):
            return ["is %s; done: %r" % (found, self.done[-3:])]
        last = [w for w in self.done if w in ("open", "close")][-1:]
        wanted = {"open": "opened", "close": "closed"}.get("".join(last),
            "closed")
        if found is not None and found != wanted and self.pending not in (
                "open", "close", "delete"):
            return ["is %s, not %s" % (found, wanted)]
        return []

    def check_records(self, count, sizes):
        least = sum(sizes[:self.done.count("post")])
        most = sum(sizes[:self.tried.count("post")])
        if count in (least, most):
            return []
        return ["%d records, not %d or %d" % (count, least, most)]


class Calm:
    """States of jobs that nothing has happened to, each made once."""

    def __init__(self):
        self.daemon = Daemon()
        self.known = {}

    def state(self, job_id, history):
        key = job_id, tuple((e["type"], e["data_crc"]) for e in history)
        if key not in self.known:
            try:
                entries.make_again(self.daemon, job_id, JOBS[job_id], history)
                self.known[key] = state.take(self.daemon, job_id)
            finally:
                self.daemon.delete_job(job_id, query="?force=true")
        return self.known[key]


def settled(daemon):
    answer = daemon.get(ML + "/anomaly_detectors/_stats").json
    states = {j["job_id"]: j["state"] for j in answer["jobs"]}
    busy = [s for s in states.values() if s in ("opening", "closing")]
    return None if busy else (states,)


def check_job(daemon, job_id, promise, found, sizes, histories, calm):
    wrong = promise.check_catalogue(found)
    if found is None:
        return wrong
    counts = daemon.stats(job_id)["data_counts"]
    wrong += promise.check_records(counts["processed_record_count"], sizes)
    if found == "opened":
        daemon.close_job(job_id)
    if wrong or found == "failed":
        return wrong or ["is failed"]
    # What snapshots have made superfluous is known from the run itself.
    history = entries.History()
    history.entries.update(histories[job_id])
    path = state.job_dir(daemon, job_id)
    if not os.path.isdir(os.path.join(path, "journal")):
        return []
    now = {e["seq"]: e for e in entries.read(path, damaged=True)}
    for seq in [s for s in history.entries if not now or s > max(now)]:
        del history.entries[seq]
    history.entries.update(now)
    if history.entries:
        wrong += state.differences(state.take(daemon, job_id), calm.state(
            job_id, history.all()))
    return wrong


def check_cut(notes, cut, top, seed, workload, histories, calm):
    """Lose the power behind so many notes. Returns what is wrong then."""
    lost = disk.Disk(top)
    promises = {name: Promise() for name in JOBS}
    for what, rest, data in notes[:cut]:
        if what == "ack":
            word, job_id, step = rest.split()
            promises[job_id].add(word, step)
        lost.add(what, rest, data)
    rng = random.Random("%d %d" % (seed, cut))
    wrong = []
    with tempfile.TemporaryDirectory(prefix="anomd-cut-") as temp:
        path = os.path.join(temp, "state")
        how = lost.lose(path, rng)
        daemon = Daemon(state_dir=path)
        try:
            daemon.start()
            states = wait_until(lambda: settled(daemon), 30, "settled")[0]
            for name, promise in promises.items():
                wrong += ["%s: %s" % (name, w) for w in check_job(daemon,
                    name, promise, states.get(name),
                    workload.sizes[name], histories, calm)]
            daemon.stop()
        except Exception as e:
            wrong.append("%s: %s" % (type(e).__name__, e))
        finally:
            if wrong:
                wrong.append("log:\n" + daemon.log()[-3000:])
            daemon.kill()
            shutil.rmtree(daemon._temp, ignore_errors=True)
    return ["cut %d, %s: %s" % (cut, how, w) for w in wrong]


def record(recorder, seed, steps, top):
    """The run; returns it, and the entries of all jobs that are left."""
    with Daemon(state_dir=top, libexec_dir=recorder.bin) as daemon:
        workload = Workload(recorder, daemon, seed, steps)
        histories = {name: entries.History() for name in JOBS}
        closing = daemon.close_job

        def close(job_id):
            closing(job_id)
            histories[job_id].look(state.job_dir(daemon, job_id))
        daemon.close_job = close
        workload.run()
    return workload, {n: h.entries for n, h in histories.items()}


def lose_power(seed, steps, cuts, at=None, drop=""):
    """One run, and its cuts; yields what is wrong at each, a list."""
    temp = tempfile.mkdtemp(prefix="anomd-power-")
    calm = Calm()
    try:
        top = os.path.join(temp, "state")
        recorder = Recorder(temp, drop)
        workload, histories = record(recorder, seed, steps, top)
        notes = disk.read_notes(recorder.ring)
        syncs = sum(n[0] == "sync" for n in notes)
        writes = sum(n[0] == "write" for n in notes)
        acks = sum(n[0] == "ack" and n[1].startswith("did") for n in notes)
        assert syncs and writes, "nothing was recorded"
        print("seed %d: %d notes, %d writes, %d syncs, %d acknowledgements"
            % (seed, len(notes), writes, syncs, acks), flush=True)
        calm.daemon.start()
        first = next(i for i, n in enumerate(notes) if n[0] == "ack")
        chosen = [at] if at else random.Random(seed).sample(
            range(first, len(notes) + 1), min(cuts, len(notes) - first))
        # One after the other; a planted fault is found soonest in any order.
        for cut in chosen if drop else sorted(chosen):
            yield check_cut(notes, cut, top, seed, workload, histories, calm)
    finally:
        calm.daemon.kill()
        shutil.rmtree(calm.daemon._temp, ignore_errors=True)
        shutil.rmtree(temp, ignore_errors=True)


def hole_is_seen():
    """A call that is not recorded ends its process, and the whole run."""
    with tempfile.TemporaryDirectory(prefix="anomd-power-") as temp:
        recorder = Recorder(temp)
        code = ("import os; a = os.open('%s', os.O_RDONLY); "
            "b = os.open('%s/b', os.O_RDWR | os.O_CREAT); "
            "os.copy_file_range(a, b, 1)" % (__file__, temp))
        ended = subprocess.run([sys.executable, "-c", code], env=dict(
            os.environ, ANOMD_RECORD=recorder.ring,
            LD_PRELOAD=recorder.library)).returncode
        try:
            disk.read_notes(recorder.ring)
        except AssertionError as e:
            return ended == -signal.SIGABRT and "copy_file_range" in str(e)
    return False


def find_planted(seed, steps, cuts):
    """Returns how many of the faults were found, and how many not."""
    found = int(hole_is_seen())
    print("a call that is not recorded: %s" % ("found" if found else
        "FAIL not found"), flush=True)
    for drop in PLANTED:
        print("without syncs of %s:" % drop, flush=True)
        checked = 0
        for wrong in lose_power(seed, steps, cuts, drop=drop):
            checked += 1
            if wrong:
                break
        found += bool(wrong)
        print("%s at cut point %d%s" % ("found" if wrong else "FAIL not found",
            checked, ": " + wrong[0].splitlines()[0] if wrong else ""),
            flush=True)
    return found, len(PLANTED) + 1 - found


def find_losses(seed, steps, cuts, at):
    begin = time.monotonic()
    failed = checked = 0
    for wrong in lose_power(seed, steps, cuts, at):
        checked += 1
        failed += bool(wrong)
        for line in wrong:
            print("FAIL " + line, flush=True)
    print("%d cut points, %.0f s" % (checked, time.monotonic() - begin))
    return checked - failed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--planted", action="store_true",
        help="leave syncs out, and see that this is found")
    parser.add_argument("--cuts", type=int)
    parser.add_argument("--at", type=int, help="this cut only")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(1 << 31)
    cuts = args.cuts or (600 if args.long else 100)
    if args.planted:
        passed, failed = find_planted(seed, args.steps, cuts)
    else:
        passed, failed = find_losses(seed, args.steps, cuts, args.at)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
