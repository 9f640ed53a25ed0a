"""anomctl and what answers it: the requests that it makes, who it says it is,
and answers that are errors, broken, or no answers at all.
"""

import contextlib
import shutil
import ssl
import threading

from ctltool import *
from harness import *

USERS = {
    "ann": {"username": "ann", "roles": ["monitor", "machine_learning_user"],
        "full_name": "Änn Ünal", "email": None, "metadata": {},
        "enabled": True},
    "bob": {"username": "bob", "roles": [], "full_name": "",
        "email": "bob@b.example", "metadata": {"a": [1, None]},
        "enabled": False},
}
ENCODED = "aWQxOnNlY3JldC1vZi10aGUta2V5"


def file_with(directory, text, name="secret"):
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(text)
    return path


# ---- what is asked of the daemon

def test_user_create_asks_for_what_the_options_say():
    with Fake(answer(404, {}), answer(200, {"created": True})) as fake:
        done = ctl(fake.url, "user", "create", "ann", "--role", "monitor",
            "-r", "machine_learning_user", "--full-name", "Änn \"A\" Ünal",
            "--email", "ann@a.example", "--password-file", "-",
            stdin="päss\"\\word\nmore\n")
        assert done.ok() == "", done
        assert done.err == "anomctl: user ann is created\n", done
        assert fake.seen() == ["GET /_security/user/ann",
            "PUT /_security/user/ann"]
        got = fake.requests[1]
        assert got.json == {"password": "päss\"\\word", "enabled": True,
            "roles": ["monitor", "machine_learning_user"],
            "full_name": "Änn \"A\" Ünal", "email": "ann@a.example"}, got
        assert got.headers["content-type"] == "application/json", got.headers
        assert got.headers["host"] == "localhost", got.headers
        assert "authorization" not in got.headers, got.headers


def test_user_create_leaves_a_user_alone_that_exists():
    with Fake(answer(200, USERS)) as fake:
        done = ctl(fake.url, "user", "create", "ann", "--generate")
        done.failed("anomctl: user create: there is a user ann; see")
        assert len(fake.requests) == 1


def test_user_create_needs_to_know_whether_the_user_exists():
    for bad in (answer(404, b"<html>"), answer(503, {"error": "busy"}),
            answer(200, b"nothing")):
        with Fake(bad) as fake:
            ctl(fake.url, "user", "create", "ann", "--generate").failed(
                "user create: ")
            assert len(fake.requests) == 1


def test_user_create_prints_what_it_made_up_and_nothing_else():
    with Fake(answer(404, {}), answer(200, {"created": True})) as fake:
        done = ctl(fake.url, "user", "create", "ann", "--generate")
        password = fake.requests[1].json["password"]
        assert done.ok() == password + "\n", done
        assert re.fullmatch(r"[a-zA-Z2-9]{24}", password), password
        assert "it may do nothing" in done.err, done
        assert password not in done.err, done


def test_user_create_prints_no_password_that_was_refused():
    with Fake(answer(404, {}), api_error(400, "roles are wrong")) as fake:
        done = ctl(fake.url, "user", "create", "ann", "--generate")
        done.failed("anomctl: user create: roles are wrong\n")


def test_names_cannot_leave_their_place_in_the_path():
    for name, path in (("../x", "..%2Fx"), ("..", ".."), ("a?b#c", "a%3Fb%23c"),
            ("ä b", "%C3%A4%20b"), ("a\r\nb", "a%0D%0Ab")):
        with Fake(answer(200, {"found": True})) as fake:
            ctl(fake.url, "user", "revoke", "--", name).ok()
            assert fake.seen() == ["DELETE /_security/user/" + path]


def test_short_commands_on_users():
    for words, request, said in (
            (("enable",), "PUT /_security/user/ann/_enable", "enabled"),
            (("disable",), "PUT /_security/user/ann/_disable", "disabled"),
            (("revoke",), "DELETE /_security/user/ann", "removed")):
        with Fake(answer(200, {})) as fake:
            done = ctl(fake.url, "user", *words, "ann")
            assert done.ok() == "" and fake.seen() == [request]
            assert done.err == "anomctl: user ann is %s\n" % said, done
        with Fake(answer(404, {"found": False})) as fake:
            ctl(fake.url, "user", *words, "ann").failed(
                "anomctl: user %s: there is no such user\n" % words)
        with Fake(answer(200, {})) as fake:
            assert ctl(fake.url, "-q", "user", *words, "ann").err == ""


