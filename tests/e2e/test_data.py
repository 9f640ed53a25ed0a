"""Posting data: what is counted, what is answered, what is dropped."""

import contextlib

from harness import *


def minute_job(**more):
    """Two analysis fields, a and b; buckets of a minute."""
    return job(span="60s", field="a", by_field_name="b", **more)


# ---- the published example

PUBLISHED = {
    "job_id": "it_ops_new_kpi",
    "processed_record_count": 21435,
    "processed_field_count": 64305,
    "input_bytes": 2589063,
    "input_field_count": 85740,
    "invalid_date_count": 0,
    "missing_field_count": 0,
    "out_of_order_timestamp_count": 0,
    "empty_bucket_count": 16,
    "sparse_bucket_count": 0,
    "bucket_count": 2165,
    "earliest_record_timestamp": 1454020569000,
    "latest_record_timestamp": 1455318669000,
    "last_data_time": None,     # the clock's
    "latest_empty_bucket_timestamp": 1454541600000,
    "input_record_count": 21435,
}

CALL = ('curl -s -H "Content-type: application/json" -X POST '
    'http://localhost:9200%s/anomaly_detectors/it_ops_new_kpi/_data '
    '--data-binary @it_ops_new_kpi.json')


def example_data():
    return subprocess.run([os.path.join(TOP, "dev", "example-data")],
        check=True, stdout=subprocess.PIPE).stdout


def kpi_job():
    return job(span="10m", field="events_per_min", time_field="timestamp",
        time_format="epoch_ms", by_field_name="kpi_indicator",
        partition_field_name="host", influencers=["kpi_indicator", "host"])


def published_example(base):
    with Daemon() as d, tempfile.TemporaryDirectory() as where:
        with open(os.path.join(where, "it_ops_new_kpi.json"), "wb") as f:
            f.write(example_data())
        d.put_job("it_ops_new_kpi", kpi_job(), base=base)
        d.open_job("it_ops_new_kpi", base=base)
        call = (CALL % base).replace(":9200", ":%d" % d.port)
        before = int(time.time() * 1000)
        out = subprocess.run(call, shell=True, cwd=where, check=True,
            stdout=subprocess.PIPE).stdout
        got = json.loads(out)
        assert list(got) == list(PUBLISHED), list(got)
        clock = got["last_data_time"]
        assert before <= clock <= time.time() * 1000, clock
        assert got == dict(PUBLISHED, last_data_time=clock), got
        # The status, which the published call does not show.
        assert subprocess.run(call.replace("curl -s",
            "curl -s -o /dev/null -w '%{http_code}'"), shell=True, cwd=where,
            stdout=subprocess.PIPE).stdout == b"202"


def test_published_example_word_for_word():
    published_example(XPACK)


def test_published_example_on_the_new_path():
    published_example(ML)


def test_planted_anomaly_is_the_top_record_and_the_top_bucket():
    with Daemon() as d:
        d.make_job("kpi", kpi_job())
        d.post("kpi", example_data())
        d.flush("kpi")
        record = d.results("kpi", "records",
            "?sort=record_score&desc=true&size=1")["records"][0]
        bucket = d.results("kpi", "buckets",
            "?sort=anomaly_score&desc=true&size=1")["buckets"][0]
        start = 1454020200000 + 1900 * 600000
        assert start <= record["timestamp"] <= start + 2 * 600000, record
        assert start <= bucket["timestamp"] <= start + 2 * 600000, bucket
        assert record["by_field_value"] == "logins", record
        assert record["partition_field_value"] == "web-2", record
        assert bucket["anomaly_score"] > 25, bucket


# ---- vectors

