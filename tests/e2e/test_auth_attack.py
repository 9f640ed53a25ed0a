"""Those who try to get in, and those who must not notice."""

import threading

from secure import *

JOBS = "/_ml/anomaly_detectors"


def routes():
    """Every method and path that there is: (method, path, privilege)."""
    text = subprocess.run([os.path.join(BUILD, "anomd"), "-R"], check=True,
        stdout=subprocess.PIPE, text=True).stdout
    found = [tuple(line.split("\t")[:3]) for line in text.splitlines()]
    assert len(found) > 30, text
    return found


def path_of(form, job_id="web-1"):
    return form.replace("{job_id}", job_id).replace("{item}", "ann")


GRANTING = {
    "monitor": {"monitor", "manage", "all"},
    "monitor_ml": {"monitor_ml", "monitor", "manage_ml", "manage", "all"},
    "manage_ml": {"manage_ml", "manage", "all"},
    "manage_own_api_key": {"manage_own_api_key", "manage_security", "all"},
    "manage_security": {"manage_security", "all"},
    "authenticated": None,
}


def state(d):
    """What an attack must not have changed."""
    users = d.get("/_security/user").json
    keys = d.get("/_security/api_key").json
    return users, keys, d.get(JOBS).json, d.stats("web-1")["state"]


@timeout(300)
def test_every_route_refuses_wrong_credentials():
    with SecureDaemon() as d:
        d.put_job("web-1", job())
        d.put_user("ann")
        d.put_user("off")
        expired = d.make_key(expiration="1ms")
        revoked = d.make_key()
        orphan = d.make_key(headers=basic("off"))
        d.request("DELETE", "/_security/api_key", {"ids": [revoked["id"]]})
        d.request("PUT", "/_security/user/off/_disable")
        wrong = dict(d.make_key(), api_key="x")
        wrong["encoded"] = base64.b64encode(("%s:%s" % (wrong["id"],
            "A" * 22)).encode()).decode()
        wait_until(lambda: d.get("/", headers=key(expired)).status == 401, 5)
        before = state(d)
        attempts = {"none": {}, "malformed": {"Authorization": "Basic =="},
            "scheme": {"Authorization": "Digest x"},
            "wrong password": basic("ann", "wrong one"),
            "unknown user": basic("nobody"), "disabled": basic("off"),
            "wrong key": key(wrong), "expired key": key(expired),
            "revoked key": key(revoked), "orphaned key": key(orphan)}
        # A path that is not there is no better known to strangers.
        for method, form, _ in routes() + [("GET", "/none", "")]:
            for name, headers in attempts.items():
                got = d.request(method, path_of(form), {"password": "p" * 9},
                    headers)
                # Passwords are soon answered 429, which is no way in either.
                wanted = (401, 429) if "Basic" in headers.get(
                    "Authorization", "") and name != "malformed" else (401,)
                assert got.status in wanted, (method, form, name, got)
        assert state(d) == before


@timeout(300)
def test_every_route_refuses_who_may_less():
    with SecureDaemon() as d:
        d.put_job("web-1", job())
        d.put_user("ann")
        keys = {p: d.key_with(p) for p in ("none", "monitor_ml", "monitor",
            "manage_ml", "manage", "manage_own_api_key", "manage_security")}
        before = state(d)
        refused = 0
        for method, form, privilege in routes():
            granting = GRANTING[privilege]
            for name, headers in keys.items():
                if granting is None and "_password" in form:
                    may = name == "manage_security"
                else:
                    may = granting is None or name in granting
                if may:
                    continue
                got = d.request(method, path_of(form), {"password": "p" * 9},
                    headers)
                assert got.status == 403, (method, form, name, got)
                refused += 1
        assert refused > 100, refused
        assert state(d) == before


@timeout(300)
def test_every_route_lets_in_who_may():
    with SecureDaemon() as d:
        for method, form, privilege in routes():
            if privilege == "authenticated":
                continue
            for name in sorted(GRANTING[privilege]):
                got = d.request(method, path_of(form), {"bad": "field"},
                    d.key_with(name))
                assert got.status not in (401, 403, 429, 500), (method,
                    form, name, got)


@timeout(300)
def test_every_route_of_a_job_keeps_to_the_jobs_of_a_key():
    with SecureDaemon() as d:
        d.put_job("web-1", job())
        d.put_job("db-1", job())
        web = d.key_with(jobs=["web-*"])
        of_jobs = 0
        for method, form, privilege in routes():
            if "{job_id}" not in form:
                continue
            of_jobs += 1
            for name in ("db-1", "none", "db%2D1", "web-1,db-1", "db-*,db-1"):
                got = d.request(method, path_of(form, name), {}, web)
                assert got.status == 403, (method, form, name, got)
            got = d.request(method, path_of(form, "web-9"), {"x": 1}, web)
            assert got.status not in (401, 403), (method, form, got)
        assert of_jobs > 10
        assert d.get(JOBS).json["count"] == 2