def test_user_password():
    with Fake(answer(200, {})) as fake, \
            tempfile.TemporaryDirectory() as directory:
        done = ctl(fake.url, "user", "password", "ann", "--password-file",
            file_with(directory, "another one\r\n"))
        assert done.ok() == ""
        assert fake.seen() == ["PUT /_security/user/ann/_password"]
        assert fake.requests[0].json == {"password": "another one"}


def test_user_role_keeps_all_but_the_roles():
    with Fake(answer(200, USERS), answer(200, {"created": False})) as fake:
        ctl(fake.url, "user", "role", "bob", "monitor", "manage").ok()
        assert fake.seen() == ["GET /_security/user/bob",
            "PUT /_security/user/bob"]
        assert fake.requests[1].json == {"roles": ["monitor", "manage"],
            "full_name": "", "email": "bob@b.example",
            "metadata": {"a": [1, None]}, "enabled": False}
    with Fake(answer(404, {})) as fake:
        ctl(fake.url, "user", "role", "bob", "monitor").failed(
            "there is no such user")


def test_user_list():
    with Fake(answer(200, USERS)) as fake:
        assert ctl(fake.url, "user", "list").ok() == (
            "NAME  STATE     ROLES                          FULL NAME  EMAIL\n"
            "ann   enabled   monitor,machine_learning_user  Änn Ünal   -\n"
            "bob   disabled  -                              -          "
            "bob@b.example\n")
        assert fake.seen() == ["GET /_security/user"]
    with Fake(answer(200, USERS)) as fake:
        assert json.loads(ctl(fake.url, "user", "list", "ann",
            "--json").ok()) == USERS
        assert fake.seen() == ["GET /_security/user/ann"]
    with Fake(answer(404, {})) as fake:
        ctl(fake.url, "user", "list", "nobody").failed("no such user")


def key_answer(**more):
    return answer(200, dict({"id": "id1", "name": "web",
        "api_key": "secret-of-the-key", "encoded": ENCODED}, **more))


def test_key_create():
    with Fake(key_answer(expiration=1700000000000)) as fake:
        done = ctl(fake.url, "key", "create", "web", "--expire", "30d")
        assert done.ok() == ENCODED + "\n", done
        assert "id1" in done.err and "2023-11-14 22:13" in done.err, done
        assert ENCODED not in done.err and "secret-of" not in done.err, done
        assert fake.seen() == ["POST /_security/api_key"]
        assert fake.requests[0].json == {"name": "web", "expiration": "30d",
            "role_descriptors": {"anomctl": {"cluster": ["monitor_ml"]}}}
    with Fake(key_answer()) as fake:
        done = ctl(fake.url, "-q", "key", "create", "web", "--json", "-p",
            "manage_ml", "-p", "monitor", "-j", "web-*", "-j", "db")
        assert json.loads(done.ok())["api_key"] == "secret-of-the-key"
        assert done.err == "", done
        assert fake.requests[0].json == {"name": "web", "role_descriptors": {
            "anomctl": {"cluster": [], "applications": [{
                "application": "anomd", "resources": ["web-*", "db"],
                "privileges": ["manage_ml", "monitor"]}]}}}


def test_key_list():
    now = int(time.time()) * 1000
    keys = {"api_keys": [
        {"id": "a", "name": "one", "creation": 1700000000000,
            "expiration": now + 3600000, "invalidated": False,
            "username": "ann", "realm": "r", "role_descriptors": {"anomctl": {
                "cluster": ["monitor_ml", "monitor"]}}},
        {"id": "b", "name": "two", "creation": 1700000000000,
            "invalidated": True, "username": "ann", "realm": "r",
            "role_descriptors": {}},
        {"id": "c", "name": "three", "creation": 1700000000000,
            "expiration": 1700000060000, "invalidated": False,
            "username": "bob", "realm": "r", "role_descriptors": {"x": {
                "cluster": [], "applications": [{"application": "anomd",
                    "privileges": ["manage_ml"],
                    "resources": ["web-*", "db"]}]}}}]}
    with Fake(answer(200, keys)) as fake:
        lines = ctl(fake.url, "key", "list", "--all").ok().split("\n")
        assert fake.seen() == ["GET /_security/api_key"]
        assert [re.split(r"  +", line) for line in lines[:-1]] == [
            ["ID", "NAME", "USER", "CREATED", "EXPIRES", "STATE",
                "PRIVILEGES"],
            ["a", "one", "ann", "2023-11-14 22:13", time.strftime(
                "%Y-%m-%d %H:%M", time.gmtime(now / 1000 + 3600)), "active",
                "monitor_ml,monitor"],
            ["b", "two", "ann", "2023-11-14 22:13", "never", "revoked",
                "as its user"],
            ["c", "three", "bob", "2023-11-14 22:13", "2023-11-14 22:14",
                "expired", "manage_ml on web-*,db"]], lines
    with Fake(answer(200, {"api_keys": []})) as fake:
        assert json.loads(ctl(fake.url, "key", "list", "--json").ok()) == {
            "api_keys": []}
        assert fake.seen() == ["GET /_security/api_key?active_only=true"]


