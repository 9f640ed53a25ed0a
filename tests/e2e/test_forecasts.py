"""Forecasts: made, read, removed, and what becomes of them."""

import math
import os
import signal

from harness import *

T0 = 1403481600
HOUR = 3600


def feed(d, job_id, first, hours, key="p", values=("a",)):
    d.post(job_id, [{"time": T0 + (first + i) * HOUR, key: p,
        "v": 100 + 20 * math.sin((first + i) / 24 * 2 * math.pi)
            + (first + i) * 7 % 5}
        for i in range(hours) for p in values])


def ask(d, job_id, query="", body=None, base=ML):
    return d.request("POST", "%s/anomaly_detectors/%s/_forecast%s"
        % (base, job_id, query), body)


def made(d, job_id, query="", body=None):
    got = expect(200, ask(d, job_id, query, body))
    assert list(got) == ["acknowledged", "forecast_id"], got
    assert got["acknowledged"] is True, got
    return got["forecast_id"]


def read(d, job_id, forecast="", query=""):
    path = "%s/anomaly_detectors/%s/results/forecasts" % (ML, job_id)
    return d.get(path + ("/" + forecast if forecast else "") + query)


def request_of(d, job_id, forecast):
    got = expect(200, read(d, job_id, forecast, "?size=1"))
    return got["forecasts"][0]


def finished(d, job_id, forecast, seconds=20):
    wait_until(lambda: request_of(d, job_id, forecast)["forecast_status"]
        not in ("started", "scheduled"), seconds, "end of the forecast")
    return request_of(d, job_id, forecast)


def points(d, job_id, forecast, query="?size=10000"):
    got = expect(200, read(d, job_id, forecast, query))
    return [f for f in got["forecasts"]
        if f["result_type"] == "model_forecast"]


def remove(d, job_id, rest="", base=ML):
    return d.request("DELETE", "%s/anomaly_detectors/%s/_forecast%s"
        % (base, job_id, rest))


def stats(d, job_id):
    return d.stats(job_id)["forecasts_stats"]


def expect_stats(d, job_id, status):
    """They come from the worker, a moment after its results can be read."""
    wait_until(lambda: stats(d, job_id).get("status") == status, 20,
        "forecasts counted as %s" % status)


def test_made_and_read():
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 24 * 14)
        assert stats(d, "j") == {"total": 0, "forecasted_jobs": 0}
        f = made(d, "j", body={"duration": "2d", "expires_in": "1d"})
        got = finished(d, "j", f)
        assert got["forecast_status"] == "finished", got
        assert list(got) == ["job_id", "result_type", "forecast_id",
            "processed_record_count", "timestamp",
            "forecast_start_timestamp", "forecast_end_timestamp",
            "forecast_create_timestamp", "forecast_expiry_timestamp",
            "forecast_progress", "processing_time_ms",
            "forecast_memory_bytes", "forecast_status"], list(got)
        start = got["forecast_start_timestamp"]
        assert got["forecast_progress"] == 1, got
        assert got["processed_record_count"] == 48, got
        assert start == (T0 + (24 * 14 - 1) * HOUR) * 1000, start
        assert got["forecast_end_timestamp"] == start + 2 * 86400000
        assert got["forecast_expiry_timestamp"] \
            == got["forecast_create_timestamp"] + 86400000, got
        rows = points(d, "j", f)
        assert [r["timestamp"] for r in rows] \
            == [start + i * HOUR * 1000 for i in range(48)]
        first = rows[0]
        assert list(first) == ["job_id", "forecast_id", "result_type",
            "bucket_span", "detector_index", "timestamp", "model_feature",
            "forecast_lower", "forecast_upper", "forecast_prediction"], first
        assert first["model_feature"] == "'arithmetic mean value by person'"
        for i, r in enumerate(rows):
            hour = 24 * 14 - 1 + i
            truth = 100 + 20 * math.sin(hour / 24 * 2 * math.pi) \
                + hour * 7 % 5
            assert r["forecast_lower"] <= r["forecast_prediction"] \
                <= r["forecast_upper"], r
            assert abs(r["forecast_prediction"] - truth) < 10, (truth, r)
        expect_stats(d, "j", {"finished": 1})
        got = stats(d, "j")
        assert got["total"] == 1 and got["forecasted_jobs"] == 1, got
        assert got["records"] == {"total": 48.0, "min": 48.0, "avg": 48.0,
            "max": 48.0}, got
        assert got["memory_bytes"]["total"] > 1000, got


