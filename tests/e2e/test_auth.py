"""Who is it, and what may they do."""

from secure import *

JOBS = "/_ml/anomaly_detectors"


def denied(action, who, granting):
    return ("action [%s] is unauthorized for %s, this action is granted by "
        "the cluster privileges [%s]" % (action, who, granting))


# ---- 401

def test_without_credentials_everything_is_401():
    with SecureDaemon() as d:
        for method, path in (("GET", "/"), ("GET", "/_ml/info?pretty=false"),
                ("PUT", JOBS + "/j"), ("DELETE", "/nowhere"),
                ("GET", "/_ml/%41/none")):
            expect_401(d.request(method, path, headers={}), "missing "
                "authentication credentials for REST request [%s]" % path)
        expect_401(d.get("/_xpack/ml/info", headers={}), "missing "
            "authentication token for REST request [/_xpack/ml/info]")
        head = d.request("HEAD", "/", headers={})
        assert (head.status, head.body) == (401, b""), head
        raw = d.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\n\r\n").decode()
        assert re.findall(r"(?m)^WWW-Authenticate: (.*)\r$", raw) == \
            CHALLENGES, raw


def test_what_is_asked_of_the_answer_holds_for_refusals():
    with SecureDaemon() as d:
        got = d.get("/?pretty", headers={"X-Opaque-Id": "7",
            "Accept": "application/vnd.elasticsearch+json; "
            "compatible-with=8"})
        assert got.body.startswith(b"{\n"), got
        assert got.headers["x-opaque-id"] == "7", got.headers
        assert "compatible-with=8" in got.headers["content-type"]


def test_wrong_passwords_and_names_look_the_same():
    with SecureDaemon() as d:
        d.put_user("ann")
        for user in ("ann", "nobody"):
            expect_401(d.get("/", headers=basic(user, "wrong one")),
                "unable to authenticate user [%s] for REST request [/]" %
                user)
            expect_401(d.get("/_xpack/ml/info",
                headers=basic(user, "wrong one")),
                "failed to authenticate user [%s]" % user)


REFUSED = ("unable to authenticate with provided credentials and anonymous "
    "access is not allowed for this request")


def test_malformed_credentials():
    with SecureDaemon() as d:
        bad = "invalid basic authentication header value"
        missing = "missing authentication credentials for REST request [/]"
        def encoded(scheme, data):
            return scheme + " " + base64.b64encode(data).decode()
        for value, reason in (
                ("Basic", bad), ("Basic !!!!", bad), ("Basic YQ", bad),
                (encoded("Basic", b"a\0b:c"), bad),
                (encoded("basic", b"a:\xff"), bad),
                ("Basic " + "A" * 8000, bad),
                (encoded("Basic", b"u:"), "unable to authenticate user [u] "
                    "for REST request [/]"),
                (encoded("Basic", b"u:" + b"p" * 600), "unable to "
                    "authenticate user [u] for REST request [/]"),
                (encoded("Basic", b"n" * 65 + b":p"), "unable to "
                    "authenticate user [%s] for REST request [/]" %
                    ("n" * 64)),
                ("ApiKey !!", REFUSED), ("Bearer abc.def.ghi", REFUSED),
                (encoded("ApiKey", b"no colon"), REFUSED),
                (encoded("ApiKey", b":x"), REFUSED),
                (encoded("ApiKey", b"nope:secret"), REFUSED + ", additional "
                    "unsuccessful credentials: API key: unable to find "
                    "apikey with id nope"),
                ("Negotiate abc", missing), ("Digest", missing),
                ("", missing)):
            expect_401(d.get("/", headers={"Authorization": value}), reason)
        two = d.raw(("GET / HTTP/1.1\r\nHost: localhost\r\n"
            "Authorization: %s\r\nAuthorization: Basic YTpi\r\n"
            "Connection: close\r\n\r\n" %
            d.headers["Authorization"]).encode())
        assert two.startswith(b"HTTP/1.1 401 "), two
        colon = d.request("PUT", "/_security/user/colon",
            {"password": "with:colons:", "roles": ["superuser"]})
        assert colon.status == 200, colon
        assert d.get("/", headers=basic("colon", "with:colons:")).status == 200


