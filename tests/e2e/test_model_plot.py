"""The model plot: what each series was expected to be, as results/model_plot
tells it."""

import math
import random

from harness import *

SPAN = 600
START = 1454020200  # the beginning of a bucket
HOSTS = ("a", "b", "c")
BUCKETS = 60
FEATURE = "'arithmetic mean value by person'"


def bucket_ms(n):
    return (START + n * SPAN) * 1000


def value(n, m):
    return 100 * (m + 1) + (n * 7919 + m * 31) % 11


def records(first, last, hosts=HOSTS):
    for n in range(first, last):
        for m, host in enumerate(HOSTS):
            if host in hosts:
                yield {"time": START + n * SPAN + m, "v": value(n, m),
                    "host": host}


def plot_job(**plot):
    return dict(job(span="10m", partition_field_name="host"),
        model_plot_config=dict(plot, enabled=plot.get("enabled", True)))


def plot(d, query=""):
    page = d.results("j", "model_plot", query)
    assert list(page) == ["count", "model_plot"], page
    return page


def every(d):
    return plot(d, "?size=10000")["model_plot"]


def test_each_series_and_bucket_has_a_row():
    with Daemon() as d:
        d.make_job("j", plot_job())
        d.post("j", list(records(0, BUCKETS)))
        d.flush("j", "?advance_time=%d" % (START + BUCKETS * SPAN))
        rows = every(d)
        first = rows[0]
        assert list(first) == ["job_id", "result_type", "bucket_span",
            "detector_index", "timestamp", "partition_field_name",
            "partition_field_value", "model_feature", "model_lower",
            "model_upper", "model_median", "actual"], first
        assert (first["job_id"], first["result_type"], first["bucket_span"],
            first["detector_index"], first["partition_field_name"],
            first["model_feature"]) == ("j", "model_plot", SPAN, 0, "host",
            FEATURE), first
        # None for the first buckets; then of each series in each bucket.
        begin = (first["timestamp"] - bucket_ms(0)) // 1000 // SPAN
        assert 0 < begin < 20, begin
        assert [(r["timestamp"], r["partition_field_value"], r["actual"])
            for r in rows] == [(bucket_ms(n), host, value(n, m))
            for n in range(begin, BUCKETS) for m, host in enumerate(HOSTS)]
        for r in rows:
            assert r["model_lower"] <= r["model_median"] <= r["model_upper"]
        late = rows[len(rows) // 2:]
        inside = sum(r["model_lower"] <= r["actual"] <= r["model_upper"]
            for r in late)
        assert inside >= 0.8 * len(late), (inside, len(late))
        for r in late:
            assert r["model_upper"] - r["model_lower"] < 40, r
        check_options(d, rows)
        check_errors(d)
        check_life(d, rows)


def check_options(d, rows):
    page = plot(d, "?size=2&from=1")
    assert page == {"count": len(rows), "model_plot": rows[1:3]}, page
    page = plot(d, "?partition_field_value=b&desc=true&size=1")
    assert page["count"] == len(rows) // 3 and page["model_plot"] == [
        r for r in rows if r["partition_field_value"] == "b"][-1:], page
    assert plot(d, "?partition_field_value=x")["count"] == 0
    assert plot(d, "?by_field_value=b")["count"] == 0
    assert plot(d, "?partition_field_value=")["count"] == 0
    assert plot(d, "?by_field_value=")["count"] == 0
    assert plot(d, "?detector_index=0&size=0")["count"] == len(rows)
    assert plot(d, "?detector_index=1")["count"] == 0
    page = plot(d, "?start=%d&end=%d" % (bucket_ms(30), bucket_ms(31)))
    assert [r["timestamp"] for r in page["model_plot"]] == 3 * [bucket_ms(30)]
    path = "%s/anomaly_detectors/j/results/model_plot" % ML
    page = expect(200, d.request("POST", path, {"sort": "actual",
        "desc": True, "page": {"size": 1}, "partition_field_value": "a"}))
    assert page["model_plot"][0]["actual"] == 110, page
    page = plot(d, "?human=true&size=1")
    assert page["model_plot"][0]["timestamp_string"].startswith("2016-01-2")


def check_errors(d):
    path = "%s/anomaly_detectors/j/results/model_plot" % ML
    expect_error(d.get(path + "?size=-1"), 400, "illegal_argument_exception",
        "Parameter [size] cannot be < 0")
    expect_error(d.get(path + "?detector_index=-1"), 400,
        "illegal_argument_exception", "[detector_index] has to be the index "
        "of a detector, from 0 on")
    expect_error(d.get(path + "?sort=nobody"), 400,
        "illegal_argument_exception",
        "No mapping found for [nobody] in order to sort on")
    assert d.get(path + "?exclude_interim=true").status == 400
    expect_error(d.get(path.replace("/j/", "/k/")), 404,
        "resource_not_found_exception", "No known job with id 'k'")