# ---- guesses

class Guesser(threading.Thread):
    """Wrong passwords over one kept connection, one after the other."""

    def __init__(self, d, user, n):
        super().__init__()
        self.d, self.user, self.n = d, user, n
        self.statuses = {}

    def run(self):
        connection = self.d.connect(60)
        for i in range(self.n):
            connection.request("GET", "/", headers=basic(self.user,
                "guess %d" % i))
            answer = connection.getresponse()
            answer.read()
            self.statuses[answer.status] = self.statuses.get(
                answer.status, 0) + 1
        connection.close()


@timeout(300)
def test_ten_thousand_guesses_cost_others_nothing():
    with SecureDaemon() as d:
        d.put_user("victim")
        d.put_user("ann")
        d.put_user("new", roles=["monitor"])
        d.put_job("web-1", job())
        mine = key(d.make_key())
        for user in ("ann", "victim"):
            assert d.get("/", headers=basic(user)).status == 200
        begun = time.monotonic()
        guessers = [Guesser(d, "victim", 1250) for _ in range(8)]
        for g in guessers:
            g.start()
        others = {"cached": basic("ann"), "cached too": basic("victim"),
            "key": mine}
        rounds = 0
        while any(g.is_alive() for g in guessers) or rounds == 0:
            for name, headers in others.items():
                got = d.get(JOBS, headers=headers)
                assert got.status == 200, (name, got)
            if rounds == 0:     # a password that nobody has seen yet
                assert d.get("/", headers=basic("new")).status == 200
            rounds += 1
        for g in guessers:
            g.join()
        seen = {}
        for g in guessers:
            for status, n in g.statuses.items():
                seen[status] = seen.get(status, 0) + n
        print("%d rounds beside %s in %.1f s" % (rounds, seen,
            time.monotonic() - begun))
        assert sum(seen.values()) == 10000 and set(seen) <= {401, 429}, seen
        # Five at once, and one in ten seconds.
        assert seen[401] <= 5 + (time.monotonic() - begun) / 10 + 1, seen
        assert d.get("/", headers=basic("victim")).status == 200


def test_refusal_tells_when_to_try_again():
    with SecureDaemon() as d:
        d.put_user("ann")
        seen = []   # on a slow machine another one is due meanwhile
        while not seen or (seen[-1] != 429 and len(seen) < 30):
            got = d.get("/", headers=basic("ann", "wrong one"))
            seen.append(got.status)
        assert seen[:5] == [401] * 5, seen
        wait = int(got.headers["retry-after"])
        assert 1 <= wait <= 10, got.headers
        expect_error(got, 429, "status_exception", "too many attempts to "
            "authenticate user [ann] have failed; try again in [%ds]" % wait)
        assert "www-authenticate" not in got.headers


def test_nobody_waits_for_a_password_of_others():
    with SecureDaemon() as d:
        d.put_user("ann")
        assert d.get("/", headers=basic("ann")).status == 200
        hasher = d.hasher_pid()
        os.kill(hasher, signal.SIGSTOP)
        try:
            waiting = []
            for i in range(8):
                s = d.socket(60)
                s.sendall(("GET / HTTP/1.1\r\nHost: localhost\r\n"
                    "Authorization: %s\r\n\r\n" % basic("user%d" % i)[
                    "Authorization"]).encode())
                waiting.append(s)
            # The loop goes on, and so does the keeper, with what it stores.
            assert d.get("/", headers=basic("ann")).status == 200
            d.make_job("web-1", job())
            d.post("web-1", [{"time": 1, "v": 1}])
            d.make_key()
            d.close_job("web-1")
            # Of one user, no more than two are asked about at a time.
            got = [d.socket(60) for _ in range(3)]
            for s in got:
                s.sendall(("GET / HTTP/1.1\r\nHost: localhost\r\n"
                    "Authorization: %s\r\n\r\n" % basic("same")[
                    "Authorization"]).encode())
            assert got[2].recv(65536).startswith(b"HTTP/1.1 429 ")
        finally:
            os.kill(hasher, signal.SIGCONT)
        for s in waiting + got[:2]:
            assert s.recv(65536).startswith(b"HTTP/1.1 401 ")
            s.close()
        got[2].close()


def test_a_client_that_leaves_meanwhile_harms_nobody():
    with SecureDaemon() as d:
        d.put_user("ann")
        hasher = d.hasher_pid()
        os.kill(hasher, signal.SIGSTOP)
        for name in ("ann", "nobody"):
            with d.socket() as s:
                s.sendall(("PUT %s/j HTTP/1.1\r\nHost: localhost\r\n"
                    "Authorization: %s\r\nContent-Length: 9999\r\n\r\n" % (
                    JOBS, basic(name)["Authorization"])).encode())
        os.kill(hasher, signal.SIGCONT)
        assert d.get("/", headers=basic("ann")).status == 200
        assert d.get(JOBS).json["count"] == 0