def test_refused_before_the_body_is_read():
    with SecureDaemon() as d:
        head = ("POST %s/j/_data HTTP/1.1\r\nHost: localhost\r\n"
            "Content-Type: application/json\r\n%s\r\n\r\n")
        for more in ("Content-Length: 100000000", "Transfer-Encoding: chunked",
                "Content-Length: 5\r\nExpect: 100-continue"):
            with d.socket() as s:
                s.sendall((head % (JOBS, more)).encode())
                assert s.recv(65536).startswith(b"HTTP/1.1 401 "), more
        # The same while the password is being looked at.
        auth = "Authorization: " + basic("nobody")["Authorization"]
        with d.socket(60) as s:
            s.sendall((head % (JOBS, "Content-Length: 100000000\r\n" +
                auth)).encode())
            assert s.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_body_waits_until_its_sender_is_known():
    with SecureDaemon() as d:
        d.put_user("ann")
        auth = basic("ann")["Authorization"]
        body = json.dumps(job()).encode()
        with d.socket(60) as s:
            s.sendall(("PUT %s/j HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: %s\r\nContent-Type: application/json\r\n"
                "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (JOBS,
                auth, len(body))).encode())
            assert s.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            s.sendall(body)
            assert s.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_pipelined_requests_are_judged_one_by_one():
    with SecureDaemon() as d:
        weak = d.key_with("monitor_ml")["Authorization"]
        def ask(auth, last=b""):
            return ("GET / HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n" % (
                "Authorization: %s\r\n" % auth if auth else "",
                "Connection: close\r\n" if last else "")).encode()
        got = d.raw(ask(d.headers["Authorization"]) + ask(None) + ask(weak) +
            ask("Basic !") + ask(d.headers["Authorization"], True))
        assert re.findall(rb"HTTP/1.1 (\d+) ", got) == \
            [b"200", b"401", b"403", b"401", b"200"], got


def test_a_preflight_needs_no_credentials():
    with SecureDaemon() as d:
        got = d.request("OPTIONS", JOBS + "/j", headers={})
        assert got.status == 200 and "PUT" in got.headers["allow"], got


def test_host_and_origin_come_first():
    with SecureDaemon() as d:
        for more in ({"Host": "evil.example"},
                {"Origin": "http://evil.example"}):
            assert d.get("/", headers=dict(d.headers, **more)).status == 403


# ---- who

def test_authenticate_tells_who_one_is():
    with SecureDaemon() as d:
        who = "/_security/_authenticate"
        d.put_user("ann", roles=["monitor"], full_name="Ann B",
            email="a@example.net", metadata={"n": 1})
        native = {"name": "default_native", "type": "native"}
        ann = {"username": "ann", "roles": ["monitor"],
            "full_name": "Ann B", "email": "a@example.net",
            "metadata": {"n": 1}, "enabled": True,
            "authentication_realm": native, "lookup_realm": native,
            "authentication_type": "realm"}
        assert d.get(who, headers=basic("ann")).json == ann
        made = d.make_key("mine", headers=basic("ann"))
        keys = {"name": "_es_api_key", "type": "_es_api_key"}
        for scheme in ("ApiKey", "apikey", "Bearer"):
            assert d.get(who, headers=key(made, scheme)).json == dict(ann,
                roles=[], authentication_realm=keys, lookup_realm=keys,
                authentication_type="api_key",
                api_key={"id": made["id"], "name": "mine"})
        got = d.local("GET", who).json
        assert got["roles"] == ["superuser"], got
        assert got["username"] == ("_root" if os.geteuid() == 0 else
            "anomd"), got
        assert got["authentication_realm"] == {"name": "unix",
            "type": "unix"}, got
        expect_401(d.local("GET", who, headers=basic("ann", "wrong one")),
            "unable to authenticate user [ann] for REST request [%s]" % who)


