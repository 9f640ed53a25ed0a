"""Opening, closing, flushing, resetting, deleting, upgrade mode."""

import contextlib
import threading

from harness import *

T0 = 1403481600


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def post(d, job_id, rest, body=None, base=ML, **more):
    return d.request("POST", path(job_id, rest, base), body, **more)


class Background:
    """A request in a thread of its own."""

    def __init__(self, ask):
        self._thread = threading.Thread(target=self._run, args=(ask,))
        self._answer = None
        self._thread.start()

    def _run(self, ask):
        try:
            self._answer = ask()
        except OSError as e:
            self._answer = e

    @property
    def answered(self):
        return not self._thread.is_alive()

    def answer(self):
        self._thread.join(60 * PATIENCE)
        assert self.answered, "no answer"
        assert isinstance(self._answer, Response), self._answer
        return self._answer


@contextlib.contextmanager
def frozen(pid):
    """A process that does not run."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def keeper(d):
    return d.pids_of("anomd-keeper")[0]


def state(d, job_id):
    return d.stats(job_id)["state"]


# ---- open

def test_opening_takes_its_timeout_from_query_or_body():
    with Daemon() as d:
        d.put_job("j", job())
        for rest, body in (("/_open?timeout=10s", None),
                ("/_open", {"timeout": "10s", "job_id": "j"}),
                ("/_open", {"timeout": "10s", "unknown": 1})):
            assert expect(200, post(d, "j", rest, body))["opened"] is True
            d.close_job("j")
        response = post(d, "j", "/_open?timeout=10w")
        expect_error(response, 400, "illegal_argument_exception",
            "failed to parse setting [timeout] with value [10w] as a time "
            "value: unit is missing or unrecognized")


def test_opening_that_takes_too_long_is_told_and_goes_on():
    with Daemon() as d:
        d.put_job("j", job())
        # That the job is open is told when it is stored.
        with frozen(keeper(d)):
            expect_error(post(d, "j", "/_open?timeout=1s"), 408,
                "status_exception", "Opening job [j] timed out after [1s]")
        wait_until(lambda: state(d, "j") == "opened", 10, "opened")
        d.post("j", [{"time": T0, "v": 1}])


def test_errors_of_opening():
    with Daemon() as d:
        expect_error(post(d, "j", "/_open"), 404,
            "resource_not_found_exception", "No known job with id 'j'")
        d.make_job("j", job())
        expect_error(post(d, "j", "/_open"), 409, "status_exception",
            "Cannot open job [j] because it has already been opened")


def test_opening_is_refused_while_the_job_is_deleted_or_reset():
    with Daemon() as d:
        d.put_job("j", job())
        with frozen(keeper(d)):
            reset = Background(lambda: post(d, "j", "/_reset"))
            wait_until(lambda: blocked(d, "j"), 10, "blocked")
            expect_error(post(d, "j", "/_open"), 409, "status_exception",
                "Cannot open job [j] because it is executing [reset]")
        expect(200, reset.answer())
        with frozen(keeper(d)):
            delete = Background(lambda: d.request("DELETE", path("j")))
            wait_until(lambda: blocked(d, "j"), 10, "blocked")
            expect_error(post(d, "j", "/_open"), 409, "status_exception",
                "Cannot open job [j] because it is executing [delete]")
        expect(200, delete.answer())


def test_opening_clears_the_time_of_its_end():
    with Daemon() as d:
        d.make_job("j", job())
        d.close_job("j")
        assert "finished_time" in d.get(path("j")).json["jobs"][0]
        d.open_job("j")
        assert "finished_time" not in d.get(path("j")).json["jobs"][0]
        d.kill()
        d.start()
        assert "finished_time" not in d.get(path("j")).json["jobs"][0]


# ---- close

def test_closing_takes_expressions():
    with Daemon() as d:
        for name, groups in (("foo-1", ["foo-group", "ones"]),
                ("bar-1", ["bar-group", "ones"]), ("bar-2", ["bar-group"])):
            d.make_job(name, dict(job(), groups=groups))
        assert d.close_job("ones") == {"closed": True}
        assert [state(d, n) for n in ("bar-1", "bar-2", "foo-1")] == [
            "closed", "opened", "closed"]
        assert d.close_job("foo-1,bar-*") == {"closed": True}
        assert state(d, "bar-2") == "closed"
        d.open_job("foo-1")
        assert d.close_job("_all") == {"closed": True}
        assert state(d, "foo-1") == "closed"
        assert d.close_job("missing-*") == {"closed": True}
        for query in ("?allow_no_match=false", "?allow_no_jobs=false"):
            expect_error(post(d, "missing-*", "/_close" + query), 404,
                "resource_not_found_exception",
                "No known job with id 'missing-*'")
        expect_error(post(d, "missing,foo-1,gone", "/_close"), 404,
            "resource_not_found_exception",
            "No known job with id 'missing,gone'")


def test_a_body_of_close_is_read_instead_of_the_query():
    with Daemon() as d:
        d.make_job("j", job())
        assert expect(200, post(d, "j", "/_close", {"force": True,
            "timeout": "20s", "allow_no_match": False})) == {"closed": True}
        expect_error(post(d, "missing-*", "/_close",
            {"allow_no_match": False}), 404, "resource_not_found_exception",
            "No known job with id 'missing-*'")
        response = post(d, "j", "/_close?force=true", {"timeout": "20s"})
        assert response.status == 400, response
        assert "unrecognized parameter: [force]" in response.error["reason"]
        response = post(d, "j", "/_close", {"forse": True})
        assert response.status == 400, response
        assert "unknown field [forse]" in response.error["reason"], response
        expect_error(post(d, "j", "/_close?force=yes"), 400,
            "illegal_argument_exception", "Failed to parse value [yes] as "
            "only [true] or [false] are allowed.")


def test_closing_that_takes_too_long_is_told_and_goes_on():
    with Daemon() as d:
        d.make_job("j", job())
        with frozen(d.worker_pid("j")):
            expect_error(post(d, "j", "/_close?timeout=1s"), 408,
                "status_exception", "Closing job [j] timed out after [1s]")
            assert state(d, "j") == "closing"
            # One that is on its way is waited for.
            second = Background(lambda: post(d, "j", "/_close",
                {"timeout": "30s"}))
            expect_error(post(d, "j", "/_data", {"time": T0}), 409,
                "status_exception", "Cannot perform requested action because "
                "job [j] is not open")
        assert expect(200, second.answer()) == {"closed": True}
        assert state(d, "j") == "closed"


def test_a_forced_close_cuts_off_one_in_order():
    with Daemon() as d:
        d.make_job("j", job())
        with frozen(d.worker_pid("j")):
            first = Background(lambda: post(d, "j", "/_close"))
            wait_until(lambda: state(d, "j") == "closing", 10, "closing")
            assert d.close_job("j", query="?force=true") == {"closed": True}
        expect_error(first.answer(), 409, "status_exception",
            "Close job interrupted by kill request")
        assert state(d, "j") == "closed"


def test_failed_jobs_are_closed_by_force_only():
    with Daemon() as d:
        d.make_job("bad", job())
        d.make_job("good", job())
        d.fail_job("bad")
        assert "directory" in d.stats("bad")["assignment_explanation"]
        expect_error(post(d, "bad", "/_close"), 409, "status_exception",
            "cannot close job [bad] because it failed, use force close")
        expect_error(post(d, "_all", "/_close"), 409, "status_exception",
            "one or more jobs have state failed, use force close")
        assert state(d, "good") == "opened", "nothing is closed"
        assert d.close_job("_all", query="?force=true") == {"closed": True}
        assert [state(d, n) for n in ("bad", "good")] == ["closed"] * 2


def test_the_last_bucket_is_not_finished_by_a_close():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0 + i * 1800, "v": 1} for i in range(5)])
        d.close_job("j")
        assert d.results("j", "buckets")["count"] == 2
        got = d.get(path("j")).json["jobs"][0]
        assert got["finished_time"] and got["model_snapshot_id"], got


# ---- flush

def airline_job():
    return {"analysis_config": {"bucket_span": "1h", "detectors": [
        {"function": "metric", "field_name": "responsetime",
            "by_field_name": "airline"}]},
        "data_description": {"time_field": "time", "time_format": "epoch"}}


def airline(when, name="AAL", value=132.2046):
    return {"airline": name, "responsetime": value, "sourcetype": "x",
        "time": when}


def test_first_flush_names_the_start_of_the_first_bucket():
    with Daemon() as d:
        d.make_job("j", airline_job())
        body = ndjson([airline(T0), airline(T0 + 100, "JZA", 990.4628)])
        check_counts(d.post("j", body), processed_record_count=2,
            processed_field_count=4, input_field_count=6,
            invalid_date_count=0, missing_field_count=0,
            out_of_order_timestamp_count=0, empty_bucket_count=0,
            earliest_record_timestamp=T0 * 1000,
            latest_record_timestamp=(T0 + 100) * 1000,
            latest_empty_bucket_timestamp=None, input_record_count=2,
            input_bytes=len(body))
        assert d.flush("j") == {"flushed": True,
            "last_finalized_bucket_end": T0 * 1000}


def test_flush_without_data_has_no_bucket_to_name():
    with Daemon() as d:
        d.make_job("j", airline_job())
        assert d.flush("j") == {"flushed": True}
        assert d.flush("j", base=XPACK) == {"flushed": True,
            "last_finalized_bucket_end": 0}
        # Advancing a job that has seen nothing sets its first bucket.
        assert d.flush("j", "?advance_time=%d" % (T0 + 100)) == {
            "flushed": True, "last_finalized_bucket_end": T0 * 1000}


def test_skipped_time_is_not_analysed():
    with Daemon() as d:
        d.make_job("j", airline_job())
        d.post("j", [airline(1403481600), airline(1403485200)])
        assert d.flush("j", "?skip_time=1403488700") == {"flushed": True,
            "last_finalized_bucket_end": 1403488800000}
        check_counts(d.post("j", [airline(1403488600),
            airline(1403488700)]), processed_record_count=2)
        d.post("j", [airline(1403488900), airline(1403492400)])
        d.close_job("j")
        page = d.results("j", "buckets")["buckets"]
        assert [(b["timestamp"], b["event_count"]) for b in page] == [
            (1403481600000, 1), (1403488800000, 1)], page


def test_values_may_be_texts():
    with Daemon() as d:
        d.make_job("j", airline_job())
        d.post("j", [{"airline": "AAL", "responsetime": "132.2046",
            "time": str(when)} for when in (1403481600, 1403481700,
            1403485200)])
        d.flush("j")
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=3,
            processed_field_count=6, input_field_count=6)
        assert stats["timing_stats"]["bucket_count"] == 1, stats


def test_advancing_finishes_buckets_and_latency_holds_them_back():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0 + 10, "v": 1}])
        for query, end in (("?advance_time=%d" % (T0 + 3599), T0),
                ("?advance_time=%d" % (T0 + 3600), T0 + 3600),
                ("?advance_time=2014-06-23T03:00:00Z", T0 + 3 * 3600),
                ("?advance_time=%d999" % (T0 + 4 * 3600 - 1), T0 + 3 * 3600),
                ("?advance_time=%d&skip_time=%d" % (T0 + 7 * 3600,
                    T0 + 5 * 3600 - 1), T0 + 7 * 3600)):
            assert d.flush("j", query)["last_finalized_bucket_end"] == \
                end * 1000, query
        config = job()
        config["analysis_config"]["latency"] = "2h"
        d.make_job("late", config)
        d.post("late", [{"time": T0 + 10, "v": 1}])
        assert d.flush("late")["last_finalized_bucket_end"] == \
            (T0 - 7200) * 1000
        assert d.flush("late", "?advance_time=%d" % (T0 + 3 * 3600))[
            "last_finalized_bucket_end"] == (T0 + 3600) * 1000


DATE = ("Query param [%s] with value [%s] cannot be parsed as a date or "
    "converted to a number (epoch).")
FLUSHES = (
    # options, type and reason; in the order in which they are looked at
    ({"start": "x", "end": "y", "advance_time": "z"}, "parse_exception",
        DATE % ("start", "x")),
    ({"start": "1", "end": "y", "advance_time": "z"}, "parse_exception",
        DATE % ("end", "y")),
    ({"start": "2000", "end": "1000", "advance_time": "z"},
        "illegal_argument_exception", "Invalid time range: end time '1000' "
        "is earlier than start time '2000'."),
    ({"start": "1000", "advance_time": "z"}, "illegal_argument_exception",
        "Invalid flush parameters: unexpected 'start'."),
    ({"end": "1000", "advance_time": "z"}, "illegal_argument_exception",
        "Invalid flush parameters: unexpected 'end'."),
    ({"calc_interim": "true", "end": "1000", "advance_time": "z"},
        "illegal_argument_exception",
        "Invalid flush parameters: 'start' has not been specified."),
    ({"advance_time": "z", "skip_time": "w"}, "parse_exception",
        DATE % ("advance_time", "z")),
    ({"advance_time": "-5"}, "parse_exception",
        DATE % ("advance_time", "-5")),
    ({"advance_time": "1000", "skip_time": "w"}, "parse_exception",
        DATE % ("skip_time", "w")),
    ({"advance_time": "1000", "skip_time": "1000"}, "status_exception",
        "advance_time [1000] must be later than skip_time [1000]"),
    ({"advance_time": "1403481600999", "skip_time": "1403481600"},
        "status_exception", "advance_time [1403481600] must be later than "
        "skip_time [1403481600]"),
)


def test_bad_flushes_in_query_and_body():
    with Daemon() as d:
        d.make_job("j", job())
        for options, kind, reason in FLUSHES:
            query = "&".join("%s=%s" % o for o in options.items())
            expect_error(post(d, "j", "/_flush?" + query), 400, kind, reason)
            body = dict(options)
            if "calc_interim" in body:
                body["calc_interim"] = True
            expect_error(post(d, "j", "/_flush", body), 400, kind, reason)
        assert d.flush("j", "?calc_interim=true&start=1000&end=1000")[
            "flushed"], "equal ends are a second"
        response = post(d, "j", "/_flush?calc_interim=true",
            {"advance_time": "1"})
        assert response.status == 400, response
        assert "unrecognized parameter: [calc_interim]" in \
            response.error["reason"], response


# ---- reset

def blocked(d, job_id):
    """What the job is blocked by, as GET shows it."""
    return d.get(path(job_id)).json["jobs"][0].get("blocked")


def test_reset_leaves_the_configuration_alone():
    with Daemon() as d:
        config = dict(job(), description="a job", groups=["g"])
        put = d.put_job("j", config)
        d.open_job("j")
        d.post("j", [{"time": T0 + i * 1800, "v": 1} for i in range(5)])
        d.close_job("j")
        assert d.results("j", "buckets")["count"] == 2
        assert d.get(path("j")).json["jobs"][0]["model_snapshot_id"]
        assert expect(200, post(d, "j", "/_reset")) == {"acknowledged": True}
        assert d.get(path("j")).json["jobs"][0] == put
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=0,
            input_bytes=0, bucket_count=0, earliest_record_timestamp=None,
            last_data_time=None)
        check_counts(stats["model_size_stats"], model_bytes=0)
        assert stats["timing_stats"]["bucket_count"] == 0, stats
        assert d.results("j", "buckets")["count"] == 0
        assert len(os.listdir(os.path.join(d.state_dir, "jobs"))) == 1
        d.kill()
        d.start()
        assert d.get(path("j")).json["jobs"][0] == put
        d.open_job("j")
        assert d.flush("j") == {"flushed": True}, "it has no model"
        d.post("j", [{"time": T0, "v": 1}, {"time": T0 + 3600, "v": 1}])
        assert d.results("j", "buckets")["count"] == 1


def test_errors_of_reset():
    with Daemon() as d:
        expect_error(post(d, "j", "/_reset"), 404,
            "resource_not_found_exception", "No known job with id 'j'")
        d.make_job("j", job())
        expect_error(post(d, "j", "/_reset"), 409, "status_exception",
            "Can only reset a job when it is closed.")
        d.fail_job("j")
        expect_error(post(d, "j", "/_reset"), 409, "status_exception",
            "Can only reset a job when it is closed.")
        d.close_job("j", query="?force=true")
        with frozen(keeper(d)):
            delete = Background(lambda: d.request("DELETE", path("j")))
            wait_until(lambda: blocked(d, "j"), 10, "blocked")
            expect_error(post(d, "j", "/_reset"), 409, "status_exception",
                "cannot reset job while it is blocked with [delete]")
        expect(200, delete.answer())
        response = post(d, "j", "/_reset", base=XPACK)
        assert response.status == 400, response
        assert response.json["error"].startswith("no handler found"), response


def test_reset_need_not_be_waited_for():
    with Daemon() as d:
        d.put_job("j", job())
        with frozen(keeper(d)):
            task = expect(200, post(d, "j", "/_reset?wait_for_completion="
                "false&delete_user_annotations=true"))["task"]
            assert re.fullmatch(r"[\w-]{22}:\d+", task), task
            assert blocked(d, "j") == {"reason": "reset", "task_id": task}
            assert "blocked" not in d.get(path("j",
                "?exclude_generated=true")).json["jobs"][0]
            # A second one waits for the first, and so does a deletion.
            second = d.ask("POST", path("j", "/_reset"))
            assert not second.answered
        assert expect(200, second.answer()) == {"acknowledged": True}
        assert blocked(d, "j") is None
        with frozen(keeper(d)):
            expect(200, post(d, "j", "/_reset?wait_for_completion=false"))
            delete = d.ask("DELETE", path("j"))
            assert not delete.answered
        assert expect(200, delete.answer()) == {"acknowledged": True}
        assert d.get(path("j")).status == 404


def test_reset_outlives_its_keeper():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0, "v": 1}])
        d.close_job("j")
        with frozen(keeper(d)):
            reset = Background(lambda: post(d, "j", "/_reset"))
            wait_until(lambda: blocked(d, "j"), 10, "blocked")
            os.kill(keeper(d), signal.SIGKILL)
        assert expect(200, reset.answer()) == {"acknowledged": True}
        check_counts(d.stats("j")["data_counts"], processed_record_count=0)
        d.open_job("j")


# ---- delete

def test_deletion_need_not_be_waited_for():
    with Daemon() as d:
        d.put_job("j", job())
        with frozen(keeper(d)):
            task = expect(200, d.request("DELETE", path("j",
                "?wait_for_completion=false")))["task"]
            assert re.fullmatch(r"[\w-]{22}:\d+", task), task
            shown = d.get(path("j")).json["jobs"][0]
            assert shown["deleting"] is True, shown
            assert shown["blocked"] == {"reason": "delete", "task_id": task}
            assert d.stats("j")["deleting"] is True
            second = d.ask("DELETE", path("j"))
            assert not second.answered
        assert expect(200, second.answer()) == {"acknowledged": True}
        expect_error(d.get(path("j")), 404, "resource_not_found_exception",
            "No known job with id 'j'")


def test_deletion_outlives_its_keeper():
    with Daemon() as d:
        d.put_job("j", job())
        with frozen(keeper(d)):
            delete = Background(lambda: d.request("DELETE", path("j")))
            wait_until(lambda: blocked(d, "j"), 10, "blocked")
            os.kill(keeper(d), signal.SIGKILL)
        assert expect(200, delete.answer()) == {"acknowledged": True}
        assert d.get(path("j")).status == 404
        d.put_job("j", job())


def test_creation_outlives_its_keeper():
    with Daemon() as d:
        with frozen(keeper(d)):
            put = d.ask("PUT", path("j"), job())
            os.kill(keeper(d), signal.SIGKILL)
        assert expect(200, put.answer())["job_id"] == "j"
        assert state(d, "j") == "closed"
        d.restart()
        assert state(d, "j") == "closed"


def test_parameters_of_delete():
    with Daemon() as d:
        for query in ("?force=true", "?delete_user_annotations=true",
                "?timeout=1m&master_timeout=1m", "?force=false"):
            d.put_job("j", job())
            assert d.delete_job("j", query=query) == {"acknowledged": True}
            expect_error(d.request("DELETE", path("j", query)), 404,
                "resource_not_found_exception", "No known job with id 'j'")
        d.put_job("j", job())
        for name in ("force", "wait_for_completion",
                "delete_user_annotations"):
            expect_error(d.request("DELETE", path("j", "?%s=x" % name)), 400,
                "illegal_argument_exception", "Failed to parse value [x] as "
                "only [true] or [false] are allowed.")
        for name in ("timeout", "master_timeout"):
            expect_error(d.request("DELETE", path("j", "?%s=5" % name)), 400,
                "illegal_argument_exception", "failed to parse setting "
                "[%s] with value [5] as a time value: unit is missing or "
                "unrecognized" % name)
        d.delete_job("j", base=XPACK)


def test_jobs_that_run_are_deleted_by_force_only():
    with Daemon() as d:
        text = "Cannot delete job [j] because the job is %s"
        d.make_job("j", job())
        expect_error(d.request("DELETE", path("j")), 409, "status_exception",
            text % "opened")
        with frozen(d.worker_pid("j")):
            close = Background(lambda: post(d, "j", "/_close"))
            wait_until(lambda: state(d, "j") == "closing", 10, "closing")
            expect_error(d.request("DELETE", path("j")), 409,
                "status_exception", text % "closing")
            assert d.delete_job("j", query="?force=true") == {
                "acknowledged": True}
        expect_error(close.answer(), 409, "status_exception",
            "Close job interrupted by kill request")
        d.make_job("j", job())
        d.fail_job("j")
        expect_error(d.request("DELETE", path("j")), 409, "status_exception",
            text % "failed")
        d.delete_job("j", query="?force=true")
        assert d.get(path("j")).status == 404


# ---- upgrade mode

PAUSED = "persistent task cannot be assigned while upgrade mode is enabled."


def upgrade(d, query, base=ML):
    return d.request("POST", base + "/set_upgrade_mode" + query)


def upgrade_mode(d):
    return d.get(ML + "/info").json["upgrade_mode"]


def test_jobs_rest_in_upgrade_mode():
    with Daemon() as d:
        d.make_job("open", job())
        d.put_job("closed", job())
        d.post("open", [{"time": T0, "v": 1}])
        assert upgrade_mode(d) is False
        assert expect(200, upgrade(d, "?enabled=true&timeout=20s")) == {
            "acknowledged": True}
        assert expect(200, upgrade(d, "?enabled")) == {"acknowledged": True}
        assert upgrade_mode(d) is True
        assert d.pids_of("anomd-worker") == [], "nothing writes"
        stats = d.stats("open")
        assert stats["state"] == "opened", stats
        assert stats["assignment_explanation"] == PAUSED, stats
        assert "node" not in stats and "open_time" not in stats, stats
        expect_error(post(d, "closed", "/_open"), 429, "status_exception",
            "Cannot open jobs when upgrade mode is enabled")
        expect_error(post(d, "open", "/_open"), 409, "status_exception",
            "Cannot open job [open] because it has already been opened")
        expect_error(post(d, "closed", "/_reset"), 409, "status_exception",
            "cannot reset job while indices are being upgraded")
        reason = ("Cannot perform requested action because job [open] is "
            "not open")
        expect_error(d.try_post("open", [{"time": T0, "v": 1}]), 409,
            "status_exception", reason)
        expect_error(post(d, "open", "/_flush"), 409, "status_exception",
            reason)
        expect_error(d.request("DELETE", path("open")), 409,
            "status_exception",
            "Cannot delete job [open] because the job is opened")
        d.restart()
        assert upgrade_mode(d) is True, "it outlives the daemon"
        assert d.stats("open")["assignment_explanation"] == PAUSED
        assert expect(200, upgrade(d, "", base=XPACK)) == {
            "acknowledged": True}
        assert upgrade_mode(d) is False
        wait_until(lambda: d.stats("open")["state"] == "opened", 10,
            "opened again")
        stats = d.stats("open")
        assert stats["assignment_explanation"] == "" and stats["node"], stats
        check_counts(stats["data_counts"], processed_record_count=1)
        check_counts(d.post("open", [{"time": T0 + 60, "v": 1}]),
            processed_record_count=1)
        d.open_job("closed")


def test_resting_jobs_can_be_closed_and_deleted():
    with Daemon() as d:
        for name in ("a", "b", "c"):
            d.make_job(name, job())
        expect(200, upgrade(d, "?enabled=true"))
        assert d.close_job("a") == {"closed": True}
        assert d.close_job("b", query="?force=true") == {"closed": True}
        d.delete_job("c", query="?force=true")
        assert [state(d, n) for n in ("a", "b")] == ["closed"] * 2
        expect(200, upgrade(d, "?enabled=false"))
        assert [state(d, n) for n in ("a", "b")] == ["closed"] * 2
        d.open_job("a")


def test_one_change_of_upgrade_mode_at_a_time():
    with Daemon() as d:
        d.make_job("j", job())
        with frozen(d.worker_pid("j")):
            first = upgrade(d, "?enabled=true&timeout=1s")
            expect_error(first, 408, "status_exception",
                "Changing [upgrade_mode] timed out after [1s]")
            expect_error(upgrade(d, "?enabled=false"), 429,
                "status_exception", "Cannot change [upgrade_mode]. Previous "
                "request is still being processed.")
        def done():
            return upgrade(d, "?enabled=true").status == 200
        wait_until(done, 10, "the change to end")
        assert d.stats("j")["assignment_explanation"] == PAUSED
        expect(200, upgrade(d, "?enabled=false"))
        wait_until(lambda: state(d, "j") == "opened", 10, "opened")
        for query, reason in (("?enabled=x", "Failed to parse value [x] as "
                "only [true] or [false] are allowed."),
                ("?timeout=5y", "failed to parse setting [timeout] with "
                "value [5y] as a time value: unit is missing or "
                "unrecognized")):
            expect_error(upgrade(d, query), 400,
                "illegal_argument_exception", reason)
