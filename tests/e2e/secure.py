"""A daemon with security on, and those who ask it something."""

from harness import *


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30 * PATIENCE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class SecureDaemon(Daemon):
    """Its own requests are made with a key that may do everything."""

    def __init__(self, **options):
        super().__init__(**options)
        # Others than the owner must be able to reach the socket.
        self._open = tempfile.mkdtemp(prefix="anomd-sock-")
        os.chmod(self._open, 0o755)
        self.socket_path = os.path.join(self._open, "s")
        self.options["security"] = "yes"
        self.options["listen"] = ["127.0.0.1:0", "unix:" + self.socket_path]

    def __exit__(self, *args):
        try:
            super().__exit__(*args)
        finally:
            shutil.rmtree(self._open, ignore_errors=True)

    def prepare(self):
        if not self.headers:
            made = expect(200, self.local("POST", "/_security/api_key",
                {"name": "tests"}))
            self.headers = key(made)

    def local(self, method, path, body=None, headers=None):
        """A request over the Unix socket, as whom the test runs as."""
        connection = UnixConnection(self.socket_path)
        headers = dict(headers or {})
        if body is not None:
            body = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            data = answer.read()
            return Response(answer.status,
                {k.lower(): v for k, v in answer.getheaders()}, data)
        finally:
            connection.close()

    def put_user(self, name, password="long enough", roles=("superuser",),
            **more):
        return expect(200, self.request("PUT", "/_security/user/" + name,
            dict(more, password=password, roles=list(roles))))

    def make_key(self, name="k", headers=None, **body):
        """The whole answer; headers: of the owner."""
        return expect(200, self.request("POST", "/_security/api_key",
            dict(body, name=name), headers=headers))

    def key_with(self, *cluster, jobs=None, privileges=("manage_ml",)):
        """Headers of a key with these privileges, or some on some jobs."""
        role = {"cluster": list(cluster)}
        if jobs is not None:
            role["applications"] = [{"application": "anomd",
                "privileges": list(privileges), "resources": jobs}]
        return key(self.make_key(role_descriptors={"r": role}))

    def hasher_pid(self):
        [keeper] = self.pids_of("anomd-keeper")
        with open("/proc/%d/task/%d/children" % (keeper, keeper)) as f:
            [pid] = f.read().split()
        return int(pid)


def basic(user, password="long enough"):
    text = ("%s:%s" % (user, password)).encode()
    return {"Authorization": "Basic " + base64.b64encode(text).decode()}


def key(made, scheme="ApiKey"):
    return {"Authorization": "%s %s" % (scheme, made["encoded"])}


CHALLENGES = ['Basic realm="security" charset="UTF-8"',
    'Bearer realm="security"', "ApiKey"]


def expect_401(response, reason):
    """The whole body, and the header."""
    header = {"WWW-Authenticate": CHALLENGES}
    error = {"type": "security_exception", "reason": reason,
        "header": header}
    assert response.json == {"error": dict(error, root_cause=[error]),
        "status": 401}, response
    assert response.status == 401, response
    assert response.headers["x-elastic-product"] == "Elasticsearch"


def expect_403(response, reason):
    expect_error(response, 403, "security_exception", reason)
    assert "www-authenticate" not in response.headers, response.headers