def test_others_on_the_unix_socket_need_credentials():
    if os.geteuid() != 0:
        raise Skip("needs to become another user")
    with SecureDaemon() as d:
        made = d.make_key()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            statuses = [d.local("GET", "/").status,
                d.local("GET", "/", headers=key(made)).status]
            os.write(write, json.dumps(statuses).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert json.loads(os.read(read, 100)) == [401, 200]


def test_start_without_users_says_how_to_make_one():
    with SecureDaemon() as d:
        assert "security is on and there is no user" in d.log()
        d.put_user("ann")
        start = len(d.log())
        d.restart()
        assert "there is no user" not in d.log()[start:]
        assert d.get("/", headers=basic("ann")).status == 200


# ---- users

def test_users_are_made_shown_changed_and_removed():
    with SecureDaemon() as d:
        user = "/_security/user"
        assert d.get(user).json == {}
        assert d.put_user("ann", roles=["monitor", "manage"]) == \
            {"created": True}
        assert d.put_user("bob", full_name="Bob", enabled=False) == \
            {"created": True}
        ann = {"username": "ann", "roles": ["monitor", "manage"],
            "full_name": None, "email": None, "metadata": {},
            "enabled": True}
        bob = dict(ann, username="bob", roles=["superuser"],
            full_name="Bob", enabled=False)
        assert d.get(user).json == {"ann": ann, "bob": bob}
        assert d.get(user + "/ann,none").json == {"ann": ann}
        missing = d.get(user + "/none")
        assert (missing.status, missing.json) == (404, {}), missing
        # Without a password it stays as it is.
        assert expect(200, d.request("POST", user + "/ann", {"roles": [],
            "email": "x"})) == {"created": False}
        who = d.get("/_security/_authenticate", headers=basic("ann"))
        assert who.json["roles"] == [] and who.json["email"] == "x", who
        assert expect(200, d.request("DELETE", user + "/ann")) == \
            {"found": True}
        assert expect(404, d.request("DELETE", user + "/ann")) == \
            {"found": False}
        assert d.get("/", headers=basic("ann")).status == 401


def test_changes_hold_at_once():
    with SecureDaemon() as d:
        user = "/_security/user/ann"
        d.put_user("ann")
        def status(password="long enough"):
            return d.get("/", headers=basic("ann", password)).status
        assert status() == 200 and status() == 200, "cached"
        assert expect(200, d.request("PUT", user + "/_disable")) == {}
        assert status() == 401
        assert expect(200, d.request("PUT", user + "/_enable")) == {}
        assert status() == 200
        assert expect(200, d.request("PUT", user + "/_password",
            {"password": "another one"})) == {}
        assert (status(), status("another one")) == (401, 200)
        # One's own.
        assert expect(200, d.request("POST", "/_security/user/_password",
            {"password": "a third one"}, basic("ann", "another one"))) == {}
        assert (status("another one"), status("a third one")) == (401, 200)
        d.restart()
        assert status("a third one") == 200


def invalid(response, text):
    expect_error(response, 400, "action_request_validation_exception",
        "Validation Failed: 1: %s;" % text)


def test_bad_users():
    with SecureDaemon() as d:
        user = "/_security/user/"
        good = {"password": "long enough", "roles": []}
        def put(name, **body):
            return d.request("PUT", user + name, dict(good, **body))
        names = ("Usernames must be at least 1 and no more than 64 "
            "characters of printable ASCII without [:] and [,], and neither "
            "begin nor end in a space")
        for name in ("a%3Ab", "a%2Cb", "%20a", "a%20", "a%01", "%C3%A9",
                "n" * 65):
            invalid(put(name), names)
        for name in ("_root", "_x", "anomd"):
            invalid(put(name), "Username [%s] is reserved and may not be "
                "used." % name)
        invalid(put("u", password="short"),
            "passwords must be at least [6] characters long")
        invalid(put("u", password="p" * 513),
            "passwords must not be longer than [512] bytes")
        invalid(put("u", roles=["king"]), "there is no role [king]; there "
            "are [superuser, machine_learning_admin, machine_learning_user, "
            "manage, monitor]")
        invalid(d.request("PUT", user + "u", {"password": "long enough"}),
            "roles are missing")
        invalid(d.request("PUT", user + "u", {"roles": []}),
            "password must be specified unless you are updating an existing "
            "user")
        invalid(put("u", metadata={"_x": 1}),
            "metadata keys may not start with [_]")
        invalid(put("u", full_name="x" * 1025),
            "[full_name] is longer than [1024] bytes")
        expect_error(put("u", username="v"), 400,
            "illegal_argument_exception",
            "[username] in the body differs from the path's [u]")
        expect_error(put("u", color=1), 400, "x_content_parse_exception",
            "[1:%d] [put_user] unknown field [color]" % (
            json.dumps(dict(good, color=1)).index('"color"') + 1))
        expect_error(d.request("PUT", user + "u"), 400, "parse_exception",
            "request body is required")
        expect_error(d.request("PUT", user + "u", b"[]"), 400,
            "parse_exception", "the body must be a JSON object")
        for rest in ("_enable", "_disable", "_password"):
            expect_error(d.request("PUT", user + "u/" + rest,
                {"password": "long enough"}), 404,
                "resource_not_found_exception", "user [u] does not exist")
        d.put_user("u")
        invalid(d.request("PUT", user + "u/_password", {}),
            "password cannot be empty")
        invalid(d.request("PUT", user + "u/_password", {"password": "x"}),
            "passwords must be at least [6] characters long")


def test_only_superusers_manage_users_and_everybody_his_password():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["manage"])
        d.put_user("bob")
        for method, path, action in (
                ("GET", "/_security/user", "get"),
                ("GET", "/_security/user/bob", "get"),
                ("PUT", "/_security/user/eve", "put"),
                ("DELETE", "/_security/user/bob", "delete"),
                ("PUT", "/_security/user/bob/_enable", "set_enabled"),
                ("PUT", "/_security/user/bob/_password", "change_password")):
            expect_403(d.request(method, path, {"password": "p" * 9,
                "roles": ["superuser"]}, basic("ann")), denied(
                "cluster:admin/xpack/security/user/" + action,
                "user [ann] with effective roles [manage]",
                "manage_security,all"))
        mine = d.make_key(headers=basic("ann"))
        got = d.request("PUT", "/_security/user/_password",
            {"password": "p" * 9}, key(mine))
        assert got.status == 403, got
        assert d.get("/", headers=basic("ann")).status == 200