def revoked(now=(), before=()):
    return answer(200, {"invalidated_api_keys": list(now), "error_count": 0,
        "previously_invalidated_api_keys": list(before)})


def test_key_revoke():
    with Fake(revoked(["a"], ["b"])) as fake:
        done = ctl(fake.url, "key", "revoke", "a", "b")
        assert done.ok() == ""
        assert "key a is revoked\n" in done.err, done
        assert "key b was revoked before\n" in done.err, done
        assert fake.seen() == ["DELETE /_security/api_key"]
        assert fake.requests[0].json == {"ids": ["a", "b"]}
    with Fake(revoked(["a"])) as fake:
        ctl(fake.url, "key", "revoke", "a", "b").failed(
            "anomctl: key revoke: there is no key b\n")


def test_key_revoke_by_name():
    found = answer(200, {"api_keys": [{"id": "a", "name": "w*"},
        {"id": "b", "name": "web"}, {"id": "c", "name": "w*"}]})
    with Fake(found, revoked(["x", "a", "c"])) as fake:
        ctl(fake.url, "key", "revoke", "x", "--name", "w*").ok()
        assert fake.seen() == [
            "GET /_security/api_key?active_only=true&name=w%2A",
            "DELETE /_security/api_key"]
        assert fake.requests[1].json == {"ids": ["x", "a", "c"]}
    with Fake(answer(200, {"api_keys": []})) as fake:
        ctl(fake.url, "key", "revoke", "x", "--name", "w").failed(
            "there is no active key of the name w")


# ---- who asks

def test_a_password_is_asked_for_twice_without_echo():
    typed = [("New password of ann: ", "one&only"),
        ("The same again: ", "one&only")]
    with Fake(answer(404, {}), answer(200, {"created": True})) as fake:
        done = ctl_terminal(fake.url, "user", "create", "ann", typed=typed)
        assert done.status == 0, done
        assert "one&only" not in done.out, done
        assert fake.requests[1].json["password"] == "one&only"
    typed[1] = ("The same again: ", "one&otherwise")
    with Fake(answer(404, {})) as fake:
        done = ctl_terminal(fake.url, "user", "create", "ann", typed=typed)
        assert done.status == 1, done
        assert "the two are not the same" in done.out, done
    with Fake(answer(404, {})) as fake:
        done = ctl_terminal(fake.url, "user", "create", "ann",
            typed=[("New password of ann: ", "")])
        assert done.status == 1 and "nothing was typed" in done.out, done


def test_without_a_terminal_there_is_a_cure():
    with Fake(answer(404, {})) as fake:
        ctl(fake.url, "user", "create", "ann").failed(
            "; or use --password-file or --generate")
    with Fake() as fake:
        ctl(fake.url, "-U", "ann", "user", "list").failed("; or use -P")


def basic(user, password):
    return "Basic " + base64.b64encode(
        ("%s:%s" % (user, password)).encode()).decode()


def test_a_user_logs_in():
    with tempfile.TemporaryDirectory() as directory:
        path = file_with(directory, "pä:ss\n")
        for words, stdin in ((("-P", path), ""), (("-P", "-"), "pä:ss\n")):
            with Fake(answer(200, {})) as fake:
                ctl(fake.url, "-U", "ann", *words, "user", "list",
                    stdin=stdin).ok()
                assert fake.requests[0].headers["authorization"] == basic(
                    "ann", "pä:ss")
    with Fake(answer(200, {})) as fake:
        done = ctl_terminal(fake.url, "user", "list", "-U", "ann",
            typed=[("Password of ann: ", "hidden")])
        assert done.status == 0 and "hidden" not in done.out, done
        assert fake.requests[0].headers["authorization"] == basic("ann",
            "hidden")