def test_death_of_the_hasher_is_mended():
    with SecureDaemon() as d:
        d.put_user("ann")
        os.kill(d.hasher_pid(), signal.SIGKILL)
        wait_until(lambda: "another one is started" in d.log(), 10)
        def comes_in():
            return d.get("/", headers=basic("ann")).status == 200
        wait_until(comes_in, 20, "a password to be right again")


@timeout(120)
def test_a_place_with_many_names_learns_nothing_and_locks_nobody_out():
    with SecureDaemon() as d:
        d.put_user("ann", roles=["monitor"])
        d.put_user("bob", roles=["monitor"])
        def ask(user, password="wrong one"):
            s = d.socket(60)
            s.sendall(("GET / HTTP/1.1\r\nHost: localhost\r\n"
                "Authorization: %s\r\n\r\n" % basic(user, password)[
                "Authorization"]).encode())
            return s
        # All of its failures are used up, and more.
        seen = []
        for batch in range(5):
            waiting = [ask("name%d" % (batch * 10 + i)) for i in range(10)]
            for s in waiting:
                seen.append(s.recv(65536).split(b" ")[1])
                s.close()
        assert seen[:20] == [b"401"] * 20, seen
        assert seen.count(b"429") >= 10, seen
        # From there a name that is known looks like one that is not; a few
        # go before them, for whom some more may be due by now.
        waiting = [ask("last%d" % i) for i in range(8)]
        known, unknown = ask("ann"), ask("nobody")
        for s in known, unknown:
            assert s.recv(65536).startswith(b"HTTP/1.1 429 "), s
        for s in waiting + [known, unknown]:
            s.close()
        # And yet who knows his password comes in.
        for user in ("ann", "bob"):
            assert d.get("/", headers=basic(user)).status == 200


def test_a_change_of_ones_own_undoes_no_change_of_others():
    """A password that is being hashed, while its user loses everything."""
    with SecureDaemon() as d:
        d.put_user("eve", roles=["superuser"])
        assert d.get("/", headers=basic("eve")).status == 200
        hasher = d.hasher_pid()
        os.kill(hasher, signal.SIGSTOP)
        body = json.dumps({"password": "another one"}).encode()
        slow = d.socket(60)
        slow.sendall(("POST /_security/user/_password HTTP/1.1\r\n"
            "Host: localhost\r\nAuthorization: %s\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            basic("eve")["Authorization"], len(body))).encode() + body)
        assert d.get("/").status == 200     # by now it has been read
        expect(200, d.request("PUT", "/_security/user/eve",
            {"roles": ["monitor"], "enabled": False}))
        os.kill(hasher, signal.SIGCONT)
        assert slow.recv(65536).startswith(b"HTTP/1.1 200 ")
        slow.close()
        eve = d.get("/_security/user/eve").json["eve"]
        assert eve["roles"] == ["monitor"] and not eve["enabled"], eve
        for password in ("long enough", "another one"):
            assert d.get("/", headers=basic("eve", password)).status == 401


def test_a_password_for_a_user_who_is_gone_makes_none():
    with SecureDaemon() as d:
        d.put_user("eve")
        hasher = d.hasher_pid()
        os.kill(hasher, signal.SIGSTOP)
        body = json.dumps({"password": "another one"}).encode()
        slow = d.socket(60)
        slow.sendall(("POST /_security/user/eve/_password HTTP/1.1\r\n"
            "Host: localhost\r\nAuthorization: %s\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            d.headers["Authorization"], len(body))).encode() + body)
        assert d.get("/").status == 200
        expect(200, d.request("DELETE", "/_security/user/eve"))
        os.kill(hasher, signal.SIGCONT)
        assert slow.recv(65536).startswith(b"HTTP/1.1 404 ")
        slow.close()
        assert d.get("/_security/user").json == {}


@timeout(120)
def test_keys_of_one_user_cannot_fill_the_memory():
    with SecureDaemon() as d:
        d.put_user("eve", roles=["monitor"])
        path = "/_security/api_key"
        big = {"r": {"cluster": [], "metadata": {"x": "y" * 65000}}}
        made = [d.make_key("k", headers=basic("eve"))]
        while True:
            got = d.request("POST", path, {"name": "k",
                "role_descriptors": big}, basic("eve"))
            if got.status != 200:
                break
            made.append(got.json)
        reason = ("the [role_descriptors] and [metadata] of all API keys of "
            "user [eve] are longer than [8388608] bytes")
        expect_error(got, 400, "illegal_argument_exception", reason)
        assert 120 < len(made) < 130, len(made)
        expect_error(d.request("PUT", path + "/" + made[0]["id"],
            {"role_descriptors": big}, basic("eve")), 400,
            "illegal_argument_exception", reason)
        # What is smaller than it was is taken, and others have room.
        expect(200, d.request("PUT", path + "/" + made[1]["id"],
            {"role_descriptors": {}}, basic("eve")))
        assert d.make_key("k", role_descriptors=big)["id"]
