"""The entries of a job's journal, read by anomctl, and the same job made
again from them: what it would be, had nothing ever happened to it.
"""

import json
import os
import shutil
import subprocess
import tempfile

from harness import BUILD, ML, expect, wait_until

ANOMCTL = os.path.join(BUILD, "anomctl")
NDJSON = {"Content-Type": "application/x-ndjson"}
DURATION = "2h"     # of all forecasts


def run(damaged, *words):
    done = subprocess.run([ANOMCTL, "journal"] + list(words),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0 or (
        damaged and done.returncode == 1), "anomctl journal %s: %s" % (
        " ".join(words), done.stderr.decode())
    return done.stdout


def read(path, damaged=False):
    """All entries, each with what was posted as "data". A worker may write
    meanwhile: a copy is read. damaged: what is torn may be passed over."""
    while True:
        with tempfile.TemporaryDirectory(prefix="anomd-journal-") as copy:
            if copied(os.path.join(path, "journal"),
                    os.path.join(copy, "journal")):
                return read_still(copy, damaged)


def copied(journal, there):
    """False when a file has got another name, or none, meanwhile."""
    names = sorted(os.listdir(journal))
    os.mkdir(there)
    try:
        for name in names:
            shutil.copy(os.path.join(journal, name), there)
    except FileNotFoundError:
        return False
    return names == sorted(os.listdir(journal))


def read_still(path, damaged):
    entries = [json.loads(line)
        for line in run(damaged, path).splitlines()]
    data, at = run(damaged, "--data", path), 0
    for entry in entries:
        size = entry["data_bytes"] if entry["type"] == "upload" else 0
        entry["data"] = data[at:at + size]
        at += size
    assert at == len(data), "%d bytes of data, %d in entries" % (len(data), at)
    return entries


class History:
    """All entries that a job ever had: those that the snapshots have made
    superfluous leave the journal, so it is looked at now and then."""

    def __init__(self):
        self.entries = {}   # by number

    def look(self, path):
        for entry in read(path):
            known = self.entries.setdefault(entry["seq"], entry)
            assert known == entry, "entry %d was %r, is %r" % (entry["seq"],
                short(known), short(entry))

    def all(self):
        numbers = sorted(self.entries)
        assert numbers == list(range(1, len(numbers) + 1)), (
            "entries are missing: %r" % numbers)
        return [self.entries[n] for n in numbers]


def short(entry):
    return {k: v for k, v in entry.items() if k != "data"}


def query(entry, names):
    given = ["%s=%s" % (parameter, entry[field]) for field, parameter in names
        if field in entry]
    return "?" + "&".join(given) if given else ""


def forecasts_made(daemon, job_id):
    """How many are not at their end."""
    status = daemon.stats(job_id)["forecasts_stats"].get("status", {})
    return sum(n for name, n in status.items() if name not in ("finished",
        "failed"))


def feed(daemon, job_id, entry):
    """Do to a job what an entry says."""
    kind = entry["type"]
    if kind == "open":
        daemon.open_job(job_id)
    elif kind == "close":
        daemon.close_job(job_id)
    elif kind == "flush":
        text = query(entry, (("start_s", "start"), ("end_s", "end"),
            ("advance_time_s", "advance_time"), ("skip_time_s", "skip_time")))
        interim = "calc_interim=%s" % str(
            entry.get("calc_interim", False)).lower()
        expect(200, daemon.request("POST", "%s/anomaly_detectors/%s/_flush%s"
            % (ML, job_id, (text + "&" if text else "?") + interim)))
    elif kind == "forecast":
        # With too little data it was refused, and is so again.
        daemon.request("POST", "%s/anomaly_detectors/%s/_forecast?duration=%s"
            % (ML, job_id, DURATION))
        wait_until(lambda: not forecasts_made(daemon, job_id), 60,
            "a forecast of " + job_id)
    else:
        assert kind == "upload", short(entry)
        daemon.post(job_id, entry["data"], headers=NDJSON, query=query(entry,
            (("reset_start_s", "reset_start"), ("reset_end_s", "reset_end"))))


def make_again(daemon, job_id, config, entries):
    daemon.put_job(job_id, config)
    for entry in entries:
        feed(daemon, job_id, entry)