# ---- roles

def test_roles_give_what_their_names_say():
    with SecureDaemon() as d:
        d.put_job("j", job())
        asks = (("GET", "/"), ("GET", JOBS), ("POST", JOBS + "/j/_open"),
            ("GET", "/_security/user"))
        for role, wanted in (("superuser", (200, 200, 200, 200)),
                ("manage", (200, 200, 409, 403)),
                ("monitor", (200, 200, 403, 403)),
                ("machine_learning_admin", (403, 200, 409, 403)),
                ("machine_learning_user", (403, 200, 403, 403))):
            d.put_user("u", roles=[role])
            got = tuple(d.request(*ask, headers=basic("u")).status
                for ask in asks)
            assert got == wanted, (role, got)


def test_refusals_name_the_action_and_what_would_do():
    with SecureDaemon() as d:
        d.put_user("u", roles=["machine_learning_user", "monitor"])
        action = "cluster:admin/xpack/ml/job/delete"
        expect_403(d.request("DELETE", JOBS + "/x", headers=basic("u")),
            denied(action, "user [u] with effective roles "
            "[machine_learning_user,monitor]", "manage_ml,manage,all"))
        expect_403(d.request("DELETE", "/_xpack/ml/anomaly_detectors/x",
            headers=basic("u")),
            "action [%s] is unauthorized for user [u]" % action)
        made = d.make_key(headers=basic("u"))
        expect_403(d.request("DELETE", JOBS + "/x", headers=key(made)),
            denied(action, "API key id [%s] of user [u]" % made["id"],
            "manage_ml,manage,all"))


# ---- keys

def test_keys_are_made_listed_and_revoked():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        before = time.time() * 1000
        made = d.make_key("mine", headers=basic("ann"), expiration="7d",
            metadata={"team": "x"})
        assert set(made) == {"id", "name", "expiration", "api_key",
            "encoded"}, made
        assert base64.b64decode(made["encoded"]).decode() == "%s:%s" % (
            made["id"], made["api_key"])
        assert abs(made["expiration"] - before - 7 * 86400000) < 600000
        keys = "/_security/api_key"
        [shown] = d.get(keys, headers=basic("ann")).json["api_keys"]
        creation = shown.pop("creation")
        assert abs(creation - before) < 600000
        assert shown == {"id": made["id"], "name": "mine", "type": "rest",
            "expiration": made["expiration"], "invalidated": False,
            "username": "ann", "realm": "default_native",
            "metadata": {"team": "x"}, "role_descriptors": {}}, shown
        everything = d.get(keys).body.decode()
        assert made["api_key"] not in everything
        assert len(d.get(keys).json["api_keys"]) == 2, "and the tests' own"
        def found(query, headers=None):
            return [k["name"] for k in d.get(keys + "?" + query,
                headers=headers).json["api_keys"]]
        assert found("name=mi*") == ["mine"]
        assert found("username=ann") == found("id=" + made["id"]) == ["mine"]
        assert found("owner=true") == ["tests"]
        assert found("realm_name=unix") == ["tests"]
        assert d.get(keys + "?id=none").status == 404
        assert d.get(keys + "?owner=maybe").status == 400
        got = expect(200, d.request("DELETE", keys, {"ids": [made["id"],
            "unknown"]}))
        assert got == {"invalidated_api_keys": [made["id"]],
            "previously_invalidated_api_keys": [], "error_count": 0}, got
        assert found("active_only=true") == ["tests"]
        [shown] = d.get(keys + "?name=mine").json["api_keys"]
        assert shown["invalidated"] is True
        got = expect(200, d.request("DELETE", keys, {"name": "mine"}))
        assert got["previously_invalidated_api_keys"] == [made["id"]], got
        expect_401(d.get("/", headers=key(made)), REFUSED + ", additional "
            "unsuccessful credentials: API key: api key [%s] has been "
            "invalidated" % made["id"])


def test_keys_of_others_are_none_of_ones_business():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        theirs = d.make_key("theirs")
        keys = "/_security/api_key"
        assert d.get(keys, headers=basic("ann")).json == {"api_keys": []}
        for body in ({"ids": [theirs["id"]]}, {"id": theirs["id"]},
                {"name": "*"}, {"username": "_root"}):
            got = expect(200, d.request("DELETE", keys, body, basic("ann")))
            assert got["invalidated_api_keys"] == [], got
        assert d.get("/", headers=key(theirs)).status == 200
        mine = d.make_key("mine", headers=basic("ann"))
        got = expect(200, d.request("DELETE", keys, {"owner": True},
            basic("ann")))
        assert got["invalidated_api_keys"] == [mine["id"]], got