def test_counts_of_two_records_and_the_flush_after_them():
    with Daemon() as d:
        d.make_job("farequote", job(function="metric", field="responsetime",
            by_field_name="airline"))
        body = (b'{"airline":"AAL","responsetime":132.2046,'
            b'"sourcetype":"x","time":1403481600}\n'
            b'{"airline":"JZA","responsetime":990.4628,'
            b'"sourcetype":"x","time":1403481700}')
        got = d.post("farequote", body)
        check_counts(got, processed_record_count=2, processed_field_count=4,
            input_field_count=6, invalid_date_count=0, missing_field_count=0,
            out_of_order_timestamp_count=0, bucket_count=1,
            empty_bucket_count=0, input_record_count=2,
            input_bytes=len(body), earliest_record_timestamp=1403481600000,
            latest_record_timestamp=1403481700000,
            latest_empty_bucket_timestamp=None,
            latest_sparse_bucket_timestamp=None)
        assert d.flush("farequote") == {"flushed": True,
            "last_finalized_bucket_end": 1403481600000}


def test_flush_without_data_has_no_bucket_end():
    with Daemon() as d:
        d.make_job("j", job())
        assert d.flush("j") == {"flushed": True}
        assert d.flush("j", base=XPACK) == {"flushed": True,
            "last_finalized_bucket_end": 0}


def test_skipped_time_gives_no_results():
    with Daemon() as d:
        d.make_job("j", job(by_field_name="k"))
        d.post("j", [{"time": 1403481600, "v": 1, "k": "a"},
            {"time": 1403485200, "v": 1, "k": "a"}])
        assert d.flush("j", "?skip_time=1403488700")[
            "last_finalized_bucket_end"] == 1403488800000
        got = d.post("j", [{"time": 1403488600, "v": 1, "k": "a"},
            {"time": 1403488700, "v": 1, "k": "a"}])
        check_counts(got, processed_record_count=2,
            out_of_order_timestamp_count=0)
        d.post("j", [{"time": 1403488900, "v": 1, "k": "a"},
            {"time": 1403492400, "v": 1, "k": "a"}])
        d.close_job("j")
        page = d.results("j", "buckets")
        assert [(b["timestamp"], b["event_count"]) for b in
            page["buckets"]] == [(1403481600000, 1), (1403488800000, 1)], page


def test_values_as_strings_count_as_numbers_do():
    with Daemon() as d:
        d.make_job("j", job(field="responsetime", by_field_name="airline"))
        for when in ("1403481600", "1403481700", "1403485200"):
            d.post("j", [{"airline": "AAL", "responsetime": "132.2046",
                "time": when}])
        d.flush("j")
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=3,
            processed_field_count=6, input_field_count=6)
        assert stats["timing_stats"]["bucket_count"] == 1, stats


def test_every_reason_to_drop_a_record_is_counted():
    with Daemon() as d:
        d.make_job("j", minute_job())
        got = d.post("j", [
            at(0, a=1, b="x"),
            at(10, a=1),                        # b is missing
            at(300, a=1, b="x"),
            at(30, a=1, b="x"),                 # out of order
            {"a": 1, "b": "x"},                 # no time
            {"time": "abc", "a": 1, "b": "x", "c": 1},
        ])
        check_counts(got, processed_record_count=3, invalid_date_count=2,
            out_of_order_timestamp_count=1, missing_field_count=2,
            processed_field_count=4, input_field_count=11,
            input_record_count=6, bucket_count=6, empty_bucket_count=4,
            sparse_bucket_count=0,
            latest_empty_bucket_timestamp=(T0 + 240) * 1000,
            earliest_record_timestamp=T0 * 1000,
            latest_record_timestamp=(T0 + 300) * 1000)

        got = d.post("j", [at(359, a=1, b="x")])
        check_counts(got, processed_record_count=1, bucket_count=0,
            empty_bucket_count=0, earliest_record_timestamp=None)
        got = d.post("j", [at(420, a=1, b="x")])
        check_counts(got, processed_record_count=1, bucket_count=2,
            empty_bucket_count=1,
            latest_empty_bucket_timestamp=(T0 + 360) * 1000)
        check_counts(d.stats("j")["data_counts"], processed_record_count=5,
            bucket_count=8, empty_bucket_count=5, input_record_count=8,
            earliest_record_timestamp=T0 * 1000,
            latest_record_timestamp=(T0 + 420) * 1000)


