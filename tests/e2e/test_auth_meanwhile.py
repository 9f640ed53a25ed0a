"""What changes while a request comes in, and what it may do then."""

from secure import *

JOBS = "/_ml/anomaly_detectors"
CHANGED = ("what user [%s] may do has changed while the request came in; "
    "try again")


class Slow:
    """A request whose last byte is still to come."""

    def __init__(self, d, method, path, body, headers):
        self.d, self.body = d, json.dumps(body).encode()
        self.socket = d.socket(60)
        self.socket.sendall(("%s %s HTTP/1.1\r\nHost: localhost\r\n"
            "Authorization: %s\r\nContent-Type: application/json\r\n"
            "Connection: close\r\nContent-Length: %d\r\n\r\n" % (method,
            path, headers["Authorization"], len(self.body))).encode() +
            self.body[:-1])
        assert d.get("/").status == 200     # by now it has been read

    def end(self):
        with self.socket:
            self.socket.sendall(self.body[-1:])
            data = b""
            while True:
                more = self.socket.recv(65536)
                if more == b"":
                    break
                data += more
        head, body = data.split(b"\r\n\r\n", 1)
        return int(head.split(b" ")[1]), json.loads(body)


def put_eve(d):
    d.put_user("eve")
    assert d.get("/", headers=basic("eve")).status == 200


def disable(d):
    expect(200, d.request("PUT", "/_security/user/eve/_disable"))


def demote(d):
    expect(200, d.request("PUT", "/_security/user/eve",
        {"roles": ["monitor"]}))


def remove(d):
    expect(200, d.request("DELETE", "/_security/user/eve"))


def password(d):
    expect(200, d.request("PUT", "/_security/user/eve/_password",
        {"password": "another one"}))


def test_a_user_who_is_changed_meanwhile_does_nothing():
    back_door = {"password": "long enough", "roles": ["superuser"]}
    with SecureDaemon() as d:
        for change in (disable, demote, password, remove):
            put_eve(d)
            slow = [Slow(d, "PUT", "/_security/user/mallory", back_door,
                basic("eve")),
                Slow(d, "POST", "/_security/api_key", {"name": "k"},
                    basic("eve")),
                Slow(d, "PUT", JOBS + "/j", job(), basic("eve"))]
            change(d)
            for s in slow:
                status, body = s.end()
                assert status == 403, (change, body)
                assert body["error"]["type"] == "security_exception"
                assert body["error"]["reason"] == CHANGED % "eve", body
            assert d.get("/_security/user/mallory").status == 404
            assert d.get(JOBS).json["count"] == 0
            assert d.get("/_security/api_key?username=eve").json == {
                "api_keys": []}


def test_a_key_that_is_revoked_or_narrowed_meanwhile_does_nothing():
    keys = "/_security/api_key"
    with SecureDaemon() as d:
        for revoke in (True, False):
            made = d.make_key("k")
            slow = Slow(d, "PUT", JOBS + "/j", job(), key(made))
            if revoke:
                expect(200, d.request("DELETE", keys, {"ids": [made["id"]]}))
            else:
                expect(200, d.request("PUT", keys + "/" + made["id"],
                    {"role_descriptors": {"r": {"cluster": []}}}))
            status, body = slow.end()
            assert status == 403, body
            assert body["error"]["reason"].startswith("what user ["), body
            assert d.get(JOBS).json["count"] == 0


def test_who_stays_the_same_is_not_held_up():
    with SecureDaemon() as d:
        d.put_user("eve", roles=["machine_learning_admin"])
        role = {"r": {"applications": [{"application": "anomd",
            "privileges": ["manage_ml"], "resources": ["web-*"]}]}}
        made = d.make_key("k", headers=basic("eve"), role_descriptors=role)
        mine = [Slow(d, "PUT", JOBS + "/j", job(), basic("eve")),
            Slow(d, "PUT", JOBS + "/web-1", job(), key(made))]
        # Another user, and of the key what is no right.
        d.put_user("bob")
        expect(200, d.request("PUT", "/_security/api_key/" + made["id"],
            {"metadata": {"a": 1}}))
        for s in mine:
            status, body = s.end()
            assert status == 200, body