def check_life(d, rows):
    """A death, a restart, an expiry and a reset."""
    d.restart()
    assert every(d) == rows
    d.post("j", list(records(BUCKETS, BUCKETS + 10)))
    d.flush("j")
    more = every(d)
    assert more[:len(rows)] == rows
    assert len(more) == len(rows) + 9 * len(HOSTS), len(more)
    expect(200, d.request("POST", "%s/anomaly_detectors/j/_update" % ML,
        {"results_retention_days": 0}))
    expect(200, d.request("DELETE", "%s/_delete_expired_data/j" % ML))
    left = every(d)
    assert left == [r for r in more if r["timestamp"] >= bucket_ms(
        BUCKETS + 8)], left
    d.close_job("j")
    expect(200, d.request("POST", "%s/anomaly_detectors/j/_reset" % ML))
    assert plot(d)["count"] == 0


def test_replay_gives_the_same_rows():
    """Killed in the middle, again and again, it says the same as one that
    lives."""
    with Daemon() as d:
        d.make_job("j", plot_job())
        d.post("j", list(records(0, BUCKETS)))
        d.flush("j")
        whole = every(d)
    with Daemon() as d:
        d.make_job("j", plot_job())
        for first in range(0, BUCKETS, 20):
            d.post("j", list(records(first, first + 20)))
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            wait_until(lambda: d.stats("j")["state"] == "opened")
        d.flush("j")
        assert every(d) == whole


def test_terms_choose_the_series():
    with Daemon() as d:
        d.make_job("j", plot_job(terms="a,c,nobody"))
        d.post("j", list(records(0, BUCKETS)))
        rows = every(d)
        assert {r["partition_field_value"] for r in rows} == {"a", "c"}, rows


USERS = ["user-%02d" % n for n in range(20)]


def sendings(first, last):
    """What users have sent, each with one of two programs."""
    for n in range(first, last):
        for m, user in enumerate(USERS):
            yield {"time": START + n * SPAN + m, "user": user,
                "app": ("mail", "web")[m % 2],
                "sent": 100 + (n * 7919 + m * 1301) % 37}


def people_job(**plot):
    return {"analysis_config": {"bucket_span": "10m", "detectors": [
            {"function": "sum", "field_name": "sent",
             "by_field_name": "app", "over_field_name": "user"},
            {"function": "rare", "by_field_name": "app",
             "over_field_name": "user"}]},
        "data_description": {"time_format": "epoch"},
        "model_plot_config": dict(plot, enabled=True)}