def test_keys_are_changed_while_they_are_good():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["machine_learning_admin"])
        mine = d.make_key("mine", headers=basic("ann"))
        path = "/_security/api_key/" + mine["id"]
        def change(body, headers=basic("ann"), path=path):
            return d.request("PUT", path, body, headers)
        def shown():
            [k] = d.get("/_security/api_key?id=" + mine["id"]).json["api_keys"]
            return k
        assert expect(200, change({})) == {"updated": False}
        role = {"r": {"cluster": ["monitor_ml"]}}
        assert expect(200, change({"expiration": "1d", "metadata": {"a": 1},
            "role_descriptors": role})) == {"updated": True}
        k = shown()
        assert abs(k["expiration"] / 1000 - time.time() - 86400) < 600, k
        assert k["metadata"] == {"a": 1} and k["role_descriptors"] == role
        assert k["name"] == "mine" and k["creation"] < k["expiration"]
        # It holds at once: the key may read, and no longer change.
        assert d.get(JOBS, headers=key(mine)).status == 200
        assert d.request("PUT", JOBS + "/j", job(), key(mine)).status == 403
        assert expect(200, change({"metadata": {"a": 1}})) == {
            "updated": False}
        d.restart()
        assert shown() == k
        expect_error(change({"expiration": "soon"}), 400,
            "illegal_argument_exception", "failed to parse setting "
            "[expiration] with value [soon] as a time value: unit is missing "
            "or unrecognized")
        assert change({"name": "other"}).status == 400
        assert change({"role_descriptors": {"r": {"cluster": ["x"]}}}
            ).status == 400
        assert change([]).status == 400
        # Nobody widens a key by itself, or changes another's.
        narrow = {"r": {"cluster": ["monitor_ml", "manage_own_api_key"]}}
        expect(200, change({"role_descriptors": narrow}))
        expect_error(change({"role_descriptors": {}}, key(mine)), 400,
            "illegal_argument_exception", "an API key with role descriptors "
            "of its own cannot update API keys")
        none = "no API key owned by requesting user found for ID [%s]"
        expect_error(change({}, path="/_security/api_key/none"), 404,
            "resource_not_found_exception", none % "none")
        d.put_user("bob", roles=["machine_learning_admin"])
        expect_error(change({}, basic("bob")), 404,
            "resource_not_found_exception", none % mine["id"])
        assert expect(200, change({"metadata": {}}, d.headers)) == {
            "updated": True}, "who may manage all keys may"
        # What is over stays over.
        expect(200, change({"expiration": "1ms"}))
        wait_until(lambda: d.get("/", headers=key(mine)).status == 401, 5)
        expect_error(change({"expiration": "1d"}), 400,
            "illegal_argument_exception", "cannot update expired API key "
            "[%s]" % mine["id"])
        other = d.make_key("other", headers=basic("ann"))
        expect(200, d.request("DELETE", "/_security/api_key", {"ids": [
            other["id"]]}))
        expect_error(change({"expiration": "1d"},
            path="/_security/api_key/" + other["id"]), 400,
            "illegal_argument_exception", "cannot update invalidated API key "
            "[%s]" % other["id"])


def test_wrong_expired_and_orphaned_keys():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        mine = d.make_key(headers=basic("ann"))
        wrong = base64.b64encode(("%s:%s" % (mine["id"],
            "x" * 22)).encode()).decode()
        also = ", additional unsuccessful credentials: API key: "
        expect_401(d.get("/", headers={"Authorization": "ApiKey " + wrong}),
            REFUSED + also + "invalid credentials for API key [%s]" %
            mine["id"])
        brief = d.make_key(expiration="1ms")
        wait_until(lambda: d.get("/", headers=key(brief)).status == 401, 5)
        expect_401(d.get("/", headers=key(brief)), REFUSED + also +
            "api key [%s] is expired" % brief["id"])
        d.request("PUT", "/_security/user/ann/_disable")
        expect_401(d.get("/", headers=key(mine)), REFUSED + also +
            "api key [%s] has an owner who is not there, or disabled" %
            mine["id"])
        d.request("PUT", "/_security/user/ann/_enable")
        assert d.get("/", headers=key(mine)).status == 200
        # Nor does it come to life with another user of that name.
        d.request("DELETE", "/_security/user/ann")
        d.put_user("ann")
        assert d.get("/", headers=key(mine)).status == 401
        d.restart()
        assert d.get("/", headers=key(mine)).status == 401


def test_a_key_never_may_more_than_its_owner():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["manage"])
        role = {"cluster": ["all"], "applications": [{"application": "anomd",
            "privileges": ["manage_ml"], "resources": ["*"]}]}
        mine = key(d.make_key(headers=basic("ann"),
            role_descriptors={"r": role}))
        assert d.request("PUT", JOBS + "/j", job(),
            headers=mine).status == 200
        assert d.get("/_security/user", headers=mine).status == 403
        d.request("PUT", "/_security/user/ann", {"roles": ["monitor"]})
        assert d.request("DELETE", JOBS + "/j", headers=mine).status == 403
        assert d.get(JOBS, headers=mine).json["count"] == 1