def test_both_passwords_can_come_by_standard_input():
    with Fake(answer(200, {})) as fake:
        ctl(fake.url, "-U", "ann", "-P", "-", "user", "password", "bob",
            "--password-file", "-", stdin="of ann\nof bob\n").ok()
        assert fake.requests[0].headers["authorization"] == basic("ann",
            "of ann")
        assert fake.requests[0].json == {"password": "of bob"}


def test_a_key_is_shown():
    with tempfile.TemporaryDirectory() as directory:
        path = file_with(directory, ENCODED + "\n")
        other = {"ANOMD_API_KEY": "b3RoZXI6a2V5"}
        for words, env, want in (
                (("-K", path), None, ENCODED),
                (("-K", path), other, ENCODED),
                ((), other, other["ANOMD_API_KEY"]),
                ((), {"ANOMD_API_KEY": ""}, None)):
            with Fake(answer(200, {})) as fake:
                ctl(fake.url, *words, "user", "list", env=env).ok()
                got = fake.requests[0].headers.get("authorization")
                assert got == (want and "ApiKey " + want), (words, got)
    for env in ({"ANOMD_API_KEY": "id:key"}, {"ANOMD_API_KEY": "a\r\nX: y"}):
        with Fake() as fake:
            ctl(fake.url, "user", "list", env=env).failed(
                "no encoded API key")


def test_the_environment_says_where_the_daemon_is():
    with Fake(answer(200, {}), answer(200, {})) as fake:
        ctl(None, "user", "list", env={"ANOMD_URL": fake.url}).ok()
        ctl(fake.url, "user", "list", env={"ANOMD_URL": "unix:/x"}).ok()