def test_sparse_bucket_is_told_from_its_neighbours():
    with Daemon() as d:
        d.make_job("j", minute_job())
        counts = [100] * 9 + [5, 100]
        records = [at(60 * i + k // 2, a=1, b="x")
            for i, n in enumerate(counts) for k in range(n)]
        check_counts(d.post("j", records), bucket_count=11,
            empty_bucket_count=0, sparse_bucket_count=1,
            latest_sparse_bucket_timestamp=(T0 + 540) * 1000)


def test_nested_objects_and_arrays_are_flattened():
    with Daemon() as d:
        d.make_job("j", job(field="a.b", by_field_name="a.c"))
        got = d.post("j", b'{"a":{"b":1,"c":[1,null,"x"]},"time":1}')
        check_counts(got, processed_record_count=1, input_field_count=2,
            processed_field_count=2, missing_field_count=0)


def test_documents_may_come_in_any_wrapping():
    with Daemon() as d:
        d.make_job("j", job())
        for body, count in (
            (b'[{"time":1403481600,"v":1},{"time":1403481601,"v":2}]', 2),
            (b'{"time":1403481602,"v":1}{"time":1403481603,"v":null}', 2),
            (b'{"time":1403481604,\n"v":1}\n\n\n', 1),
            (b' [ [{"time":1403481605,"v":1}] ] {"time":1403481606,"v":1}',
                2),
            (b'', 0),
        ):
            got = d.post("j", body)
            check_counts(got, processed_record_count=count,
                missing_field_count=0, input_bytes=len(body),
                input_record_count=count)


def test_duplicate_key_last_one_wins():
    with Daemon() as d:
        d.make_job("j", job(function="max"))
        d.post("j", b'{"time":1,"time":1403481600,"v":1}')
        check_counts(d.stats("j")["data_counts"],
            earliest_record_timestamp=T0 * 1000)


# ---- time

TIMES = (
    # format, text as JSON, epoch ms or None for an invalid date
    ("epoch", '1403481600', 1403481600000),
    ("epoch", '1403481600.9', 1403481600000),
    ("epoch", '"1403481600"', 1403481600000),
    ("epoch", '"14e8"', 1400000000000),
    ("epoch", '""', None),
    ("epoch", 'null', None),
    ("epoch", '"2014-06-23"', None),
    ("epoch_ms", '1403481600123', 1403481600123),
    ("epoch_ms", '"1403481600123.7"', 1403481600123),
    ("epoch_ms", 'true', None),
    ("yyyy-MM-dd HH:mm:ss", '"2014-06-23 00:00:00"', 1403481600000),
    ("yyyy-MM-dd HH:mm:ss", '"2014-06-23T00:00:00"', None),
    ("yyyy-MM-dd HH:mm:ssX", '"2014-06-23 01:00:00+01"', 1403481600000),
    ("yyyy-MM-dd'T'HH:mm:ssX", '"2014-06-23T00:00:00Z"', 1403481600000),
    ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", '"2014-06-23T02:00:00.250+02:00"',
        1403481600250),
    ("yyyyMMddHHmmss", '"20140623000000"', 1403481600000),
    ("dd/MMM/yyyy:HH:mm:ss Z", '"23/Jun/2014:00:00:00 +0000"',
        1403481600000),
)


def test_every_time_format():
    with Daemon() as d:
        for n, (layout, text, want) in enumerate(TIMES):
            name = "t%d" % n
            d.make_job(name, job(time_format=layout))
            got = d.post(name, '{"time":%s,"v":1}' % text)
            if want is None:
                check_counts(got, invalid_date_count=1,
                    processed_record_count=0, latest_record_timestamp=None)
            else:
                assert got.get("latest_record_timestamp") == want, (layout,
                    text, got)
            d.delete_job(name, query="?force=true")