def test_who_may_make_keys():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        whole = key(d.make_key(headers=basic("ann")))
        assert d.make_key("second", headers=whole)["id"]
        # "all" is no less than its owner has, but that may change.
        for narrow in (d.key_with("all"), d.key_with("manage_own_api_key"),
                d.key_with("all", "manage_own_api_key", jobs=["x"])):
            got = d.request("POST", "/_security/api_key", {"name": "n"},
                narrow)
            expect_error(got, 400, "illegal_argument_exception", "an API "
                "key with role descriptors of its own cannot create API keys")
        made = d.make_key(expiration="1d")
        path = "/_security/api_key"
        expect_error(d.request("POST", path, {"name": "n"}, key(made)), 400,
            "illegal_argument_exception",
            "an API key that expires cannot create API keys")
        expect_error(d.request("PUT", path + "/" + made["id"],
            {"expiration": "1000d"}, key(made)), 400,
            "illegal_argument_exception",
            "an API key that expires cannot update API keys")
        assert d.request("POST", "/_security/api_key", {"name": "n"},
            d.key_with("monitor_ml")).status == 403


def test_bad_keys():
    with SecureDaemon() as d:
        def post(**body):
            return d.request("POST", "/_security/api_key", body)
        invalid(post(), "api key name is required")
        invalid(post(name=""), "api key name is required")
        invalid(post(name="_x"), "api key name may not begin with an "
            "underscore")
        invalid(post(name=" x"), "api key name may not begin or end with "
            "whitespace")
        invalid(post(name="x" * 257), "api key name may not be more than 256 "
            "characters long")
        for text in ("-1", "0s"):
            expect_error(post(name="n", expiration=text), 400,
                "illegal_argument_exception",
                "[expiration] must be a duration above zero")
        expect_error(post(name="n", expiration="5x"), 400,
            "illegal_argument_exception", "failed to parse setting "
            "[expiration] with value [5x] as a time value: unit is missing "
            "or unrecognized")
        def role(text, **r):
            expect_error(post(name="n", role_descriptors={"r": r}), 400,
                "illegal_argument_exception", "role descriptor [r]: " + text)
        known = ("all, manage, monitor, manage_ml, monitor_ml, "
            "manage_security, manage_own_api_key, none")
        role("unknown privilege [x] in [cluster]; there are [%s]" % known,
            cluster=["x"])
        role("[cluster] must be a list of strings", cluster="all")
        role("unknown field [clusters]", clusters=[])
        role("unknown field [restriction]", restriction={})
        role("[applications] must be a list of objects", applications={})
        def app(text, **a):
            role(text, applications=[a])
        app("the only [application] known here is [anomd]",
            application="kibana", privileges=["all"], resources=["*"])
        app("[applications] needs [privileges]", application="anomd",
            resources=["*"])
        app("[applications] needs [resources], patterns of job ids",
            application="anomd", privileges=["manage_ml"])
        app("[privileges] of an application may be [manage_ml] and "
            "[monitor_ml] only", application="anomd", privileges=["all"],
            resources=["*"])
        app("unknown field [resource] in [applications]",
            application="anomd", resource=[])
        app("more than 32 [resources] in all", application="anomd",
            privileges=["manage_ml"], resources=["a"] * 33)
        app("a resource must be a pattern of job ids of 1 to 128 bytes",
            application="anomd", privileges=["manage_ml"], resources=[""])
        # What gives something that is not here gives nothing.
        d.make_key(role_descriptors={"r": {"indices": [], "cluster": []}})
        def delete(body):
            return d.request("DELETE", "/_security/api_key", body)
        invalid(delete({}), "One of [api key id, api key name, username, "
            "realm name] must be specified if [owner] flag is false")
        invalid(delete({"ids": []}), "Field [ids] cannot be an empty array")
        expect_error(d.request("DELETE", "/_security/api_key"), 400,
            "parse_exception", "request body is required")


# ---- keys for some jobs

