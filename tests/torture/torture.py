#!/usr/bin/env python3
"""Many clients, many jobs, and death by SIGKILL at random.

    tests/torture/torture.py [--long] [--kills N] [--seed N]

Clients post numbered records to jobs of several kinds, flush, close and open
them, ask for forecasts and read results, while workers, the keeper, query processes and the
supervisor are killed. Then three things are checked:

  - Each upload that was acknowledged is in the journal once, in one entry;
    each that was refused is not; one whose connection died is there in whole
    or not at all.
  - Counts, and the records of each bucket, are those that arithmetic says.
  - Counts, results and forecasts are the same, to the last bit, as those of a
    job to which the same entries were given and nothing ever happened.

The seed decides who posts what and who is killed; when, is up to the
scheduler. The last line is "N passed, N failed".
"""

import argparse
import collections
import contextlib
import gzip
import http.client
import json
import os
import random
import re
import shutil
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import entries  # noqa: E402  (the path comes first)
import state    # noqa: E402
from harness import ML, Daemon, job, wait_until  # noqa: E402

SPAN = 300
START = 1455000000
CLIENTS = 2     # of each job
LARGE = ("plain", "several", "late", "flushed")  # one in fifty of their posts
ROUND_KILLS = 50    # then what has come together is reckoned up
VICTIMS = (["anomd-worker"] * 12 + ["anomd-query"] * 3 + ["anomd-keeper"] * 2
    + ["anomd"] * 3)
IN, OUT, UNKNOWN = "acknowledged", "refused", "unknown"
# Answers after which nothing may have happened.
REFUSALS = (400, 404, 409, 413, 429)


def configurations():
    """job id -> configuration, and how far back in time its records go."""
    plain = job(span="5m", time_format="epoch")
    several = job(span="5m", function="mean", by_field_name="b",
        influencers=["p"])
    several["analysis_config"]["detectors"].append(
        {"function": "sum", "field_name": "v", "partition_field_name": "p"})
    several["analysis_config"]["detectors"].append({"function": "count"})
    late = job(span="5m", function="max", partition_field_name="p")
    late["analysis_config"]["latency"] = "20m"
    flushed = job(span="5m", function="count", field=None,
        by_field_name="b")
    people = job(span="5m", function="high_mean", by_field_name="b",
        over_field_name="u", influencers=["u"])
    seldom = job(span="5m", function="rare", field=None, by_field_name="r",
        partition_field_name="p")
    seldom["analysis_config"]["detectors"].append(
        {"function": "freq_rare", "by_field_name": "r",
            "over_field_name": "u"})
    places = job(span="5m", function="lat_long", field="w",
        by_field_name="b")
    foreseen = job(span="5m", function="mean", by_field_name="b")
    foreseen["model_plot_config"] = {"enabled": True,
        "annotations_enabled": True}
    return {
        "plain": (plain, 0),
        "several": (several, SPAN),
        "late": (late, 2400),
        "flushed": (flushed, 0),
        "people": (people, SPAN),
        "seldom": (seldom, 0),
        "places": (places, 0),
        "foreseen": (foreseen, SPAN),
    }


class Upload:
    """One attempt to post records first, first + 1, ..."""

    def __init__(self, first, count):
        self.first = first
        self.count = count
        self.fate = UNKNOWN


