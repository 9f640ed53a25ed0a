"""Removing results that are older than their jobs want to keep."""

from datetime import datetime, timezone

from harness import *

T0 = 1403481600     # 00:00 UTC
DAY = 86400
DAYS = 4

EXPIRED = "/_delete_expired_data"


def kept(days=1, **more):
    config = dict(job(), **more)
    if days is not None:
        config["results_retention_days"] = days
    return config


def fill(d, job_id, days=DAYS, first=0):
    """A record every half hour, of so many days and a little more."""
    d.post(job_id, [{"time": T0 + first * DAY + i * 1800, "v": i % 7}
        for i in range(days * 48 + 3)])


def buckets(d, job_id):
    """How many buckets there are, and how old the oldest is, in hours."""
    page = d.results(job_id, "buckets", "?size=1")
    last = d.results(job_id, "buckets", "?size=1&desc=true")
    return page["count"], (last["buckets"][0]["timestamp"]
        - page["buckets"][0]["timestamp"]) // 3600000


def expire(d, rest="", body=None, base=ML, method="DELETE"):
    return d.request(method, base + EXPIRED + rest, body)


ALL = (DAYS * 24 + 1, DAYS * 24)
ONE_DAY = (25, 24)


def test_open_and_closed_jobs_lose_old_results():
    with Daemon() as d:
        for name in ("open", "closed", "forever"):
            d.make_job(name, kept(None if name == "forever" else 1))
            fill(d, name)
            assert buckets(d, name) == ALL, name
        d.close_job("closed")
        before = d.get("/_ml/anomaly_detectors/closed").json
        assert expect(200, expire(d)) == {"deleted": True}
        assert buckets(d, "open") == ONE_DAY
        assert buckets(d, "closed") == ONE_DAY
        assert buckets(d, "forever") == ALL
        assert d.stats("closed")["state"] == "closed"
        assert d.get("/_ml/anomaly_detectors/closed").json == before
        assert len(d.pids_of("anomd-worker")) == 2, "those of open jobs"
        assert expect(200, expire(d)) == {"deleted": True}, "nothing to do"
        assert buckets(d, "open") == ONE_DAY
        # Work goes on where it was.
        fill(d, "open", 1, DAYS)
        assert buckets(d, "open") == (49, 48)
        d.open_job("closed")
        check_counts(d.stats("closed")["data_counts"],
            processed_record_count=DAYS * 48 + 3)
        fill(d, "closed", 1, DAYS)
        assert buckets(d, "closed") == (49, 48)


def test_jobs_that_say_nothing_keep_as_many_days_as_the_configuration_says():
    with Daemon(default_results_retention_days=1) as d:
        for name, days in ("silent", None), ("longer", 3), ("none", 0):
            d.make_job(name, kept(days))
            fill(d, name)
        before = d.get("/_ml/anomaly_detectors/silent").json
        assert expect(200, expire(d)) == {"deleted": True}
        assert buckets(d, "silent") == ONE_DAY
        assert buckets(d, "longer") == (73, 72)
        assert buckets(d, "none") == (1, 0)
        assert d.get("/_ml/anomaly_detectors/silent").json == before


def test_records_go_with_their_buckets():
    with Daemon() as d:
        d.make_job("j", kept())
        values = [10] * (DAYS * 48 + 3)
        for i in (40, DAYS * 48 - 6):
            values[i] = 1000
        d.post("j", [{"time": T0 + i * 1800, "v": v + i % 3}
            for i, v in enumerate(values)])
        before = d.results("j", "records", "?sort=timestamp&desc=false")["records"]
        assert before[0]["timestamp"] == (T0 + 20 * 3600) * 1000, before
        assert len(before) >= 2, before
        expect(200, expire(d))
        after = d.results("j", "records", "?sort=timestamp&desc=false")["records"]
        assert after == [r for r in before if r["timestamp"] >=
            (T0 + (DAYS - 1) * DAY) * 1000] != [], after
        for score in ("0", "1"):
            assert d.results("j", "records", "?record_score=" + score)[
                "count"] == len(after)


def test_expressions_choose_the_jobs():
    with Daemon() as d:
        for name, groups in (("a-1", ["g"]), ("a-2", []), ("b", ["g"]),
                ("c", [])):
            d.make_job(name, kept(groups=groups))
            fill(d, name)
        assert expect(200, expire(d, "/g")) == {"deleted": True}
        assert [buckets(d, n) == ONE_DAY for n in ("a-1", "a-2", "b", "c")] \
            == [True, False, True, False]
        assert expect(200, expire(d, "/a-*,b", base=XPACK)) == {
            "deleted": True}
        assert buckets(d, "a-2") == ONE_DAY and buckets(d, "c") == ALL
        expect_error(expire(d, "/c,absent"), 404,
            "resource_not_found_exception", "No known job with id 'absent'")
        expect_error(expire(d, "/absent*"), 404,
            "resource_not_found_exception", "No known job with id 'absent*'")
        assert buckets(d, "c") == ALL
        assert expect(200, expire(d, "/_all")) == {"deleted": True}
        assert buckets(d, "c") == ONE_DAY


def test_without_jobs_all_is_done():
    with Daemon() as d:
        for rest in ("", "/_all", "/*"):
            assert expect(200, expire(d, rest)) == {"deleted": True}


def test_no_days_keep_the_latest_bucket():
    with Daemon() as d:
        d.make_job("j", kept(0))
        fill(d, "j")
        expect(200, expire(d))
        assert buckets(d, "j") == (1, 0)