def test_a_key_for_some_jobs_sees_no_others():
    with SecureDaemon() as d:
        for name, groups in (("web-1", ["g"]), ("web-2", []),
                ("db-1", ["g"]), ("db-2", ["dbs"])):
            d.put_job(name, dict(job(), groups=groups))
        web = d.key_with(jobs=["web-*"])
        def names(expr):
            got = expect(200, d.get(JOBS + expr, headers=web))
            return [j["job_id"] for j in got["jobs"]]
        both = ["web-1", "web-2"]
        for expr in ("", "/_all", "/*", "/web-*", "/web-1,web-2", "/*-*",
                "/_stats", "/_all/_stats"):
            assert names(expr) == both, expr
        assert names("/g") == ["web-1"], "of the group what it may see"
        assert names("/db-*") == []
        reading = denied("cluster:monitor/xpack/ml/job/get", "%s",
            "monitor_ml,monitor,manage_ml,manage,all")
        for expr in ("/db-1", "/none", "/dbs", "/web-1,db-1", "/web-*,db-1"):
            got = d.get(JOBS + expr, headers=web)
            assert got.status == 403, (expr, got)
        assert d.get(JOBS + "/web-9", headers=web).status == 404
        assert expect(200, d.request("POST", JOBS + "/_all/_close",
            headers=web)) == {"closed": True}


def test_a_key_for_some_jobs_changes_no_others():
    with SecureDaemon() as d:
        for name in ("web-1", "db-1"):
            d.make_job(name, job())
        web = d.key_with(jobs=["web-*", "x"])
        assert d.request("PUT", JOBS + "/web-2", job(),
            headers=web).status == 200
        assert d.request("PUT", JOBS + "/x", job(), headers=web).status == 200
        for method, path in (("PUT", "/db-2"), ("DELETE", "/db-1"),
                ("DELETE", "/web-1,db-1"), ("DELETE", "/*"),
                ("DELETE", "/_all"), ("POST", "/db-1/_open"),
                ("POST", "/db-1/_close"), ("POST", "/db-1/_flush"),
                ("POST", "/db-1/_data"), ("POST", "/web%2d1,db-1/_data"),
                ("GET", "/db-1/results/buckets"),
                ("GET", "/db%2D1/results/records")):
            got = d.request(method, JOBS + path, {}, web)
            assert got.status == 403, (method, path, got)
        got = d.try_post("web-1", [{"time": 1, "v": 1}], headers=web)
        assert got.status == 202, got
        # Only its own were closed.
        expect(200, d.request("POST", JOBS + "/_all/_close", headers=web))
        assert d.stats("web-1")["state"] == "closed"
        assert d.stats("db-1")["state"] == "opened"
        # What is no job's needs the privilege on everything.
        assert d.get("/_ml/info", headers=web).status == 403
        assert d.get("/", headers=web).status == 403


def test_reading_some_jobs_is_not_changing_them():
    with SecureDaemon() as d:
        d.put_job("web-1", job())
        reader = d.key_with(jobs=["web-1"], privileges=["monitor_ml"])
        assert d.get(JOBS + "/web-1/_stats", headers=reader).status == 200
        assert d.request("POST", JOBS + "/web-1/_open",
            headers=reader).status == 403
        # All may be read, some may be changed.
        mixed = d.key_with("monitor_ml", jobs=["web-*"])
        d.put_job("db-1", job())
        assert d.get(JOBS, headers=mixed).json["count"] == 2
        assert d.request("DELETE", JOBS + "/db-1",
            headers=mixed).status == 403
        assert d.request("POST", JOBS + "/_all/_close",
            headers=mixed).status == 200
        assert d.request("DELETE", JOBS + "/web-1",
            headers=mixed).status == 200


# ---- it lasts

def test_users_and_keys_outlive_restarts_and_the_keeper():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        mine = d.make_key(headers=basic("ann"))
        gone = d.make_key(headers=basic("ann"))
        expect(200, d.request("DELETE", "/_security/api_key",
            {"ids": [gone["id"]]}))
        def check():
            assert d.get("/", headers=basic("ann")).status == 200
            assert d.get("/", headers=key(mine)).status == 200
            assert d.get("/", headers=key(gone)).status == 401
        check()
        [keeper] = d.pids_of("anomd-keeper")
        os.kill(keeper, signal.SIGKILL)
        check()     # from what the supervisor knows
        wait_until(lambda: "another one is started" in d.log(), 10)
        d.put_user("bob")
        check()
        d.kill()
        d.start()
        check()
        assert d.get("/", headers=basic("bob")).status == 200


def test_no_secret_is_in_the_log_or_in_an_error():
    with SecureDaemon(log_level="debug") as d:
        secret = "S3cret-and-unmistakable"
        d.put_user("ann", password=secret)
        made = d.make_key(headers=basic("ann", secret))
        seen = [d.get("/", headers=basic("ann", secret)),
            d.get("/", headers=basic("ann", secret + "x")),
            d.request("PUT", "/_security/user/ann", b'{"password": "%s",' %
                secret.encode()),
            d.request("PUT", "/_security/user/ann", {"password": secret,
                "roles": ["none"]}),
            d.get("/", headers={"Authorization": "Bearer " + secret})]
        text = d.log() + "".join(str(r.body) for r in seen)
        assert secret not in text and made["api_key"] not in text
        assert made["encoded"] not in text
        with open(os.path.join(d.state_dir, "catalog.db"), "rb") as f:
            stored = f.read()
        with open(os.path.join(d.state_dir, "catalog.db-wal"), "rb") as f:
            stored += f.read()
        assert secret.encode() not in stored
        assert made["api_key"].encode() not in stored
        assert b"$argon2id$" in stored