def test_texts():
    with Daemon() as d:
        d.make_job("j", job())
        def bad(query, reason, status=400, kind="illegal_argument_exception",
                job_id="j"):
            expect_error(ask(d, job_id, query), status, kind, reason)
        bad("?duration=0s", "[duration] must be positive: [0s]")
        bad("?duration=3651d", "[duration] must be 3650d or less: [3651d]")
        bad("?expires_in=-1", "[expires_in] must be non-negative: [-1]")
        bad("?max_model_memory=1023kb",
            "[max_model_memory] must be at least 1mb.")
        bad("?max_model_memory=500mb",
            "[max_model_memory] must be less than 500mb")
        bad("?duration=10m", "[duration] must be greater or equal to the "
            "bucket span: [10m/1h]")
        bad("", "Cannot run forecast: Forecast cannot be executed as job "
            "requires data to have been processed and modeled",
            kind="status_exception")
        bad("", "No known job with id 'none'", 404,
            "resource_not_found_exception", "none")
        d.close_job("j")
        bad("", "Cannot perform requested action because job [j] is not "
            "open", 409, "status_exception")
        for name, config, reason in (
                ("people", job(over_field_name="p"),
                    "Forecast is not supported for population analysis"),
                ("odd", job(function="lat_long"),
                    "Forecast is not supported for the used functions")):
            d.make_job(name, config)
            bad("", "Cannot run forecast: " + reason,
                kind="status_exception", job_id=name)


def test_messages():
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 72)
        got = finished(d, "j", made(d, "j", "?duration=8d&expires_in=0"))
        assert got["forecast_messages"] == ["Detector[0]: Unable to "
            "accurately forecast for the full requested time interval"], got
        assert got["processed_record_count"] == 71, got
        assert "forecast_expiry_timestamp" not in got, got
        got = finished(d, "j", made(d, "j"))
        assert got["forecast_messages"] == [
            "Forecast duration not specified, setting to 1 day",
            "Forecast expires_in not specified, setting to 14 days"], got
        d.make_job("young", job())
        feed(d, "young", 0, 5)
        got = finished(d, "young", made(d, "young",
            "?duration=1d&expires_in=1d"))
        assert got["forecast_messages"] == [
            "Detector[0]: Insufficient history to forecast",
            "Insufficient history to forecast for all models"], got
        assert got["processed_record_count"] == 0, got
        assert got["forecast_status"] == "finished", got


def test_series_of_a_job():
    with Daemon() as d:
        config = job(function="sum", partition_field_name="p")
        config["analysis_config"]["detectors"].append(
            {"function": "lat_long", "field_name": "v"})
        d.make_job("j", config)
        feed(d, "j", 0, 48, values=("a", "b"))
        f = made(d, "j", "?duration=3h")
        got = finished(d, "j", f)
        rows = points(d, "j", f)
        assert got["processed_record_count"] == len(rows) == 6, got
        assert [r["partition_field_value"] for r in rows] \
            == ["a", "b"] * 3, rows
        assert rows[0]["partition_field_name"] == "p", rows[0]
        assert rows[0]["model_feature"] == "'bucket sum by person'", rows[0]
        start = rows[0]["timestamp"]
        got = expect(200, read(d, "j", f, "?start=%d&end=%d"
            % (start + HOUR * 1000, start + 2 * HOUR * 1000)))
        assert got["count"] == 3 and len(got["forecasts"]) == 3, got
        got = expect(200, read(d, "j", f, "?from=1&size=2"))
        assert got["count"] == 7, got
        assert got["forecasts"] == rows[:2], got
        for query, wanted in (("partition_field_value=b", rows[1::2]),
                ("detector_index=0&start=%d" % (start + 1), rows[2:]),
                ("detector_index=1", []), ("partition_field_value=", []),
                ("by_field_value=a", [])):
            got = expect(200, read(d, "j", f, "?" + query))
            assert got["count"] == 1 + len(wanted), (query, got)
            assert got["forecasts"][1:] == wanted, (query, got)
        expect_error(read(d, "j", "", "?by_field_value=a"), 400,
            "illegal_argument_exception", "[by_field_value] is for the "
            "points of one forecast: put its id into the path")


