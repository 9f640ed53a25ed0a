"""Workers that die at the same place again and again.

Ten deaths in a row are followed by another start, and with the next one the
job fails, with the cause and nothing lost; it does so too where other requests
are answered between the deaths.
"""

from harness import *
from test_quarantine import crashing, job_dir

ML_JOBS = ML + "/anomaly_detectors"


def flag(d, name, job_id="j"):
    return os.path.join(job_dir(d, job_id), name)


def set_flag(d, name, job_id="j"):
    with open(flag(d, name, job_id), "w"):
        pass


def fast(where, **options):
    """Without the pauses, ten deaths take ten seconds."""
    return Daemon(libexec_dir=where, max_restart_delay="1s", **options)


def wait_failed(d, job_id="j"):
    def failed():
        stats = d.stats(job_id)
        return stats if stats["state"] == "failed" else None
    return wait_until(failed, 60, "failed")


def check_failed(d, stats, cause):
    """It says why, the log does, and it can be had back."""
    assert cause in stats["recovery"]["last_death"], stats
    assert cause in stats["assignment_explanation"], stats
    assert re.search(r"-> FAILED: .*" + re.escape(cause), d.log()), \
        d.log()[-3000:]
    died = d.log().count("another one is started")
    assert died == 10, "%d deaths were followed by a start" % died


def reopen(d, flag_name, records, unanswered=0):
    """Without what killed, all is as it was.

    unanswered: posts of one record that were told of no success, though they
    may be in the journal.
    """
    os.unlink(flag(d, flag_name))
    expect(200, d.request("POST", ML_JOBS + "/j/_close?force=true"))
    d.open_job("j")
    have = d.stats("j")["data_counts"]["processed_record_count"]
    assert records <= have <= records + unanswered, (records, have)


def test_deaths_at_the_start_are_counted():
    with crashing() as where, fast(where) as d:
        d.make_job("j", job())
        d.make_job("other", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        other = d.worker_pid("other")
        set_flag(d, "kill-at-start")
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        waiting = in_background(d.try_post, "j", [at(20, v=1)])
        stats = wait_failed(d)
        check_failed(d, stats, "signal 9")
        r = waiting()
        assert r.status == 500, r
        assert "signal 9" in r.error["reason"], r
        reopen(d, "kill-at-start", 10)
        check_counts(d.post("j", [at(30, v=1)]), processed_record_count=1)
        assert d.worker_pid("other") == other


def test_answer_in_between_starts_the_count_anew():
    with crashing() as where, fast(where) as d:
        d.make_job("j", job())
        for n in range(12):
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            check_counts(d.post("j", [at(n, v=1)]), processed_record_count=1)
        assert d.stats("j")["state"] == "opened"
        assert d.stats("j")["recovery"]["restarts"] == 12


def test_deaths_while_it_closes_are_counted():
    with crashing() as where, fast(where) as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        set_flag(d, "abort-at-close")
        closing = in_background(d.request, "POST", ML_JOBS + "/j/_close",
            seconds=90)
        check_failed(d, wait_failed(d), "signal 6")
        assert closing().status == 500, closing()
        reopen(d, "abort-at-close", 10)
        d.close_job("j")


def test_deaths_on_the_way_to_rest_are_counted():
    with crashing() as where, fast(where) as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        set_flag(d, "kill-at-close")
        resting = in_background(d.request, "POST",
            ML + "/set_upgrade_mode?enabled=true", seconds=90)
        check_failed(d, wait_failed(d), "signal 9")
        assert resting().status == 200, resting()
        expect(200, d.request("POST",
            ML + "/set_upgrade_mode?enabled=false"))
        reopen(d, "kill-at-close", 10)


def test_removal_of_results_that_kills_twice_is_given_up():
    with crashing() as where, fast(where) as d:
        d.make_job("j", dict(job(), results_retention_days=1))
        d.post("j", [at(i * 1800, v=i) for i in range(200)])
        set_flag(d, "abort-at-expire")
        r = d.request("DELETE", ML + "/_delete_expired_data", seconds=60)
        assert r.status == 500 and "died twice" in r.error["reason"], r
        stats = d.stats("j")
        assert stats["state"] == "opened", stats
        assert stats["recovery"]["restarts"] == 2, stats
        assert "quarantine" not in stats, stats
        check_counts(d.post("j", [at(400000, v=1)]), processed_record_count=1)
        os.unlink(flag(d, "abort-at-expire"))
        assert expect(200, d.request("DELETE", ML +
            "/_delete_expired_data")) == {"deleted": True}
        assert d.results("j", "buckets")["count"] < 100


def test_deaths_in_a_removal_are_counted_though_posts_are_answered():
    with crashing() as where, fast(where) as d:
        d.make_job("j", dict(job(), results_retention_days=1))
        d.post("j", [at(i * 1800, v=i) for i in range(200)])
        set_flag(d, "kill-at-expire")
        removing = in_background(d.request, "DELETE",
            ML + "/_delete_expired_data", seconds=90)
        taken, n = 200, 0
        while d.stats("j")["state"] != "failed":
            n += 1
            r = d.try_post("j", [at(400000 + n, v=1)])
            taken += r.status == 202
            assert n < 1000, "it does not fail"
        assert taken > 202, "nothing was answered between the deaths"
        check_failed(d, wait_failed(d), "signal 9")
        assert removing().status == 500, removing()
        reopen(d, "kill-at-expire", taken, unanswered=200 + n - taken)


def test_a_start_that_lacks_memory_is_tried_again():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        told = os.path.join(job_dir(d, "j"), "no-memory-at-start")
        with open(told, "w"):
            os.kill(d.worker_pid("j"), signal.SIGKILL)

        def lacked():
            return "state of the job: Cannot allocate memory" in (
                d.stats("j").get("recovery", {}).get("last_death", ""))
        wait_until(lacked, 30, "a start without memory")
        assert d.stats("j")["state"] != "failed", d.stats("j")
        os.unlink(told)
        check_counts(d.post("j", [at(20, v=1)]), processed_record_count=1)
        check_counts(d.stats("j")["data_counts"], processed_record_count=11)
        # Who asks for it is told at once.
        d.close_job("j")
        with open(told, "w"):
            pass
        refused = d.request("POST", ML + "/anomaly_detectors/j/_open")
        assert "Cannot allocate memory" in refused.error["reason"], refused
        os.unlink(told)
        d.open_job("j")
