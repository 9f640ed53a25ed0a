"""The limits of a connection, seen by a client: time, size, number, place."""

import select
import shutil

from harness import *

HOST = b"Host: localhost\r\n"
DATA = "/_ml/anomaly_detectors/j/_data"
JSON = b"Content-Type: application/json\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def post_head(*fields):
    """The head of a POST to the job j."""
    return b"POST " + DATA.encode() + b" HTTP/1.1\r\n" + HOST + JSON + \
        b"".join(f + b"\r\n" for f in fields) + b"\r\n"


def read_answer(s):
    """One answer with a Content-Length: (status, head, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = s.recv(65536)
        assert more, "closed after %r" % data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length.group(1)):
        more = s.recv(65536)
        assert more, "closed within a body"
        body += more
    return int(head.split()[1]), head, body


def closes_within(s, seconds):
    """True when the other side closes; what comes until then is dropped."""
    s.settimeout(seconds * PATIENCE)
    try:
        while s.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


# ---- time

def test_a_slow_head_is_told_so_however_steadily_it_drips():
    with Daemon(head_timeout="1s") as d, d.socket() as s:
        for byte in b"GET / HTTP/1.1\r\nHost: local":
            s.sendall(bytes([byte]))
            if select.select([s], [], [], 0.1)[0]:
                break
        status, head, body = read_answer(s)
        assert status == 408, head
        assert json.loads(body)["status"] == 408, body
        assert b"X-elastic-product: Elasticsearch" in head, head
        assert closes_within(s, 5)


def test_a_body_that_stalls_is_told_so_and_counts_nothing():
    with Daemon(body_timeout="1s") as d:
        d.make_job("j", job())
        with d.socket() as s:
            s.sendall(post_head(b"Content-Length: 1000") +
                b'{"time":1403481600,"v":1}\n')
            status, head, _ = read_answer(s)
            assert status == 408, head
            assert closes_within(s, 5)
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


def test_a_body_that_drips_is_told_so():
    with Daemon(body_timeout="1s") as d:
        d.make_job("j", job())
        with d.socket() as s:
            s.sendall(post_head(b"Content-Length: 1000"))
            for _ in range(100):
                s.sendall(b" ")
                if select.select([s], [], [], 0.1)[0]:
                    break
            assert read_answer(s)[0] == 408


def test_an_idle_connection_ends_without_a_word():
    with Daemon(idle_timeout="1s") as d, d.socket() as s:
        s.sendall(GET)
        assert read_answer(s)[0] == 200
        assert s.recv(100) == b""


# ---- number

def test_a_flood_of_silent_connections_keeps_nobody_out_for_long():
    with Daemon(max_connections=8) as d:
        flood = [d.socket() for _ in range(30)]
        try:
            with d.socket(30) as s:
                s.sendall(GET)
                assert read_answer(s)[0] == 200
        finally:
            for s in flood:
                s.close()
        assert d.log().count("others wait") <= 2, d.log()


def test_a_connection_beyond_the_limit_is_served_when_one_ends():
    with Daemon(max_connections=2) as d:
        first, second, third = d.socket(), d.socket(), d.socket()
        first.sendall(GET)
        assert read_answer(first)[0] == 200
        second.sendall(GET)
        assert read_answer(second)[0] == 200
        third.sendall(GET)
        assert not select.select([third], [], [], 0.3)[0]
        first.close()
        assert read_answer(third)[0] == 200
        second.close()
        third.close()


# ---- size

@timeout(120)
def test_413_is_read_by_a_client_that_sends_all_first():
    with Daemon(max_body_size="1mb") as d:
        d.make_job("j", job())
        block = b" " * (1 << 20)
        for field, begin, end in (
                (b"Content-Length: %d" % (100 << 20), b"", b""),
                (b"Transfer-Encoding: chunked", b"100000\r\n", b"\r\n")):
            with d.socket(60) as s:
                s.sendall(post_head(field))
                for _ in range(100):
                    s.sendall(begin + block + end)
                status, head, body = read_answer(s)
                assert status == 413, head
                assert json.loads(body)["status"] == 413, body
                assert b"Connection: close" in head, head
                assert closes_within(s, 10)
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


def test_the_rest_of_a_small_refused_body_costs_no_connection():
    with Daemon() as d, d.socket() as s:
        s.sendall(b"POST /_ml/absent HTTP/1.1\r\n" + HOST +
            b"Content-Length: 100\r\n\r\n" + b"x" * 50)
        assert read_answer(s)[0] in (400, 404, 405)
        s.sendall(b"x" * 50 + GET)
        assert read_answer(s)[0] == 200


# ---- the client that leaves

def test_a_client_that_leaves_within_its_body_counts_nothing():
    with Daemon() as d:
        d.make_job("j", job())
        lines = ndjson([{"time": 1403481600 + i, "v": 1} for i in range(500)])
        for fields, sent in (
                (b"Content-Length: %d" % (len(lines) + 1), lines),
                (b"Transfer-Encoding: chunked",
                    b"%x\r\n%s\r\n" % (len(lines), lines)),
                (b"Transfer-Encoding: chunked", b"ffff\r\n" + lines)):
            with d.socket() as s:
                s.sendall(post_head(fields) + sent)
        d.post("j", [{"time": 1403481600, "v": 1}])
        check_counts(d.stats("j")["data_counts"], input_record_count=1)


def test_a_client_that_closes_its_half_gets_its_answer():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([{"time": 1403481600, "v": 1}])
        with d.socket() as s:
            s.sendall(post_head(b"Content-Length: %d" % len(body)) + body)
            s.shutdown(socket.SHUT_WR)
            assert read_answer(s)[0] == 202
            assert s.recv(100) == b""


# ---- Expect

def test_continue_is_said_when_the_body_is_wanted():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson([{"time": 1403481600, "v": 1}])
        with d.socket() as s:
            s.sendall(post_head(b"Expect: 100-continue",
                b"Content-Length: %d" % len(body)))
            assert s.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            s.sendall(body)
            assert read_answer(s)[0] == 202
            s.sendall(GET)
            assert read_answer(s)[0] == 200


def test_continue_is_not_said_in_vain():
    with Daemon(max_body_size="1mb") as d:
        d.make_job("j", job())
        with d.socket() as s:
            s.sendall(post_head(b"Expect: 100-continue",
                b"Content-Length: 10000000"))
            assert read_answer(s)[0] == 413
        with d.socket() as s:
            s.sendall(post_head(b"Expect: 200-ok", b"Content-Length: 1"))
            assert read_answer(s)[0] == 417


# ---- methods

def test_head_and_options_have_no_body():
    with Daemon() as d, d.socket() as s:
        length = len(d.get("/").raw)
        s.sendall(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
        status, head = s.recv(65536).split(b"\r\n", 1)
        assert b" 200 " in status, status
        assert b"Content-Length: %d\r\n" % length in head, head
        assert head.endswith(b"\r\n\r\n"), head
        s.sendall(b"OPTIONS /_ml/anomaly_detectors/j HTTP/1.1\r\n" + HOST +
            b"\r\n")
        status, head, body = read_answer(s)
        assert status == 200 and body == b"", (head, body)
        assert re.search(rb"(?i)allow: .*PUT", head), head
        s.sendall(b"PATCH / HTTP/1.1\r\n" + HOST + b"\r\n")
        status, head, _ = read_answer(s)
        assert status == 405 and b"Allow: " in head, head


# ---- place

def test_unix_socket_serves_any_host_and_goes_with_the_daemon():
    directory = tempfile.mkdtemp(prefix="anomd-e2e-")
    path = os.path.join(directory, "socket")
    try:
        with Daemon(listen=["127.0.0.1:0", "unix:" + path]) as d:
            assert os.stat(path).st_mode & 0o777 == 0o666
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10 * PATIENCE)
                s.connect(path)
                s.sendall(b"GET / HTTP/1.1\r\nHost: some.where\r\n\r\n")
                assert read_answer(s)[0] == 200
            d.kill()                    # leaves the file behind
            assert os.path.exists(path)
            d.start()
            d.stop()
            assert not os.path.exists(path)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def test_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as e:
        raise Skip("no IPv6 here: %s" % e)
    with Daemon(listen=["127.0.0.1:0", "[::1]:0"]) as d:
        port = int(re.findall(r"listening on \[::1\]:(\d+)", d.log())[-1])
        with socket.create_connection(("::1", port), 10 * PATIENCE) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: [::1]:%d\r\n\r\n" % port)
            assert read_answer(s)[0] == 200


# ---- who may ask

def test_host_and_origin_must_be_known():
    with Daemon(allowed_host="anomd.test", allowed_origin="http://ui") as d:
        def ask(*fields):
            answer = d.raw(b"GET / HTTP/1.1\r\n" + b"".join(f + b"\r\n"
                for f in fields) + b"Connection: close\r\n\r\n")
            return int(answer.split()[1]), answer
        for host in (b"localhost", b"a.localhost:1", b"127.0.0.1", b"[::1]",
                b"ANOMD.test:9200"):
            assert ask(b"Host: " + host)[0] == 200, host
        for host in (b"evil.test", b"10.0.0.1", b"anomd.test.evil", b""):
            status, answer = ask(b"Host: " + host)
            assert status == 403, answer
            assert b"Host header" in answer and b"allowed_host" in answer
        status, answer = ask(b"Host: localhost", b"Origin: http://ui")
        assert status == 200, answer
        assert b"Access-Control-Allow-Origin: http://ui\r\n" in answer
        assert b"Vary: Origin\r\n" in answer
        for origin in (b"http://evil.test", b"null"):
            status, answer = ask(b"Host: localhost", b"Origin: " + origin)
            assert status == 403, answer
            assert b"Origin header" in answer and b"allowed_origin" in answer


def test_opaque_id_comes_back_also_in_errors():
    with Daemon() as d:
        for path, status in (("/", 200), ("/_ml/absent", 400)):
            answer = d.get(path, headers={"X-Opaque-Id": "trace 1/2"})
            assert answer.status in (status, 404, 405), answer
            assert answer.headers["x-opaque-id"] == "trace 1/2", answer
            assert answer.headers["x-elastic-product"] == "Elasticsearch"


def test_large_answers_are_packed_when_asked_for():
    with Daemon() as d:
        d.put_job("j", job(influencers=["field_%d" % n for n in range(99)]))
        path = "/_ml/anomaly_detectors/j"
        plain = d.get(path)
        packed = d.get(path, headers={"Accept-Encoding": "gzip"})
        refused = d.get(path, headers={"Accept-Encoding": "gzip;q=0"})
        assert "content-encoding" not in plain.headers, plain.headers
        assert "content-encoding" not in refused.headers, refused.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.json == plain.json