def test_removed():
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 48)
        ids = [made(d, "j") for _ in range(3)]
        for f in ids:
            finished(d, "j", f)
        listed = expect(200, read(d, "j"))
        assert listed["count"] == 3, listed
        assert [f["forecast_id"] for f in listed["forecasts"]] == ids
        expect_error(remove(d, "j", "/none"), 404,
            "resource_not_found_exception",
            "No forecast(s) [none] exists for job [j]")
        assert expect(200, remove(d, "j", "/" + ids[0])) \
            == {"acknowledged": True}
        expect_error(read(d, "j", ids[0]), 404,
            "resource_not_found_exception",
            "No forecast(s) [%s] exists for job [j]" % ids[0])
        assert stats(d, "j")["total"] == 2
        d.close_job("j")
        assert stats(d, "j")["total"] == 2
        expect(200, remove(d, "j", "/%s,none" % ids[1]))
        assert stats(d, "j")["total"] == 1
        d.restart()
        assert stats(d, "j")["total"] == 1
        assert [f["forecast_id"] for f in expect(200,
            read(d, "j"))["forecasts"]] == ids[2:]
        expect(200, remove(d, "j"))
        assert expect(200, read(d, "j")) == {"count": 0, "forecasts": []}
        assert stats(d, "j") == {"total": 0, "forecasted_jobs": 0}
        expect(200, remove(d, "j", "/_all"))
        expect_error(remove(d, "j", "/_all?allow_no_forecasts=false"), 404,
            "resource_not_found_exception",
            "No forecast(s) [_all] exists for job [j]")


def test_expired():
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 48)
        gone = made(d, "j", "?expires_in=1ms")
        kept = made(d, "j", "?expires_in=0")
        finished(d, "j", gone)
        finished(d, "j", kept)
        assert expect(200, d.request("DELETE", ML + "/_delete_expired_data")) \
            == {"deleted": True}
        assert [f["forecast_id"] for f in expect(200,
            read(d, "j"))["forecasts"]] == [kept]
        assert stats(d, "j")["total"] == 1
        gone = made(d, "j", "?expires_in=1ms")
        finished(d, "j", gone)
        d.close_job("j")
        expect(200, d.request("DELETE", ML + "/_delete_expired_data/j"))
        assert stats(d, "j")["total"] == 1
        assert [f["forecast_id"] for f in expect(200,
            read(d, "j"))["forecasts"]] == [kept]


def test_long_patterns():
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 48)
        f = made(d, "j")
        finished(d, "j", f)
        pattern = "*" * 200 + "no-such-end"
        expect_error(remove(d, "j", "/" + pattern), 404,
            "resource_not_found_exception",
            "No forecast(s) [%s] exists for job [j]" % pattern)
        assert expect(200, read(d, "j"))["count"] == 1
        expect(200, remove(d, "j", "/%s%s" % ("*" * 200, f[-5:])))
        assert expect(200, read(d, "j"))["count"] == 0


@timeout(120)
def test_seen_is_done():
    """Whoever sees a state can act on it: nothing lags behind the rows."""
    with Daemon() as d:
        d.make_job("j", job())
        feed(d, "j", 0, 48)
        for _ in range(10):
            ids = []
            for n in range(1, 4):
                ids.append(made(d, "j", "?duration=2h"))
                assert stats(d, "j")["total"] == n
                assert expect(200, read(d, "j"))["count"] == n
            for f in ids:
                while request_of(d, "j", f)["forecast_status"] != "finished":
                    pass
            got = stats(d, "j")
            assert got["status"] == {"finished": 3}, got
            assert got["records"]["total"] == 6, got
            f = made(d, "j", "?duration=2h")
            while request_of(d, "j", f)["forecast_status"] != "finished":
                pass
            expect(200, remove(d, "j", "/" + f))
            assert stats(d, "j")["total"] == 3
            expect(200, remove(d, "j"))
            assert stats(d, "j") == {"total": 0, "forecasted_jobs": 0}


def test_value_that_is_empty():
    with Daemon() as d:
        d.make_job("j", job(partition_field_name="p", use_null=True))
        feed(d, "j", 0, 48, values=("", "a"))
        f = made(d, "j", "?duration=2h")
        assert finished(d, "j", f)["processed_record_count"] == 4
        rows = points(d, "j", f)
        assert [r["partition_field_value"] for r in rows] \
            == ["", "a"] * 2, rows
        assert points(d, "j", f, "?partition_field_value=") == rows[::2]
        assert points(d, "j", f, "?partition_field_value=a") == rows[1::2]