def test_latency_keeps_late_records():
    with Daemon() as d:
        config = minute_job()
        config["analysis_config"]["latency"] = "2m"
        d.make_job("j", config)
        d.post("j", [at(300, a=1, b="x")])
        got = d.post("j", [at(180, a=1, b="x")])
        check_counts(got, processed_record_count=1,
            out_of_order_timestamp_count=0)
        got = d.post("j", [at(179, a=1, b="x")])
        # An upload of late records alone still tells its own latest time.
        check_counts(got, processed_record_count=0,
            out_of_order_timestamp_count=1,
            latest_record_timestamp=(T0 + 179) * 1000)
        check_counts(d.stats("j")["data_counts"],
            latest_record_timestamp=(T0 + 300) * 1000)


def test_order_within_the_current_bucket_is_free():
    with Daemon() as d:
        d.make_job("j", job())
        got = d.post("j", [at(3599, v=1), at(0, v=1), at(1800, v=1)])
        check_counts(got, processed_record_count=3,
            out_of_order_timestamp_count=0,
            earliest_record_timestamp=(T0 + 3599) * 1000,
            latest_record_timestamp=(T0 + 3599) * 1000)


def test_reset_forgets_the_buckets_of_its_range():
    with Daemon() as d:
        config = minute_job()
        config["analysis_config"]["latency"] = "5m"
        d.make_job("j", config)
        d.post("j", [at(0, a=1, b="x"), at(10, a=1, b="x"),
            at(61, a=1, b="x")])
        d.post("j", [at(30, a=1, b="x")], query="?reset_start=%d&reset_end=%d"
            % (T0, T0 + 60))
        d.flush("j", "?advance_time=%d" % (T0 + 1200))
        page = d.results("j", "buckets", "?start=%d000&end=%d000" % (T0,
            T0 + 120))
        assert [b["event_count"] for b in page["buckets"]] == [1, 1], page
        check_counts(d.stats("j")["data_counts"], processed_record_count=4)


def test_reset_range_is_checked():
    with Daemon() as d:
        d.make_job("j", job())
        response = d.try_post("j", [at(0, v=1)],
            query="?reset_start=2000&reset_end=1000")
        expect_error(response, 400, "illegal_argument_exception",
            "Invalid time range: end time '1000' is earlier than start time "
            "'2000'.")
        response = d.try_post("j", [at(0, v=1)], query="?reset_start=never")
        expect_error(response, 400, "parse_exception",
            "Query param [start] with value [never] cannot be parsed as a "
            "date or converted to a number (epoch).")
        check_counts(d.stats("j")["data_counts"], input_record_count=0)
        d.post("j", [at(0, v=1)], query="?reset_end=1000")


# ---- malformed

def test_fault_inside_a_document_costs_that_document_only():
    with Daemon() as d:
        d.make_job("j", job())
        got = d.post("j", b'{"time":1403481600,"v":1}\n'
            b'{"time":1403481601,"v":2,!}\n{"time":1403481602,"v":3}\n')
        check_counts(got, processed_record_count=3,
            latest_record_timestamp=1403481602000)


def test_malformed_end_is_refused_and_what_came_before_stands():
    with Daemon() as d:
        d.make_job("j", job())
        response = d.try_post("j", b'{"time":1403481600,"v":1}\n'
            b'{"time":1403481601,"v":2}\n{"time":14034')
        expect_error(response, 400, "parse_exception",
            "The input JSON data is malformed.")
        stats = d.stats("j")
        assert stats["state"] == "opened", stats
        check_counts(stats["data_counts"], processed_record_count=2)
        check_counts(d.post("j", [at(60, v=1)]), processed_record_count=1)