def test_no_secret_can_be_read_from_outside():
    """Neither the words nor the environment of the process have it, while it
    waits for its answer."""
    read = {}

    def look(handler, request):
        for name in ("cmdline", "environ", "comm"):
            with open("/proc/%d/%s" % (process.pid, name), "rb") as f:
                read[name] = f.read()
        handler.wfile.write(answer(200, {}))

    with Fake(look) as fake:
        started = threading.Event()

        def reply(handler, request):
            started.wait()
            look(handler, request)

        fake.answers[0] = reply
        process = subprocess.Popen([ANOMCTL, "-u", fake.url, "user",
            "password", "ann", "--password-file", "-"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment({"ANOMD_API_KEY": ENCODED}))
        started.set()
        _, err = process.communicate(b"very-secret\n")
        assert process.returncode == 0, err
        assert fake.requests[0].headers["authorization"] == "ApiKey " + ENCODED
    assert b"--password-file" in read["cmdline"], read
    assert b"ANOMD_API_KEY=" in read["environ"], read
    for name, data in read.items():
        assert b"very-secret" not in data and ENCODED.encode() not in data, (
            name, data)


def test_proxies_of_the_environment_get_nothing():
    with Fake(answer(200, {}), tcp=True) as fake, Fake(tcp=True) as proxy:
        ctl(fake.url, "user", "list", env={"http_proxy": proxy.url,
            "all_proxy": proxy.url, "ANOMD_API_KEY": ENCODED}).ok()
        assert not proxy.requests


def test_credentials_on_a_network_are_warned_about():
    """Only where they would be read: not on this machine."""
    env = {"ANOMD_API_KEY": ENCODED}
    with Fake(answer(200, {}), tcp=True) as fake:
        assert "in the clear" not in ctl(fake.url, "user", "list",
            env=env).err
    # Reserved for examples: nobody has it.
    done = ctl("http://anomd.invalid:1", "user", "list", env=env)
    done.failed("warning: what proves who you are goes over the network")
    assert "there is no host of that name" in done.err, done


def test_tls_needs_an_authority_that_is_trusted():
    with tempfile.TemporaryDirectory() as directory:
        cert = os.path.join(directory, "cert.pem")
        key = os.path.join(directory, "key.pem")
        try:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec",
                "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", "/CN=localhost", "-addext",
                "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                check=True, capture_output=True)
        except FileNotFoundError:
            raise Skip("there is no openssl")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        with Fake(answer(200, {}), tcp=True, context=context) as fake:
            fake.server.handle_error = lambda *_: None
            ctl(fake.url, "user", "list").failed("certificate")
            assert not fake.requests
            ctl(fake.url, "user", "list", "--cacert", cert).ok()


# ---- answers that are errors

def test_errors_of_the_daemon_are_told_in_its_words():
    for reply, want in (
            (api_error(403, "action [x] is unauthorized"),
                "user list: action [x] is unauthorized\n"),
            (api_error(401, "missing authentication"),
                "missing authentication; say who you are with -U or -K\n"),
            (answer(405, {"error": "Incorrect HTTP method", "status": 405}),
                "user list: Incorrect HTTP method\n"),
            (answer(500, {}), "answered with status 500\n"),
            (answer(502, b"<html>bad gateway"), "status 502: is it anomd?\n"),
            (answer(302, b"", "Location: http://127.0.0.1:1/\r\n"),
                "sends elsewhere (status 302)")):
        with Fake(reply) as fake:
            ctl(fake.url, "user", "list").failed(want)


def test_a_wrong_password_or_key_is_told():
    with Fake(api_error(401, "unable to authenticate")) as fake:
        ctl(fake.url, "-U", "ann", "-P", "-", "user", "list",
            stdin="x\n").failed("; is the password right?")
    with Fake(api_error(401, "unable to authenticate")) as fake:
        ctl(fake.url, "user", "list", env={"ANOMD_API_KEY": ENCODED}).failed(
            "; is the API key right, and still valid?")


def test_texts_of_a_server_cannot_control_the_terminal():
    with Fake(api_error(400, "\x1b]0;owned\x07\nline")) as fake:
        err = ctl(fake.url, "user", "list").failed(
            "\\x1b]0;owned\\x07\\x0aline")
        assert "\x1b" not in err and err.count("\n") == 1, err
    users = {"e\x1b[2J": dict(USERS["ann"], full_name="\x9b1m")}
    with Fake(answer(200, users)) as fake:
        out = ctl(fake.url, "user", "list").ok()
        assert "e\\x1b[2J" in out and "\x9b" not in out, out


# ---- broken answers

def test_broken_answers():
    whole = answer(200, USERS)
    chunked = (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\n{\"a\":\r\n")
    for reply, want in (
            (whole[:-5], "broke off\n"),
            (whole[:40], "not with JSON"),
            (chunked, "broke off\n"),
            (b"", "broke off\n"),
            (b"HTTP/1.1 200", "broke off\n"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
            (b"\0" * 4096, "does not speak HTTP"),
            (answer(200, b"not json"), "not with JSON: is it anomd?\n"),
            (answer(200, b""), "not with JSON: is it anomd?\n"),
            (answer(204, b""), "not with JSON: is it anomd?\n"),
            (answer(200, b"{\"ann\":"), "not with JSON"),
            (answer(200, b"{\"\xff\":1}"), "not with JSON"),
            (answer(200, b"[" * 100000), "not with JSON"),
            (answer(200, []), "has not the form"),
            (answer(200, {"ann": 7}), "has not the form")):
        with Fake(reply) as fake:
            fake.server.handle_error = lambda *_: None
            ctl(fake.url, "user", "list").failed(want)


def test_answers_of_another_form():
    for words, reply in (
            (("key", "list"), answer(200, {"api_keys": {}})),
            (("key", "list"), answer(200, {})),
            (("key", "create", "x"), answer(200, {})),
            (("key", "create", "x"), answer(200, {"id": "a", "encoded": 1})),
            (("key", "create", "x"), answer(200, {"id": "a",
                "encoded": "\x1b]0;owned\x07"})),
            (("key", "revoke", "x"), answer(200, {})),
            (("key", "revoke", "-n", "x"), answer(200, {"api_keys": 1})),
            (("user", "role", "a", "b"), answer(200, {"b": {}}))):
        with Fake(reply) as fake:
            ctl(fake.url, *words).failed("has not the form that anomd gives")


def test_what_may_have_been_done_is_told():
    for reply in (b"", answer(200, {})[:-1], answer(200, b"<html>")):
        with Fake(reply) as fake:
            done = ctl(fake.url, "key", "create", "x")
            assert done.status == 1 and done.out == "", done
            assert "t may have been done all the same" in done.err, done


def endless(head):
    def reply(handler, request):
        handler.wfile.write(head)
        while True:
            handler.wfile.write(b"x" * 65536)
    return reply


def test_huge_answers_are_given_up():
    for head in (b"HTTP/1.1 200 X\r\n\r\n[\"",
            b"HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n[\"",
            b"HTTP/1.1 500 X\r\n\r\n[\""):
        with Fake(endless(head)) as fake:
            ctl(fake.url, "user", "list").failed(
                "is longer than 16 MB: is it anomd?")


def test_large_answers_are_taken():
    users = {"user%05d" % i: dict(USERS["bob"], username="user%05d" % i,
        full_name="x" * 500) for i in range(5000)}
    with Fake(answer(200, users)) as fake:
        lines = ctl(fake.url, "user", "list").ok().split("\n")
        assert len(lines) == 5002 and lines[5000].startswith("user04999")


def test_a_server_that_hangs_is_given_up():
    over = threading.Event()

    def hang(handler, request):
        over.wait()

    def drip(handler, request):
        handler.wfile.write(b"HTTP/1.1 200 X\r\n\r\n")
        while not over.wait(0.02):
            handler.wfile.write(b" ")

    try:
        for reply in (hang, drip):
            with Fake(reply) as fake:
                ctl(fake.url, "-t", "300ms", "user", "list").failed(
                    "did not answer in 0.3 s (-t)\n")
        with Fake(hang) as fake:
            ctl(fake.url, "user", "revoke", "x", "--timeout", "300ms").failed(
                "in 0.3 s (-t); it may have been done all the same")
    finally:
        over.set()


# ---- no server

def test_a_daemon_that_is_not_there():
    with tempfile.TemporaryDirectory() as directory:
        url = "unix:%s/sock" % directory
        ctl(url, "user", "list").failed("anomctl: user list: cannot connect "
            "to %s: No such file or directory: is anomd running? Try -u\n"
            % url)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(url[5:])
            ctl(url, "user", "list").failed(
                "Connection refused: is anomd running? Try -u\n")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        ctl("http://127.0.0.1:%d" % s.getsockname()[1], "key", "list").failed(
            "Connection refused: is anomd running? Try -u\n")


def test_a_connection_that_does_not_come_about():
    with contextlib.ExitStack() as stack:
        def opened():
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            return s

        listener = opened()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # More than the queue takes: the kernel drops who comes after them.
        for _ in range(4):
            opened().connect_ex(listener.getsockname())
        done = ctl("http://127.0.0.1:%d" % listener.getsockname()[1], "-t",
            "500ms", "user", "revoke", "x")
        done.failed(": it did not answer in time: is anomd running? Try -u\n")


def test_a_socket_of_others_is_told():
    if os.getuid() != 0:
        raise Skip("needs root, to become somebody else")
    with Fake() as fake:
        path = fake.url[5:]
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o600)
        copy = os.path.join(os.path.dirname(path), "anomctl")
        shutil.copy(ANOMCTL, copy)
        done = subprocess.run([copy, "-u", fake.url, "user", "list"],
            capture_output=True, text=True, user=65534, env=environment())
        assert done.returncode == 1, done
        assert "Permission denied; be root or the user" in done.stderr, done


# ---- standard descriptors

def test_output_that_is_lost_is_a_failure():
    with Fake(answer(200, USERS)) as fake, open("/dev/full", "w") as full:
        done = subprocess.run([ANOMCTL, "-u", fake.url, "user", "list"],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment())
        assert done.returncode == 1, done
        assert "No space left on device" in done.stderr, done
    with Fake(key_answer()) as fake, open("/dev/full", "w") as full:
        done = subprocess.run([ANOMCTL, "-u", fake.url, "key", "create", "x"],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment())
        assert done.returncode == 1, done
        assert "end it with anomctl key revoke -- id1" in done.stderr, done


def test_closed_descriptors_do_no_harm():
    """The socket must not become standard output."""
    with Fake(answer(200, USERS)) as fake:
        done = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-',
            ANOMCTL, "-u", fake.url, "user", "list"], env=environment())
        assert done.returncode == 0, done
        assert fake.seen() == ["GET /_security/user"]
