"""anomctl status and jobs."""

from ctltool import *
from harness import *


def url(d):
    return "http://127.0.0.1:%d" % d.port


def test_status_tells_green_yellow_and_red():
    with Daemon() as d:
        done = ctl(url(d), "status")
        assert done.ok().startswith("health     green\n"), done
        assert "jobs       0\n" in done.out, done
        d.make_job("a", job())
        d.put_job("b", job())
        done = ctl(url(d), "status")
        assert "jobs       2, 1 opened, 1 closed\n" in done.ok(), done
    stats = {"count": 2, "jobs": [
        {"job_id": "a", "state": "opening", "recovery": {"replay":
            {"entries": 3, "done_bytes": 40, "all_bytes": 100}}},
        {"job_id": "b", "state": "opened"}]}
    root = {"name": "here", "version": {"number": "8.19.2"}}
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 1, done
        assert "replaying  1 jobs, 40 of 100 bytes\n" in done.out, done
        assert f.seen() == ["GET /",
            "GET /_ml/anomaly_detectors/_all/_stats?allow_no_match=true"]
    stats["jobs"][1].update(state="failed",
        assignment_explanation="worker\x1b[2J died")
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 2, done
        assert done.out.startswith("health     red\n"), done
        assert "failed     b: worker\\x1b[2J died\n" in done.out, done
    with Fake(answer(200, root), answer(200, [])) as f:
        ctl(f.url, "status").failed("has not the form", status=3)
    ctl("unix:/absent", "status").failed("is anomd running?", status=3)


def test_jobs_are_listed_with_what_they_have():
    with Daemon() as d:
        for job_id in ("web-1", "web-2", "db"):
            d.put_job(job_id, job())
        d.open_job("web-1")
        d.post("web-1", [{"time": 1700000000 + i * 60, "v": i}
            for i in range(200)])
        lines = [line.split() for line in ctl(url(d), "jobs").ok().split(
            "\n")[:-1]]
        assert [line[0] for line in lines] == ["JOB", "db", "web-1", "web-2"]
        assert lines[2][1:4] == ["opened", "200", "4"], lines
        assert "2023-11-15" in lines[2], lines
        lines = ctl(url(d), "jobs", "web-*").ok().split("\n")
        assert len(lines) == 4 and "db" not in lines[1], lines
        got = json.loads(ctl(url(d), "jobs", "db", "web-2", "--format",
            "json").ok())
        assert [j["job_id"] for j in got["jobs"]] == ["db", "web-2"], got
        ctl(url(d), "jobs", "absent").failed("absent")
        assert ctl(url(d), "jobs", "absent*").ok().count("\n") == 1
        ctl(url(d), "jobs", "--format", "xml").failed("json or table",
            status=2)