def test_garbage_is_refused():
    with Daemon() as d:
        d.make_job("j", job())
        for body in (b"{" * 5000, b'{"a":"' + b"x" * 100000,
                b'{"a":' * 1000):
            response = d.try_post("j", body)
            assert response.status == 400, (body[:20], response)
        # No more than a hundred faults, but stray words are none.
        d.post("j", b"null true 1 \"x\"")
        check_counts(d.stats("j")["data_counts"], processed_record_count=0)


# ---- encodings

def test_compressed_bodies_count_what_they_expand_to():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i % 7) for i in range(3000)])
        for encoding in ("gzip", "zstd"):
            for data in (compressed(body, encoding),
                    compressed(body[:90], encoding) +
                    compressed(body[90:], encoding)):
                got = d.post("j", data, headers={
                    "Content-Encoding": encoding})
                check_counts(got, processed_record_count=3000,
                    input_bytes=len(body))


def test_broken_compression_drops_the_upload_whole():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i % 7) for i in range(30000)])
        for encoding in ("gzip", "zstd"):
            good = compressed(body, encoding)
            flipped = bytearray(good)
            flipped[len(good) // 2] ^= 0x55
            for data in (good[:-20], good[:len(good) // 2], bytes(flipped),
                    good + b"trailing", body):
                response = d.try_post("j", data, headers={
                    "Content-Encoding": encoding})
                assert response.status == 400, (encoding, len(data), response)
        check_counts(d.stats("j")["data_counts"], input_record_count=0)
        response = d.try_post("j", body, headers={"Content-Encoding": "br"})
        assert 400 <= response.status < 500, response


def test_expansion_is_bounded():
    with Daemon(max_body_size="1mb") as d:
        d.make_job("j", job())
        bomb = gzip.compress(b" " * 300_000_000)
        assert len(bomb) < 1 << 20
        response = d.try_post("j", bomb, headers={
            "Content-Encoding": "gzip"})
        assert response.status in (400, 413), response
        check_counts(d.stats("j")["data_counts"], input_bytes=0)


def raw_post(parts, trailer=b"", headers=b""):
    return (b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
        b"Host: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\n" + headers +
        b"Transfer-Encoding: chunked\r\n\r\n" + chunked(parts, trailer))


def test_chunked_body_with_extensions_and_trailers():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i) for i in range(20)])
        cut = [body[i:i + 7] for i in range(0, len(body), 7)]
        answer = d.raw(raw_post(cut, b"X-Sum: 1\r\n"))
        assert answer.startswith(b"HTTP/1.1 202 "), answer
        assert b'"processed_record_count":20' in answer, answer
        extended = raw_post([body]).replace(b"\r\n{", b';n="v;w"\r\n{', 1)
        answer = d.raw(extended)
        assert answer.startswith(b"HTTP/1.1 202 "), answer
        check_counts(d.stats("j")["data_counts"], processed_record_count=40)


def test_bad_chunk_drops_the_upload_whole():
    with Daemon() as d:
        d.make_job("j", job())
        good = raw_post([ndjson([at(0, v=1)])])
        for bad in (good.replace(b"0\r\n\r\n", b"zz\r\n\r\n"),
                good.replace(b"}\n\r\n", b"}\n\n"),
                good.replace(b"}\n\r\n", b"}\nxx\r\n")):
            answer = d.raw(bad)
            assert answer.startswith(b"HTTP/1.1 400 "), answer
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


def test_expect_continue_is_answered_before_the_body():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(0, v=1)])
        with d.socket() as s:
            s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                b"Host: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\n"
                b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" %
                len(body))
            assert s.recv(100).startswith(b"HTTP/1.1 100 ")
            s.sendall(body)
            assert read_all(s).startswith(b"HTTP/1.1 202 ")


def test_answer_is_compressed_when_asked():
    with Daemon() as d:
        d.make_job("j", job())
        response = d.get("/_ml/anomaly_detectors/j/_stats", headers={
            "Accept-Encoding": "gzip"})
        assert response.headers.get("content-encoding") == "gzip", response
        assert response.json["jobs"][0]["job_id"] == "j"