def test_options_in_query_and_body():
    with Daemon() as d:
        d.make_job("j", kept())
        for rest, body in (("?requests_per_second=1000.5&timeout=1h", None),
                ("?requests_per_second=-1", None),
                ("", {"requests_per_second": 1000.5, "timeout": "1h"}),
                ("/j", {"requests_per_second": 1000})):
            assert expect(200, expire(d, rest, body)) == {"deleted": True}
        for rest, body, reason in (
                ("?requests_per_second=0", None, "[requests_per_second] must "
                    "be greater than 0, or -1 for no limit"),
                ("", {"requests_per_second": -2}, "[requests_per_second] "
                    "must be greater than 0, or -1 for no limit"),
                ("?timeout=1x", None, "failed to parse setting [timeout] "
                    "with value [1x] as a time value: unit is missing or "
                    "unrecognized"),
                ("?pace=1", None, "request [/_ml/_delete_expired_data] "
                    "contains unrecognized parameter: [pace]")):
            expect_error(expire(d, rest, body), 400,
                "illegal_argument_exception", reason)
        response = expire(d, "?requests_per_second=fast")
        assert response.status == 400, response
        response = expire(d, "", {"pace": 1})
        assert response.status == 400, response
        assert response.error["reason"] == ("[1:2] "
            "[delete_expired_data_request] unknown field [pace]"), response
        response = expire(d, method="POST")
        assert response.status == 405, response
        assert response.headers["allow"] == "DELETE", response.headers


def test_a_slow_removal_ends_with_its_timeout():
    with Daemon() as d:
        for name in ("open", "closed"):
            d.make_job(name, kept())
            fill(d, name)
        d.close_job("closed")
        # A row a second: not even a day of them is gone by then.
        assert expect(200, expire(d, "?requests_per_second=1&timeout=2s")) \
            == {"deleted": False}
        for name in ("open", "closed"):
            assert ONE_DAY < buckets(d, name) <= ALL, name
        wait_until(lambda: len(d.pids_of("anomd-worker")) == 1, 10,
            "the one that trims to end")
        assert d.stats("closed")["state"] == "closed"
        assert expect(200, expire(d)) == {"deleted": True}
        assert buckets(d, "open") == buckets(d, "closed") == ONE_DAY


def slow_removal(d):
    """Begins one that would take for ever; its client does not wait."""
    s = d.socket()
    s.sendall(b"DELETE /_ml/_delete_expired_data?requests_per_second=1 "
        b"HTTP/1.1\r\nHost: localhost\r\n\r\n")
    wait_until(lambda: d.pids_of("anomd-worker"), 10, "one that trims")
    return s


def test_a_job_that_is_trimmed_can_be_opened_deleted_and_reset():
    with Daemon() as d:
        d.make_job("j", kept())
        fill(d, "j")
        d.close_job("j")
        with slow_removal(d):
            assert d.stats("j")["state"] == "closed"
            assert d.close_job("j") == {"closed": True}
            assert d.results("j", "buckets")["count"] > 0
            assert d.open_job("j")["opened"] is True
            fill(d, "j", 1, DAYS)
            d.close_job("j")
            wait_until(lambda: d.pids_of("anomd-worker"), 10, "its turn")
            assert expect(200, d.request("POST",
                "/_ml/anomaly_detectors/j/_reset")) == {"acknowledged": True}
            assert d.results("j", "buckets")["count"] == 0
        d.open_job("j")
        fill(d, "j")
        d.close_job("j")
        with slow_removal(d):
            assert d.delete_job("j") == {"acknowledged": True}
            assert d.get("/_ml/anomaly_detectors/j").status == 404


def test_a_worker_that_dies_while_it_trims_is_told():
    with Daemon() as d:
        d.make_job("j", kept())
        fill(d, "j")
        d.close_job("j")
        with slow_removal(d) as s:
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            s.settimeout(10 * PATIENCE)
            answer = s.recv(65536)
            assert answer.startswith(b"HTTP/1.1 500 "), answer
            assert b"[j] old results were not removed: worker " in answer
        assert d.stats("j")["state"] == "closed"
        assert expect(200, expire(d)) == {"deleted": True}
        assert buckets(d, "j") == ONE_DAY


def test_the_daemon_ends_in_the_midst_of_it():
    with Daemon() as d:
        d.make_job("j", kept())
        fill(d, "j")
        d.close_job("j")
        with slow_removal(d):
            d.restart()
        assert d.stats("j")["state"] == "closed"
        assert expect(200, expire(d)) == {"deleted": True}
        assert buckets(d, "j") == ONE_DAY


def zone_where_it_is_half_past_midnight_in(seconds):
    """A value of TZ, for a daemon that starts before that."""
    now = datetime.now(timezone.utc)
    west = (now.hour * 3600 + now.minute * 60 + now.second + seconds
        - 1800) % DAY
    # Less than a day either way, and west is positive.
    sign, west = ("", west) if west < DAY // 2 else ("-", DAY - west)
    return "HERE%s%d:%02d:%02d" % (sign, west // 3600, west // 60 % 60,
        west % 60)


def test_old_results_go_every_day_after_half_past_midnight():
    with tempfile.TemporaryDirectory() as where:
        with Daemon(state_dir=where) as d:
            for name in ("open", "closed"):
                d.make_job(name, kept())
                fill(d, name, 2)
            d.close_job("closed")
        zone = zone_where_it_is_half_past_midnight_in(int(6 * SCALE))
        with Daemon(state_dir=where, env={"TZ": zone}) as d:
            wait_until(lambda: buckets(d, "open") == buckets(d, "closed") ==
                ONE_DAY, 30, "the daily run in zone " + zone)
