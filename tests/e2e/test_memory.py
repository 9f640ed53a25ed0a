"""Memory of models: the limit, and what is given up for want of data."""

from harness import *

T0 = 1403481600
SPAN = 600


def config(limit, **more):
    body = job(span="10m", function="count", field=None)
    detector = {"function": "count", "by_field_name": "host"}
    body["analysis_config"].update(detectors=[detector], **more)
    body["analysis_limits"] = {"model_memory_limit": limit}
    return body


def bucket(number, hosts):
    return [at(T0 + number * SPAN, host="host-%d" % h) for h in hosts]


def size(d, job_id):
    return d.stats(job_id)["model_size_stats"]


def test_limit_refuses_new_entities_and_pruning_makes_room():
    with Daemon() as d:
        d.make_job("j", config("1mb", model_prune_window="30m"))
        d.post("j", bucket(0, range(3000)))
        full = size(d, "j")
        assert full["memory_status"] == "hard_limit", full
        assert full["model_bytes"] <= 1 << 20, full
        assert full["model_bytes_memory_limit"] == 1 << 20, full
        assert full["model_bytes_exceeded"] > 0, full
        assert full["bucket_allocation_failures_count"] == 1, full
        assert 300 < full["total_by_field_count"] < 3000, full
        # those that are known go on, and all records are counted
        counts = d.post("j", bucket(1, range(10)))
        assert counts["processed_record_count"] == 10, counts
        for number in range(2, 6):
            d.post("j", bucket(number, range(10)))
        pruned = size(d, "j")
        assert pruned["total_by_field_count"] == 10, pruned
        assert pruned["model_bytes"] < full["model_bytes"] / 2, pruned
        assert pruned["peak_model_bytes"] >= full["model_bytes"], pruned
        # now others find room
        d.post("j", bucket(6, range(5000, 5100)))
        again = size(d, "j")
        assert again["total_by_field_count"] == 110, again
        assert again["bucket_allocation_failures_count"] == 1, again
        assert again["memory_status"] == "hard_limit", again
        d.close_job("j")
        d.open_job("j")
        opened = size(d, "j")
        assert opened["memory_status"] == "ok", opened
        assert opened["total_by_field_count"] == 110, opened


def test_what_was_given_up_stays_so_after_a_crash():
    with Daemon() as d:
        d.make_job("j", config("1mb", model_prune_window="30m"))
        d.post("j", bucket(0, range(200)))
        for number in range(1, 5):
            d.post("j", bucket(number, range(number, 20)))
        want = size(d, "j")
        assert want["total_by_field_count"] < 30, want
        d.kill()
        d.start()
        d.flush("j")
        got = size(d, "j")
        for key in ("total_by_field_count", "model_bytes",
                "peak_model_bytes", "bucket_allocation_failures_count"):
            assert got[key] == want[key], (key, got, want)