def test_people_have_rows_where_they_are():
    with Daemon() as d:
        d.make_job("j", people_job())
        d.post("j", list(sendings(0, BUCKETS)))
        d.flush("j", "?advance_time=%d" % (START + BUCKETS * SPAN))
        rows = every(d)
        first = rows[0]
        assert list(first) == ["job_id", "result_type", "bucket_span",
            "detector_index", "timestamp", "over_field_name",
            "over_field_value", "by_field_name", "by_field_value",
            "model_feature", "model_lower", "model_upper", "model_median",
            "actual"], first
        assert {r["model_feature"] for r in rows} == {
            "'bucket sum by person and attribute'"}, first
        # None of the first bucket; then one attribute after the other.
        posted = {(r["time"] // SPAN * SPAN * 1000, r["user"]):
            (r["app"], r["sent"]) for r in sendings(0, BUCKETS)}
        assert [(r["timestamp"], r["over_field_value"]) for r in rows] == [
            (bucket_ms(n), user) for n in range(1, BUCKETS)
            for user in USERS[::2] + USERS[1::2]]
        for r in rows:
            assert (r["by_field_value"], r["actual"]) == posted[
                r["timestamp"], r["over_field_value"]], r
            assert 0 <= r["model_lower"] <= r["model_median"], r
            assert r["model_median"] <= r["model_upper"] < 300, r
        page = plot(d, "?sort=over_field_value&desc=true&size=1")
        assert page["model_plot"][0]["over_field_value"] == USERS[-1], page
        d.restart()
        assert every(d) == rows
    with Daemon() as d:
        d.make_job("j", people_job())
        for first in range(0, BUCKETS, 20):
            d.post("j", list(sendings(first, first + 20)))
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            wait_until(lambda: d.stats("j")["state"] == "opened")
        d.close_job("j")
        d.open_job("j")
        d.flush("j", "?advance_time=%d" % (START + BUCKETS * SPAN))
        assert every(d) == rows


def test_terms_choose_people():
    with Daemon() as d:
        d.make_job("j", people_job(terms="mail,user-04,user-05"))
        d.post("j", list(sendings(0, BUCKETS)))
        assert {(r["by_field_value"], r["over_field_value"])
            for r in every(d)} == {("mail", "user-04")}


def test_absent_values_and_zeros():
    """A count of nothing is 0; a mean of nothing is none."""
    config = plot_job()
    config["analysis_config"]["detectors"].append({"function": "low_count",
        "partition_field_name": "host"})
    with Daemon() as d:
        d.make_job("j", config)
        posted = [r for r in records(0, BUCKETS)
            if r["host"] != "b" or (r["time"] - START) // SPAN != 50]
        d.post("j", posted)
        rows = {r["detector_index"]: r for r in plot(d,
            "?partition_field_value=b&start=%d&end=%d" % (bucket_ms(50),
            bucket_ms(51)))["model_plot"]}
        assert rows[1]["actual"] == 0, rows
        assert rows[1]["model_feature"] == (
            "'low values of count per bucket by person'"), rows
        assert rows[1]["model_lower"] == int(rows[1]["model_lower"]), rows
        assert "actual" not in rows[0] and 190 < rows[0]["model_median"] < 220


def test_none_is_made_unless_asked_for():
    with Daemon() as d:
        d.make_job("j", dict(job(span="10m"),
            model_plot_config={"enabled": False}))
        d.post("j", list(records(0, BUCKETS)))
        assert every(d) == []


def test_an_update_counts_from_the_next_bucket_on():
    with Daemon() as d:
        d.make_job("j", job(span="10m", partition_field_name="host"))
        d.post("j", list(records(0, 30)))
        assert every(d) == []
        update = "%s/anomaly_detectors/j/_update" % ML
        expect(200, d.request("POST", update,
            {"model_plot_config": {"enabled": True, "terms": "a"}}))
        d.post("j", list(records(30, 40)))
        rows = every(d)
        # The last bucket of the first post was not final yet.
        assert [(r["timestamp"], r["partition_field_value"]) for r in rows
            ] == [(bucket_ms(n), "a") for n in range(29, 39)], rows
        expect(200, d.request("POST", update,
            {"model_plot_config": {"enabled": False}}))
        d.post("j", list(records(40, 50)))
        assert every(d) == rows
        expect(200, d.request("POST", update,
            {"model_plot_config": {"enabled": True}}))
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.post("j", list(records(50, 60)))
        assert plot(d)["count"] == len(rows) + 10 * len(HOSTS)


def shifted(first, last):
    """Noise around a level, that is another one from bucket 600 on."""
    for n in range(first, last):
        yield {"time": START + n * SPAN, "host": "a",
            "v": value(n, 0) + (50 if n >= 600 else 0)}


def test_annotations_tell_what_has_changed():
    with Daemon() as d:
        d.make_job("j", plot_job(enabled=False, annotations_enabled=True))
        d.post("j", list(shifted(0, 800)))
        page = d.results("j", "annotations")
        assert list(page) == ["count", "annotations"], page
        assert page["count"] == 1, page
        one = dict(page["annotations"][0])
        assert list(one) == ["annotation", "create_time", "create_username",
            "timestamp", "end_timestamp", "job_id", "type", "event",
            "detector_index", "partition_field_name",
            "partition_field_value"], one
        text, _, by = one.pop("annotation").rpartition(" ")
        assert text == "Detected level shift by" and 47.5 < float(by) < 52.5
        at = one.pop("timestamp")
        # It has to stay for 72 buckets.
        assert bucket_ms(670) <= at <= bucket_ms(690), at
        assert one == {"create_time": at + SPAN * 1000,
            "create_username": "_xpack", "end_timestamp": at, "job_id": "j",
            "type": "annotation", "event": "model_change",
            "detector_index": 0, "partition_field_name": "host",
            "partition_field_value": "a"}, one
        assert every(d) == []
        for query, count in (("partition_field_value=a", 1),
                ("partition_field_value=b", 0), ("start=%d" % at, 1),
                ("end=%d" % at, 0), ("detector_index=1", 0)):
            assert d.results("j", "annotations", "?" + query)["count"] == (
                count), query
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.flush("j")
        assert d.results("j", "annotations") == page


def test_annotations_need_to_be_asked_for():
    with Daemon() as d:
        d.make_job("j", plot_job(annotations_enabled=False))
        d.post("j", list(shifted(0, 800)))
        assert d.results("j", "annotations")["count"] == 0
        assert plot(d)["count"] > 700


DAY = 144           # buckets


def changing(first, last):
    """A series for each kind of change, which comes on the twelfth day."""
    rand = random.Random(5)
    change = 12 * DAY

    def day(n):
        return 20 * math.sin(2 * math.pi * n / DAY)
    for n in range(20 * DAY):
        values = {
            "steady": 100,
            "day": 100 + day(n),
            "gone": 100 + (day(n) if n < change else 0),
            "earlier": 100 + day(n if n < change else n + 6),
            "level": 100 + (30 if n >= change else 0),
            "ramp": 100 + (0.1 * (n - change) if n > change else 0)}
        for host, v in values.items():
            v += rand.gauss(0, 1)
            if first <= n < last:
                yield {"time": START + n * SPAN, "host": host,
                    "v": round(v, 3)}


def test_each_kind_of_change_is_told_once():
    """Of its series, at its time; also when the worker dies between, and the
    job is closed in the middle of a change."""
    with Daemon() as d:
        d.make_job("j", plot_job(enabled=False, annotations_enabled=True))
        d.post("j", list(changing(0, 12 * DAY + 40)))
        d.close_job("j")
        d.open_job("j")
        d.post("j", list(changing(12 * DAY + 40, 14 * DAY)))
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.post("j", list(changing(14 * DAY, 20 * DAY)))
        notes = [a for a in d.results("j", "annotations",
            "?size=1000")["annotations"] if a["event"] == "model_change"]
        told = {}
        for a in notes:
            told.setdefault(a["partition_field_value"], []).append(
                (a["annotation"], (a["timestamp"] - bucket_ms(0))
                / 1000 / SPAN / DAY))
        season = "Detected seasonal component with period 1d"
        # From when on, in days, and until when.
        expected = {"day": [(season, 2.5, 4)],
            "gone": [(season, 2.5, 4), ("removed all seasonality", 13, 15)],
            "earlier": [(season, 2.5, 4),
                ("Detected time shift by 3600s", 13, 14.5)],
            "level": [("Detected level shift by 30", 12.4, 12.6)],
            "ramp": [("Detected level shift by ", 12.5, 13.5),
                ("Detected trend", 13.5, 14.5)]}
        assert set(told) == set(expected), told
        for host, rows in expected.items():
            assert len(told[host]) == len(rows), told[host]
            for (text, when), (wanted, first, last) in zip(told[host], rows):
                assert text.startswith(wanted), (host, text)
                assert first < when < last, (host, text, when)


def snapshot_notes(d, query=""):
    return [a for a in d.results("j", "annotations", query)["annotations"]
        if a["event"] == "model_snapshot_stored"]


def test_stored_snapshots_are_told():
    """One for each that is listed, and as long as that is there."""
    with Daemon() as d:
        d.make_job("j", plot_job(annotations_enabled=True, enabled=False))
        assert d.results("j", "annotations") == {"count": 0,
            "annotations": []}
        for first in (0, 800, 900):
            d.post("j", list(shifted(first, first + 100 if first else 800)))
            d.close_job("j")
            d.open_job("j")
        snapshots = "%s/anomaly_detectors/j/model_snapshots" % ML
        listed = expect(200, d.get(snapshots + "?desc=false"))[
            "model_snapshots"]
        assert len(listed) == 3, listed
        wanted = [{"annotation": "Job model snapshot with id [%s] stored"
            % s["snapshot_id"], "create_time": s["timestamp"],
            "create_username": "_xpack",
            "timestamp": s["latest_result_time_stamp"],
            "end_timestamp": s["latest_result_time_stamp"], "job_id": "j",
            "type": "annotation", "event": "model_snapshot_stored"}
            for s in listed]
        assert snapshot_notes(d) == wanted
        everything = d.results("j", "annotations")
        assert everything["count"] == 4, everything
        assert [a["timestamp"] for a in everything["annotations"]] == sorted(
            a["timestamp"] for a in everything["annotations"])
        newest = d.results("j", "annotations",
            "?sort=create_time&desc=true&size=1")
        assert newest == {"count": 4, "annotations": wanted[2:]}, newest
        # Beyond the first two pages there is nothing that was on them.
        pages = [a for n in (0, 2) for a in d.results("j", "annotations",
            "?size=2&from=%d" % n)["annotations"]]
        assert pages == everything["annotations"]
        at = wanted[1]["timestamp"]
        assert snapshot_notes(d, "?start=%d&end=%d" % (at, at + 1)) == [
            wanted[1]]
        assert snapshot_notes(d, "?detector_index=0") == []
        d.restart()
        assert d.results("j", "annotations") == everything
        expect(200, d.request("DELETE", "%s/%s" % (snapshots,
            listed[0]["snapshot_id"])))
        assert snapshot_notes(d) == wanted[1:]
        d.close_job("j")
        expect(200, d.request("POST", "%s/%s/_revert" % (snapshots,
            listed[1]["snapshot_id"]), {"delete_intervening_results": True}))
        assert snapshot_notes(d) == wanted[1:]
        expect(200, d.request("POST", "%s/anomaly_detectors/j/_reset" % ML))
        assert d.results("j", "annotations")["count"] == 0
