"""Requests that are no HTTP: refused, and the connection ends."""

from harness import *

HOST = b"Host: localhost\r\n"
POST = b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n" + HOST + \
    b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

# Each of these has been used to slip a second request past a proxy, or is
# what such a request is made of.
REFUSED = {
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "a bare line feed after a header": b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n",
    "space before the colon": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\nA: b\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "a hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 3\r\n\r\n{}",
    "a length beyond 64 bits": POST + b"Content-Length: " + b"9" * 30 +
        b"\r\n\r\n{}",
    "length and coding": POST + b"Content-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
        b"0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "coding in 1.0": POST.replace(b"1.1", b"1.0") +
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "version 1.9": b"GET / HTTP/1.9\r\n" + HOST + b"\r\n",
    "version 2": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "a lower-case protocol": b"GET / http/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control byte in the target": b"GET /\x01 HTTP/1.1\r\n" + HOST +
        b"\r\n",
    "a control byte in a value": b"GET / HTTP/1.1\r\n" + HOST +
        b"A: b\x00c\r\n\r\n",
    "a control byte in a name": b"GET / HTTP/1.1\r\n" + HOST +
        b"A\x7f: b\r\n\r\n",
    "an empty name": b"GET / HTTP/1.1\r\n" + HOST + b": b\r\n\r\n",
    "no size": CHUNKED + b"\r\n\r\n",
    "a signed size": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
    "a prefixed size": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size beyond 64 bits": CHUNKED + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "other bytes after a chunk": CHUNKED + b"2\r\n{}xx0\r\n\r\n",
    "a line feed after a chunk": CHUNKED + b"2\r\n{}\n0\r\n\r\n",
    "a line feed in an extension": CHUNKED + b"2;a=b\n{}\r\n0\r\n\r\n",
    "a line feed after a size": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
}


def test_every_refused_shape_ends_its_connection():
    with Daemon(head_timeout="5s") as d:
        d.make_job("j", job())
        smuggled = b"GET /_ml/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
        for name, request in REFUSED.items():
            answer = d.raw(request + smuggled)
            status = answer.split(b" ", 2)[1:2]
            assert status in ([b"400"], [b"505"]), (name, answer[:200])
            answers = re.findall(rb"HTTP/1\.1 \d\d\d ", answer)
            assert len(answers) == 1, (name, answer)
            assert b"smuggled" not in answer, (name, answer)
        counts = d.stats("j")["data_counts"]
        check_counts(counts, input_record_count=0, input_bytes=0)


def test_too_large_a_head_is_refused():
    with Daemon(max_head_size="4kb") as d:
        for request in (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 9000,
                b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 2000):
            answer = d.raw(request)
            assert answer[9:12] in (b"400", b"414", b"431"), answer[:100]
        assert d.get("/").status == 200


def test_pipelined_requests_are_answered_in_their_order():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([{"time": 1403481600, "v": i} for i in range(500)])
        one = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
        names = [b"/_ml/absent%d" % n for n in range(5)]
        stream = b"".join(one + b"GET " + n + b" HTTP/1.1\r\n" + HOST +
            b"\r\n" for n in names)
        last = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
        answer = d.raw(stream + last, seconds=20)
        assert answer.count(b"HTTP/1.1 202 ") == 5, answer
        places = [answer.index(n) for n in names]
        assert places == sorted(places), places
        assert answer.rstrip().endswith(b"}") and b"You Know" in answer[
            places[-1]:], answer


def test_old_and_new_connections_live_as_they_should():
    with Daemon() as d:
        old = b"GET / HTTP/1.0\r\n" + HOST
        assert b"You Know" in d.raw(old + b"\r\n")
        with d.socket() as s:
            for _ in range(3):
                s.sendall(old + b"Connection: keep-alive\r\n\r\n")
                assert b"200 OK" in s.recv(65536)
        connection = d.connect()
        sockets = set()
        for _ in range(5):
            connection.request("GET", "/")
            assert b"You Know" in connection.getresponse().read()
            sockets.add(connection.sock.fileno())
        assert len(sockets) == 1, "the connection is kept"
        connection.close()


def test_get_and_delete_may_have_bodies():
    """Whether a route wants it or not, the body is read off the stream."""
    with Daemon() as d:
        d.put_job("j", job())
        connection = d.connect()
        for method, path, status in (
            ("GET", "/_ml/anomaly_detectors/j/results/buckets", 200),
            ("GET", "/", 200),
            ("DELETE", "/_ml/anomaly_detectors/absent", 404),
            ("GET", "/_ml/anomaly_detectors/j/results/records", 200),
        ):
            connection.request(method, path, body=b'{"exclude_interim":true}',
                headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == status, (method, path, text)
        connection.close()


def test_absolute_form_and_escapes_in_the_target():
    with Daemon() as d:
        d.put_job("j", job())
        answer = d.raw(b"GET http://localhost/_ml/anomaly_detectors/j "
            b"HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        assert d.get("/_ml/anomaly_detectors/%6A").json["count"] == 1
        assert d.get("/_ml/anomaly_detectors/%zz").status == 400
        assert d.get("/_ml/anomaly_detectors/j%00").status == 400
