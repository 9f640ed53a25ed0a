"""anomctl journal: what is in the journal of a job, without the daemon."""

import glob

from ctltool import ctl
from harness import Daemon, json, job, ndjson, os


def job_dir(d, job_id):
    return glob.glob("%s/jobs/%s.*" % (d.state_dir, job_id))[0]


def test_entries_are_listed_in_their_order():
    records = [{"time": 3600 * i, "v": i} for i in range(5)]
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", records, headers={"Content-Type":
            "application/x-ndjson"}, query="?reset_start=0&reset_end=3600")
        d.flush("j", "?advance_time=36000&calc_interim=true")
        d.close_job("j")
        path = job_dir(d, "j")
        lines = [json.loads(line) for line in
            ctl(None, "journal", path).ok().splitlines()]
        assert [(e["seq"], e["type"]) for e in lines] == [(1, "open"),
            (2, "upload"), (3, "flush"), (4, "close")], lines
        assert lines[1]["reset_start_s"] == 0, lines
        assert lines[1]["reset_end_s"] == 3600, lines
        assert lines[1]["data_bytes"] == len(ndjson(records)), lines
        assert lines[2]["advance_time_s"] == 36000, lines
        assert ctl(None, "journal", "--data", path).ok() == ndjson(
            records).decode()
        assert ctl(None, "journal", "--data", "-e", "3", path).ok() == ""
        assert ctl(None, "journal", "-e", "4", path).ok().count("\n") == 1
        ctl(None, "journal", "-e", "5", path).failed("no entry 5")


def test_damage_is_said_and_what_is_behind_it_printed():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": 0, "v": 1}])
        d.close_job("j")
        d.open_job("j")
        d.close_job("j")
        path = job_dir(d, "j")
        first = sorted(glob.glob(path + "/journal/*.seg"))[0]
        size = os.path.getsize(first)
        with open(first, "r+b") as f:
            f.seek(160)
            f.write(b"\xff")
        done = ctl(None, "journal", path)
        assert done.status == 1 and "damaged at byte 150" in done.err, done
        assert os.path.getsize(first) == size
        ctl(None, "journal", path + "/none").failed("No such file")
        ctl(None, "journal", "-e", "0", path).failed("from 1 on", status=2)