# ---- what is no document

def test_content_types_of_all_clients_are_taken():
    with Daemon() as d:
        d.make_job("j", job())
        for kind in ("application/json", "application/json; charset=UTF-8",
                "application/x-ndjson", "text/plain",
                "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
                "application/vnd.elasticsearch+json;compatible-with=8"):
            accept = {"Accept": kind} if "vnd" in kind else {}
            response = d.try_post("j", [at(0, v=1)], headers=dict(accept,
                **{"Content-Type": kind}))
            assert response.status == 202, (kind, response)
        response = d.try_post("j", [at(0, v=1)], headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        assert response.status == 406, response
        assert response.json == {"error": "Content-Type header "
            "[application/x-www-form-urlencoded] is not supported",
            "status": 406}, response


def test_too_large_a_body_is_413_that_the_client_can_read():
    with Daemon(max_body_size="1mb") as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i, pad="x" * 60) for i in range(60000)])
        response = d.try_post("j", body)
        assert response.status == 413, response
        assert response.json["status"] == 413, response
        assert response.json["error"]["reason"] == ("the body is too large: "
            "[at most 1048576 bytes, the configuration key max_body_size]"), (
            response)
        response = d.request("PUT", ML + "/anomaly_detectors/k", b" " * 600000,
            {"Content-Type": "application/json"})
        assert response.status == 413, response
        assert response.json["error"]["reason"] == (
            "the body is too large: [at most 262144 bytes]"), response
        answer = d.raw(raw_post([body]), seconds=30)
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


def test_delimited_data_of_old_jobs():
    with Daemon() as d:
        config = job(field="v", by_field_name="k")
        config["data_description"].update(format="delimited",
            field_delimiter=",")
        d.put_job("j", config, base=XPACK)
        d.open_job("j", base=XPACK)
        got = d.post("j", 'time,k,v,note\n1403481600,a,1,"x, ""y""\nz"\n'
            '1403481601,b,2,\n1403481602,b\n', base=XPACK)
        check_counts(got, processed_record_count=3, missing_field_count=1,
            input_field_count=9, processed_field_count=5)
        response = d.try_post("j", "time,k,w\n1403481600,a,1\n", base=XPACK)
        assert response.status == 400, response
        assert response.error["type"] == "illegal_argument_exception"
        check_counts(d.post("j", "", base=XPACK), input_record_count=0)


# ---- the client leaves

def test_client_that_leaves_before_the_end_is_not_counted():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i) for i in range(100000)])
        for size in (len(body) // 2, 100, 0):
            with d.socket() as s:
                s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                    b"Host: localhost\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body[:size])
                time.sleep(0.1)
        # The uploads are gone when a later one is answered.
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        check_counts(d.stats("j")["data_counts"], input_record_count=1)


def test_client_that_leaves_after_the_end_is_counted():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i) for i in range(50000)])
        with d.socket() as s:
            s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: d.stats("j")["data_counts"][
            "processed_record_count"] == 50000, 20, "the upload to count")


def test_counts_survive_close_and_open():
    with Daemon() as d:
        d.make_job("j", minute_job())
        d.post("j", [at(i, a=1, b="x") for i in range(0, 600, 60)])
        before = d.stats("j")["data_counts"]
        d.close_job("j")
        closed = d.stats("j")
        assert closed["state"] == "closed"
        d.open_job("j")
        after = d.stats("j")["data_counts"]
        for counts in (before, closed["data_counts"], after):
            with contextlib.suppress(KeyError):
                del counts["log_time"]
        assert before == closed["data_counts"] == after, (before, after)
        got = d.post("j", [at(660, a=1, b="x")])
        check_counts(got, processed_record_count=1, bucket_count=2,
            empty_bucket_count=1, earliest_record_timestamp=None)