# ---- audit

def audit(d):
    return [line.split("audit: ", 1)[1] for line in d.log().split("\n")
        if "audit: " in line and "action=authenticate" not in line]


def test_every_change_leaves_a_line():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        made = d.make_key("k")
        d.put_job("j", job())
        d.open_job("j")
        d.post("j", [{"time": 1, "v": 1}])
        d.flush("j")
        d.get(JOBS)
        d.close_job("j")
        d.request("DELETE", JOBS + "/j", headers=basic("ann"))
        d.delete_job("j")
        d.request("PUT", JOBS + "/No%0a%20Good", job())
        d.request("DELETE", "/_security/api_key", {"ids": [made["id"]]})
        d.request("PUT", "/_security/user/ann/_disable")
        seen = [re.sub(r" from=127\.0\.0\.1:\d+ ", " ", line)
            for line in audit(d)]
        own = base64.b64decode(d.headers["Authorization"].split()[1]).decode()
        me = "user=%s key=%s" % (d.local("GET",
            "/_security/_authenticate").json["username"],
            own.split(":")[0])
        ml = "cluster:admin/xpack/ml/job/"
        security = "cluster:admin/xpack/security/"
        assert seen[1:] == [
            "%s action=%suser/put item=ann status=200" % (me, security),
            "%s action=%sapi_key/create object=%s status=200" % (me,
                security, made["id"]),
            "%s action=%sput job=j status=200" % (me, ml),
            "%s action=%sopen job=j status=200" % (me, ml),
            "%s action=%sclose job=j status=200" % (me, ml),
            "user=ann action=%sdelete job=j status=403" % ml,
            "%s action=%sdelete job=j status=200" % (me, ml),
            "%s action=%sput job=No\\x0a_Good status=400" % (me, ml),
            "%s action=%sapi_key/invalidate object=%s status=200" % (me,
                security, made["id"]),
            "%s action=%suser/set_enabled item=ann status=200" % (me,
                security),
        ], "\n".join(seen)
        assert re.search(r"from=unix\(uid:\d+\) status=200$", audit(d)[0])


def test_each_revoked_key_has_a_line():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        ids = {d.make_key("k", headers=basic("ann"))["id"] for _ in range(3)}
        expect(200, d.request("DELETE", "/_security/api_key",
            {"owner": True}, basic("ann")))
        lines = [line for line in audit(d) if "invalidate" in line]
        assert len(lines) == 3 and all("status=200" in x for x in lines)
        assert {re.search(r"object=(\S+)", x)[1] for x in lines} == ids, lines


def test_failures_make_few_lines():
    with SecureDaemon() as d:
        for _ in range(50):
            d.get("/", headers={})
        lines = [line for line in d.log().split("\n")
            if "action=authenticate" in line]
        assert 1 <= len(lines) <= 6, lines


# ---- without security

def test_without_security_nobody_is_asked():
    with Daemon() as d:
        assert d.get("/", headers={"Authorization": "Basic !"}).status == 200
        d.put_job("j", job())
        assert re.fullmatch(r"user=- action=cluster:admin/xpack/ml/job/put "
            r"job=j from=127\.0\.0\.1:\d+ status=200", audit(d)[0]), audit(d)
        for method, path in (("GET", "/_security/_authenticate"),
                ("GET", "/_security/user"), ("GET", "/_security/api_key"),
                ("PUT", "/_security/user/u"),
                ("POST", "/_security/api_key")):
            expect_error(d.request(method, path, {}), 400,
                "illegal_argument_exception", 'security is off: users and '
                'keys are kept with "security yes" in the configuration')


def test_listening_beyond_loopback_needs_a_word():
    def check(*options):
        command = [os.path.join(BUILD, "anomd"), "-n", "-f", "/dev/null"]
        for option in options:
            command += ["-o", option]
        done = subprocess.run(command, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout
    status, text = check("listen=0.0.0.0:1")
    assert status == 1 and ('listen 0.0.0.0:1: refused beyond loopback '
        'without authentication; "security yes" asks for it, "insecure yes" '
        'does without') in text, text
    assert check("listen=0.0.0.0:1", "security=yes")[0] == 0
    assert check("listen=0.0.0.0:1", "insecure=yes")[0] == 0
    with SecureDaemon() as d:
        d.options["listen"].append("0.0.0.0:0")
        d.restart()
        assert ("listen 0.0.0.0:0: passwords and keys travel in clear, for "
            "there is no TLS") in d.log()
