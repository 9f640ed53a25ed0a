"""anomctl status and jobs."""

from ctltool import *
from harness import *
from test_quarantine import DEADLY, crashing


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
        assert "replaying  a: 40 of 100 bytes, 3 entries\n" in done.out, done
        assert f.seen() == ["GET /",
            "GET /_ml/anomaly_detectors/_all/_stats?allow_no_match=true"]
    stats["jobs"][1].update(state="failed",
        assignment_explanation="worker\x1b[2J died")
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 2, done
        assert done.out.startswith("health     red\n"), done
        assert "failed     b: worker\\x1b[2J died\n" in done.out, done
    recovery = {"recovering": False, "restarts": 2,
        "last_death": "worker 7 died: \x1b[2J", "last_death_time": 0,
        "salvaged_results": {"time": 0, "rows_kept": 5, "rows_dropped": 1,
            "pages_lost": True}}
    stats["jobs"] = [{"job_id": "a", "state": "opened", "recovery": recovery}]
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 1, done
        assert done.out.startswith("health     yellow\n"), done
        assert "deaths     a: 2 restarts, the last death 1970-01-01 00:00: " \
            "worker 7 died: \\x1b[2J\n" in done.out, done
        assert "salvaged   a: results were damaged, 1970-01-01 00:00: 5 " \
            "rows kept, 1 dropped, and pages were lost\n" in done.out, done
    recovery["salvaged_results"]["pages_lost"] = False
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.ok().startswith("health     green\n"), done
        assert "5 rows kept, 1 dropped\n" in done.out, done
    recovery["results_damaged"] = True
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 1, done
        assert "damaged    a: a query has met damage in its results: close " \
            "and open it" in done.out, done
    stats["jobs"][0]["quarantine"] = {"health": "red", "count": 4}
    with Fake(answer(200, root), answer(200, stats)) as f:
        done = ctl(f.url, "status")
        assert done.status == 2, done
        assert "quarantine a: 4 entries; " in done.out, done
    with Fake(answer(200, root), answer(200, [])) as f:
        ctl(f.url, "status").failed("has not the form", status=3)
    ctl("unix:/absent", "status").failed("is anomd running?", status=3)


def test_status_shows_what_became_of_a_job():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("a", job())
        assert d.try_post("a", [{"time": DEADLY, "v": 1.0}]).status == 500
        done = ctl(url(d), "status")
        assert done.status == 2 and "health     red\n" in done.out, done
        assert "quarantine a: 1 entries; " in done.out, done
        assert re.search(r"deaths     a: 2 restarts, the last death \d.*: "
            r"worker killed by signal 6", done.out), done


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
        assert "SNAPSHOT" in lines[0] and lines[2][-1] != "s", lines
        d.close_job("web-1")
        row = ctl(url(d), "jobs", "web-1").ok().split("\n")[1]
        assert re.search(r"  \d+ s +-$", row), row
        lines = ctl(url(d), "jobs", "web-*").ok().split("\n")
        assert len(lines) == 4 and "db" not in lines[1], lines
        got = json.loads(ctl(url(d), "jobs", "db", "web-2", "--format",
            "json").ok())
        assert [j["job_id"] for j in got["jobs"]] == ["db", "web-2"], got
        ctl(url(d), "jobs", "absent").failed("absent")
        assert ctl(url(d), "jobs", "absent*").ok().count("\n") == 1
        ctl(url(d), "jobs", "--format", "xml").failed("json or table",
            status=2)


def test_the_age_of_a_snapshot_is_that_of_its_job():
    """Also beside jobs that came or went between the two answers."""
    now = int(time.time())
    stats = {"jobs": [{"job_id": i, "state": "closed"} for i in "acdefgh"]}
    configs = {"jobs": [{"job_id": i, "model_snapshot_id": s} for i, s in (
        ("a", str(now - 3 * 86400)), ("b", str(now)),
        ("c", str(now - 3 * 3600 - 5)), ("e", str(now - 150)),
        ("f", str(now + 1000)), ("g", "1x"), ("h", None)) if s] + [
        {"job_id": "h"}]}
    with Fake(answer(200, stats), answer(200, configs)) as f:
        rows = ctl(f.url, "jobs").ok().split("\n")[1:-1]
    ages = [re.search(r"(\d+ (?:d|h|min|s))? *-?$", row).group(1)
        for row in rows]
    assert ages == ["3 d", "3 h", None, "2 min", "0 s", None, None], rows