class Job:
    """A job, and all that was tried on it."""

    def __init__(self, job_id, config, spread):
        self.id = job_id
        self.config = config
        self.spread = spread    # seconds that records go back in time
        self.lock = threading.Lock()
        self.next_number = 1
        self.clock = START
        self.uploads = []
        self.forecasts = set()  # that were acknowledged
        self.history = entries.History()

    def new_upload(self, rng):
        """Records, their bytes, and the note of them."""
        # Many are small, some are longer than what is sent in one frame.
        count = rng.choice((1, 1, 3, 20, 100, 1000)) * rng.randint(1, 3)
        if rng.random() < 0.02 and self.id in LARGE:
            count = rng.randint(10000, 30000)
        with self.lock:
            upload = Upload(self.next_number, count)
            self.next_number += count
            self.clock += rng.choice((0, 0, 10, 60, SPAN, SPAN))
            begin = self.clock
            self.uploads.append(upload)
        lines = []
        for i in range(count):
            value = rng.gauss(50, 4) + (500 if rng.random() < 0.002 else 0)
            more = self.more_fields(rng, begin)
            lines.append('{"time":%d,"v":%r,"p":"p%d","b":"b%d"%s,"n":%d}\n'
                % (begin + i * 20 // count - rng.randint(0, self.spread),
                value, rng.randint(0, 4), rng.randint(0, 2), more,
                upload.first + i))
        return upload, "".join(lines).encode()

    def more_fields(self, rng, begin):
        """What only the job of one kind looks at."""
        if self.id == "places":
            far = 60 if rng.random() < 0.002 else 0
            return ',"w":"%.3f,%.3f"' % (52.5 - far + rng.gauss(0, .05),
                13.4 + rng.gauss(0, .05))
        if self.id not in ("people", "seldom"):
            return ""
        # One that is new, and one that comes again every now and then.
        name = rng.choice(("a", "b", "c"))
        if rng.random() < 0.003:
            name = "x%d" % (begin // SPAN)
        return ',"u":"u%d","r":"%s"' % (rng.randint(0, 14), name)


class Torture:
    def __init__(self, seed, kills):
        self.rng = random.Random(seed)
        self.seed = seed
        self.kills = kills
        self.killed = collections.Counter()
        self.over = threading.Event()
        self.up = threading.Event()     # the daemon is there to be asked
        self.problems = []
        self.jobs = [Job(name, *more)
            for name, more in sorted(configurations().items())]
        self.daemon = Daemon()
        self.keyed = False

    # ---- clients

    def ask(self, method, path, body=None, headers=None):
        """The status, or None when the connection has died."""
        self.up.wait()
        try:
            return self.daemon.request(method, path, body, headers,
                seconds=60).status
        except (OSError, http.client.HTTPException):
            return None

    def post(self, one, rng, name):
        upload, data = one.new_upload(rng)
        headers = {"Content-Type": "application/x-ndjson"}
        if rng.random() < 0.3:
            data = gzip.compress(data, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        keyed = self.keyed and rng.random() < 0.5
        if keyed:
            headers["Idempotency-Key"] = "%s-%d" % (name, upload.first)
        path = "%s/anomaly_detectors/%s/_data" % (ML, one.id)
        while True:
            status = self.ask("POST", path, data, headers)
            if status == 202:
                upload.fate = IN
            elif status in REFUSALS and not keyed:
                upload.fate = OUT
            elif keyed and not self.over.is_set():
                # Whatever has become of it: asked again, it counts once.
                time.sleep(0.05)
                continue
            break
        if status not in (202, None):
            time.sleep(0.05)

    def flush(self, one):
        with one.lock:
            clock = one.clock
        self.ask("POST", "%s/anomaly_detectors/%s/_flush?calc_interim=true"
            "&advance_time=%d" % (ML, one.id, clock - SPAN))

    def forecast(self, one):
        """What is acknowledged is made, however often its maker dies."""
        self.up.wait()
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self.daemon.request("POST",
                ML + "/anomaly_detectors/%s/_forecast?duration=%s" % (one.id,
                    entries.DURATION), seconds=60)
            if answer.status == 200:
                with one.lock:
                    one.forecasts.add(answer.json["forecast_id"])

    def close_and_open(self, one):
        path = "%s/anomaly_detectors/%s/" % (ML, one.id)
        # What is there now may be superfluous after this snapshot, also when
        # nobody hears of it; what comes meanwhile is not, before the next.
        one.history.look(state.job_dir(self.daemon, one.id))
        self.ask("POST", path + "_close")
        # No other client opens it.
        while self.ask("POST", path + "_open") != 200:
            if self.over.is_set():
                return
            time.sleep(0.05)

    def client(self, one, number):
        name = "%s-%d" % (one.id, number)
        rng = random.Random("%d %s" % (self.seed, name))
        while not self.over.is_set():
            dice = rng.random()
            if dice < 0.02 and number == 0:
                self.close_and_open(one)
            elif dice < 0.10 and one.id == "flushed":
                self.flush(one)
            elif dice < 0.12 and one.id == "foreseen":
                self.forecast(one)
            elif dice < 0.15:
                self.ask("GET", "%s/anomaly_detectors/%s/results/records" % (
                    ML, one.id))
            else:
                self.post(one, rng, name)

    def guarded(self, function, *args):
        try:
            function(*args)
        except BaseException as e:
            self.problems.append("a client ended: %r" % e)
            raise

    # ---- death

    def reopen(self, states=("failed",)):
        """Open again the jobs in one of these states."""
        answer = self.daemon.get(ML + "/anomaly_detectors/_stats").json
        for found in answer["jobs"]:
            if found["state"] in states:
                self.daemon.request("POST", "%s/anomaly_detectors/%s/_open" % (
                    ML, found["job_id"]))

    def kill_one(self):
        victim = self.rng.choice(VICTIMS)
        if victim == "anomd":
            self.up.clear()
            self.daemon.kill()
            self.killed[victim] += 1
            self.daemon.start()
            self.up.set()
            return
        pids = sorted(self.daemon.pids_of(victim))
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.rng.choice(pids), 9)
                self.killed[victim] += 1

    def run(self):
        self.daemon.start()
        self.up.set()
        self.keyed = self.has_keys()
        for one in self.jobs:
            self.daemon.make_job(one.id, one.config)
        threads = [threading.Thread(target=self.guarded, daemon=True,
            args=(self.client, one, n))
            for one in self.jobs for n in range(CLIENTS)]
        for t in threads:
            t.start()
        while sum(self.killed.values()) < self.kills and not self.problems:
            time.sleep(self.rng.uniform(0.02, 0.4))
            self.kill_one()
            self.reopen()
        self.over.set()
        for t in threads:
            t.join(120)
            assert not t.is_alive(), "a client has no answer"

    def has_keys(self):
        """Does a repeated upload with a key count once?"""
        d = self.daemon
        d.make_job("probe", job())
        for _ in range(2):
            d.try_post("probe", [{"time": START, "v": 1}],
                headers={"Idempotency-Key": "a key"})
        count = d.stats("probe")["data_counts"]["processed_record_count"]
        d.delete_job("probe", query="?force=true")
        return count == 1

    def end(self):
        """Leave nothing behind, whatever has become of it."""
        self.over.set()
        self.up.set()
        self.daemon.kill()
        shutil.rmtree(os.path.dirname(self.daemon.state_dir),
            ignore_errors=True)

    # ---- the reckoning

    def settle(self):
        """All jobs opened once more, and closed in order."""
        def opened():
            self.reopen(("failed", "closed"))
            answer = self.daemon.get(ML + "/anomaly_detectors/_stats").json
            return all(j["state"] == "opened" for j in answer["jobs"])
        wait_until(opened, 60, "all jobs to be open")
        for one in self.jobs:
            wait_until(lambda: not entries.forecasts_made(self.daemon, one.id),
                60, "the forecasts of %s" % one.id)
            one.history.look(state.job_dir(self.daemon, one.id))
            self.daemon.close_job(one.id)
            one.history.look(state.job_dir(self.daemon, one.id))

    def check(self):
        """Returns lines that say what is wrong."""
        problems = list(self.problems)
        with Daemon() as calm:
            for one in self.jobs:
                history = one.history.all()
                got = state.take(self.daemon, one.id)
                wrong = check_uploads(one.uploads, history)
                wrong += check_arithmetic(one, history, got,
                    self.daemon.stats(one.id)["data_counts"])
                foreseen = state.forecasts(self.daemon, one.id)
                entries.make_again(calm, one.id, one.config, history)
                wrong += state.differences(got, state.take(calm, one.id))
                wrong += check_forecasts(one.forecasts, foreseen,
                    state.forecasts(calm, one.id))
                problems += ["%s: %s" % (one.id, w) for w in wrong]
        return problems


def numbers_of(entry):
    return [json.loads(line)["n"] for line in entry["data"].splitlines()]


def check_uploads(uploads, history):
    """Is each upload in the journal as often as its fate says?"""
    wrong = []
    first = {}      # number of the first record -> how many entries
    for entry in history:
        if entry["type"] != "upload" or not entry["data"]:
            continue
        numbers = numbers_of(entry)
        first.setdefault(numbers[0], []).append(numbers)
    for upload in uploads:
        found = first.pop(upload.first, [])
        whole = list(range(upload.first, upload.first + upload.count))
        if any(numbers != whole for numbers in found):
            wrong.append("upload %d is there in part" % upload.first)
        least = 1 if upload.fate == IN else 0
        most = 0 if upload.fate == OUT else 1
        if not least <= len(found) <= most:
            wrong.append("upload %d, %s, is there %d times" % (upload.first,
                upload.fate, len(found)))
    wrong += ["nobody posted record %d" % n for n in first]
    return wrong


def check_arithmetic(one, history, got, counts):
    """Counts and the records of each bucket, from the entries alone."""
    latency = 1200 if "latency" in one.config["analysis_config"] else 0
    latest, late, total = None, 0, 0
    buckets = collections.Counter()
    for entry in history:
        for line in entry["data"].splitlines():
            time_s = json.loads(line)["time"]
            total += 1
            if latest is not None and time_s < (latest // SPAN * SPAN
                    - latency):
                late += 1
                continue
            latest = time_s if latest is None else max(latest, time_s)
            buckets[time_s // SPAN * SPAN * 1000] += 1
    wrong = []
    for name, wanted in (("processed_record_count", total - late),
            ("out_of_order_timestamp_count", late)):
        if counts[name] != wanted:
            wrong.append("%s is %d, not %d" % (name, counts[name], wanted))
    # Time that a flush has moved leaves out what comes behind it.
    if any("advance_time_s" in entry for entry in history):
        return wrong
    shown = {}
    for line in got["api buckets"]:
        bucket = json.loads(line)
        shown[bucket["timestamp"]] = bucket["event_count"]
    for ms, count in sorted(shown.items()):
        if count != buckets[ms]:
            wrong.append("bucket %d has %d records, not %d" % (ms, count,
                buckets[ms]))
    for ms in buckets:
        if ms not in shown and ms // 1000 + SPAN + latency <= latest:
            wrong.append("there is no bucket %d" % ms)
    return wrong


def check_forecasts(acknowledged, got, calm):
    """Each that was acknowledged is whole, and one of those of the job that
    was left in peace: that one has some more where the line was full."""
    wrong = ["forecast %s is not there" % i for i in acknowledged - set(got)]
    left = collections.Counter(points for status, points in calm.values())
    for forecast, (status, points) in sorted(got.items()):
        if status != "finished":
            if forecast in acknowledged:
                wrong.append("forecast %s is %s" % (forecast, status))
        elif left[points] == 0:
            wrong.append("forecast %s differs: %s" % (forecast, points[:300]))
        else:
            left[points] -= 1
    return wrong


def plant(what, history, got):
    """A fault that must be found: a check that cannot fail is none."""
    uploads = [e for e in history if e["type"] == "upload" and e["data"]]
    victim = uploads[len(uploads) // 2]
    at = history.index(victim)
    if what == "drop":
        return history[:at] + history[at + 1:], got
    if what == "double":
        return history[:at] + [victim] + history[at:], got
    if what == "half":
        longest = max(uploads, key=lambda e: len(e["data"]))
        half = dict(longest, data=b"".join(
            longest["data"].splitlines(True)[1:]))
        return [half if e is longest else e for e in history], got
    got = {part: list(lines) for part, lines in got.items()}
    if what == "row":
        lines = got["table bucket"]
        del lines[len(lines) // 2]
        return history, got
    # The last bit of a number, in hexadecimal digits.
    for part in ("table record", "table bucket"):
        for i, line in enumerate(got[part]):
            found = re.search(r"=0x1\.[0-9a-f]*([0-9a-f])p", line)
            if found:
                at = found.start(1)
                got[part][i] = (line[:at] + "%x" % (int(line[at], 16) ^ 1) +
                    line[at + 1:])
                return history, got
    raise AssertionError("no score to plant a fault in: too short a run")


def check_plants(torture):
    """Does each planted fault show? Returns those that do not."""
    blind = []
    one = next(j for j in torture.jobs if j.id == "several")
    for what in ("drop", "double", "half", "row", "ulp"):
        history = one.history.all()
        real = state.take(torture.daemon, one.id)
        history, got = plant(what, history, real)
        if what in ("row", "ulp"):
            found = state.differences(got, real)
        else:
            found = check_uploads([u for u in one.uploads if u.fate == IN],
                history)
        if not found:
            blind.append("a planted fault is not seen: " + what)
    whole = {"f": ("finished", "1 2 3")}
    for acknowledged, calm in ((set("fg"), whole), (set("f"),
            {"f": ("finished", "1 2 4")})):
        if not check_forecasts(acknowledged, whole, calm):
            blind.append("a planted fault of a forecast is not seen")
    return blind


def run_round(seed, kills, keep):
    """Fresh jobs, so many kills, the reckoning. Returns what is wrong."""
    torture = Torture(seed, kills)
    problems, begin = [], time.monotonic()
    try:
        torture.run()
        torture.settle()
        problems = torture.check() + check_plants(torture)
        torture.daemon.stop()
    except BaseException as e:
        problems.append("%s: %s" % (type(e).__name__, e))
        if not isinstance(e, Exception):
            raise
    finally:
        if problems and keep:
            print(torture.daemon.log()[-20000:])
        torture.end()
        uploads = [u for one in torture.jobs for u in one.uploads]
        fates = collections.Counter(u.fate for u in uploads)
        print("seed %d: kills %s; uploads %s; records acknowledged %d; "
            "forecasts %d; keys %s; %.0f s" % (seed, dict(torture.killed),
            dict(fates), sum(u.count for u in uploads if u.fate == IN),
            sum(len(one.forecasts) for one in torture.jobs), torture.keyed,
            time.monotonic() - begin), flush=True)
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", action="store_true",
        help="print the daemon's log after a failure")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(1 << 31)
    kills = args.kills or (1000 if args.long else ROUND_KILLS)
    print("seed %d, %d kills" % (seed, kills), flush=True)
    passed = failed = 0
    while kills > 0:
        problems = run_round(seed, min(kills, ROUND_KILLS), args.keep)
        for line in problems:
            print("FAIL seed %d: %s" % (seed, line), flush=True)
        passed += not problems
        failed += len(problems)
        kills -= ROUND_KILLS
        seed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
