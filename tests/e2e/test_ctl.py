"""anomctl: its command line, and what it does with the real daemon."""

from ctltool import *
from harness import *


# ---- the command line

def test_version_and_help():
    version = ctl(None, "-V").ok()
    assert re.fullmatch(r"anomctl \d+\.\d+\.\d+\n", version), version
    for words in (("--version",), ("user", "-V"), ("user", "list", "-V")):
        assert ctl(None, *words).ok() == version
    overview = ctl(None, "help").ok()
    assert "user create NAME" in overview and "--timeout TIME" in overview
    assert ctl(None, "-h").ok() == overview
    group = ctl(None, "help", "user").ok()
    assert "user create NAME" in group and "key" not in group, group
    assert ctl(None, "user", "--help").ok() == group
    one = ctl(None, "help", "user", "create").ok()
    assert one.startswith("usage: anomctl user create [OPTION ...] NAME\n")
    for words in (("user", "create", "-h"), ("-h", "user", "create"),
            ("user", "-h", "create", "a", "b")):
        assert ctl(None, *words).ok() == one, words


def test_wrong_command_lines_end_with_2_and_name_the_cure():
    for words, want in (
            ((), "usage: anomctl COMMAND"),
            (("usr",), "there is no command usr, but status, jobs, post, user, "),
            (("user",), "user wants one of create, list, "),
            (("user", "remove"), "user wants one of create, list, "),
            (("help", "usr"), "there is no command usr; see anomctl help"),
            (("-x", "user", "list"), "there is no option -x; an operand that begins with - "
                "stands behind --; see anomctl help"),
            (("user", "list", "--jsn"), "there is no option --jsn; see"),
            (("user", "list", "a", "b"),
                "usage: anomctl user list [NAME]; see anomctl help user list"),
            (("user", "create"), "usage: anomctl user create NAME; see"),
            (("user", "role", "a"), "usage: anomctl user role NAME ROLE ..."),
            (("user", "create", "a", "--generate", "--password-file", "-"),
                "give one of --generate and --password-file"),
            (("user", "create", "a", "--password=x"),
                "there is no option --password"),
            (("key", "revoke"), "an ID or --name is wanted"),
            (("user", "list", "-t", "0s"), "-t wants a time from 1ms to 1d"),
            (("user", "list", "-t", "2d"), "-t wants a time from 1ms to 1d"),
            (("user", "list", "-t", "soon"), "-t wants a time"),
            (("user", "list", "-u", "9200"), "http://host:port"),
            (("user", "list", "-u", "http://a:b@c"), "use -U"),
            (("user", "list", "-U", "a", "-K", "-"), "give one of them"),
            (("user", "list", "-P", "-"), "-P wants -U"),
            (("user", "list", "-q", "-q"), "may be given only once"),
            (("user", "list", "-u"), "--url wants a value: URL")):
        ctl(None, *words).failed(want, status=2)


def completed(line):
    """The words that bash offers at the end of a line."""
    script = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; ' \
        '_anomctl "$3"; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, "bash",
        os.path.join(TOP, "dist", "anomctl.bash"), line, ANOMCTL],
        capture_output=True, text=True, env=environment())
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.split()


def test_bash_completes_the_command_line():
    assert completed("anomctl ") == ["status", "jobs", "post", "user",
        "key", "quarantine", "backup", "restore", "verify", "journal",
        "help", "complete"]
    assert completed("anomctl -u unix:/x k") == ["key"]
    assert completed("anomctl user ") == ["create", "list", "password", "role",
        "enable", "disable", "revoke"]
    assert completed("anomctl user create --p") == ["--password-file"]
    assert completed("anomctl user create --password-file ") == []
    assert completed("anomctl user create ann ") == []


# ---- the real daemon

def names(listing):
    """The first column of a table, without its heading."""
    return [line.split()[0] for line in listing.split("\n")[1:-1]]


def login(name, password, directory):
    """The options that make one this user."""
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(password + "\n")
    return ["-U", name, "-P", path]


@timeout(180)
def test_the_life_of_a_user():
    with CtlDaemon() as d, tempfile.TemporaryDirectory() as directory:
        assert names(ctl(d.unix, "user", "list").ok()) == []
        ctl(d.unix, "user", "create", "ops", "--role", "superuser",
            "--full-name", "Ö. Ps", "--email", "ops@a.example",
            "--password-file", "-", stdin="first pässword\n").ok()
        ops = login("ops", "first pässword", directory)
        assert ctl(d.http, *ops, "user", "list").ok() == (
            "NAME  STATE    ROLES      FULL NAME  EMAIL\n"
            "ops   enabled  superuser  Ö. Ps      ops@a.example\n")
        ctl(d.http, *login("ops", "wrong one", directory), "user",
            "list").failed("; is the password right?")
        ctl(d.http, "user", "list").failed("; say who you are with -U or -K")
        ctl(d.unix, "user", "create", "ops", "--generate").failed(
            "there is a user ops")

        ctl(d.unix, "user", "password", "ops", "--password-file", "-",
            stdin="second password\n").ok()
        ctl(d.http, *login("ops", "first pässword", directory), "user",
            "list").failed("; is the password right?")
        ops = login("ops", "second password", directory)
        ctl(d.http, *ops, "user", "list").ok()

        ctl(d.unix, "user", "disable", "ops").ok()
        ctl(d.http, *ops, "user", "list").failed("ops")
        assert "disabled" in ctl(d.unix, "user", "list", "ops").ok()
        ctl(d.unix, "user", "enable", "ops").ok()
        ctl(d.http, *ops, "user", "list").ok()

        ctl(d.unix, "user", "role", "ops", "monitor",
            "machine_learning_user").ok()
        ctl(d.http, *ops, "user", "list").failed("is unauthorized for user")
        user = json.loads(ctl(d.unix, "user", "list", "--json").ok())["ops"]
        assert user["roles"] == ["monitor", "machine_learning_user"], user
        assert user["full_name"] == "Ö. Ps" and user["enabled"], user

        ctl(d.unix, "user", "revoke", "ops").ok()
        ctl(d.http, *ops, "user", "list").failed("ops")
        ctl(d.unix, "user", "list", "ops").failed("there is no such user")
        for words in (("revoke", "ops"), ("enable", "ops"),
                ("disable", "ops"), ("role", "ops", "monitor")):
            ctl(d.unix, "user", *words).failed("anomctl: user " + words[0])
        assert "pässword" not in d.log() and "second pass" not in d.log()


@timeout(120)
def test_a_password_that_was_made_up_or_typed_lets_in():
    with CtlDaemon() as d, tempfile.TemporaryDirectory() as directory:
        made = ctl(d.unix, "user", "create", "ann", "-r", "superuser",
            "--generate").ok().strip()
        ctl(d.http, *login("ann", made, directory), "user", "list").ok()
        made = ctl(d.unix, "user", "password", "ann", "--generate").ok()
        ctl(d.http, *login("ann", made.strip(), directory), "user",
            "list").ok()
        done = ctl_terminal(d.unix, "user", "create", "bob", "-r",
            "superuser", typed=[("New password of bob: ", "bob's \"own\""),
                ("The same again: ", "bob's \"own\"")])
        assert done.status == 0, done
        done = ctl_terminal(d.http, "user", "list", "-U", "bob",
            typed=[("Password of bob: ", "bob's \"own\"")])
        assert done.status == 0 and names(done.out.lstrip("\n"))[-2:] == [
            "ann", "bob"], done


def test_the_reasons_of_the_daemon_are_told():
    with CtlDaemon() as d:
        for words, want in (
                (("user", "create", "a", "--role", "king"), "king"),
                (("user", "create", "a b:c"), "Usernames must be"),
                (("key", "create", "a", "--expire", "soon"), "soon"),
                (("key", "create", "a", "-p", "reign"), "reign")):
            stdin = "good enough\n"
            if words[0] == "user":
                words += ("--password-file", "-")
            ctl(d.unix, *words, stdin=stdin).failed(want)
        ctl(d.unix, "user", "create", "a", "--password-file", "-",
            stdin="short\n").failed("passwords must be at least")
        assert names(ctl(d.unix, "user", "list").ok()) == []
        assert names(ctl(d.unix, "key", "list", "--all").ok()) == []


def test_without_security_there_are_no_users():
    with Daemon() as d:
        url = "http://127.0.0.1:%d" % d.port
        for words in (("user", "list"), ("user", "list", "ann"),
                ("user", "create", "ann", "--generate"),
                ("user", "password", "ann", "--generate"),
                ("user", "role", "ann", "monitor"), ("user", "enable", "ann"),
                ("user", "disable", "ann"), ("user", "revoke", "ann"),
                ("key", "list"), ("key", "create", "k"),
                ("key", "revoke", "k"), ("key", "revoke", "-n", "k")):
            ctl(url, *words).failed("anomctl: %s %s: security is off" %
                words[:2])


def test_the_life_of_a_key():
    with CtlDaemon() as d, tempfile.TemporaryDirectory() as directory:
        d.make_job("web-1", job())
        d.make_job("db", job())
        done = ctl(d.unix, "key", "create", "collector", "-p", "manage_ml",
            "--job", "web-*", "--expire", "1d")
        encoded = done.ok().strip()
        [key] = json.loads(ctl(d.unix, "key", "list",
            "--json").ok())["api_keys"]
        assert key["id"] in done.err, (key, done)
        assert encoded not in done.err + d.log(), done

        def use(job_id, method="POST", rest="/_flush"):
            return d.over_tcp(method, ML + "/anomaly_detectors/" + job_id +
                rest, "ApiKey " + encoded).status

        assert use("web-1") == 200 and use("db") == 403
        env = {"ANOMD_API_KEY": encoded}
        ctl(d.http, "user", "list", env=env).failed("is unauthorized")
        table = ctl(d.unix, "key", "list").ok()
        assert "manage_ml on web-*" in table and "active" in table, table

        other = ctl(d.unix, "key", "create", "collector").ok()
        assert other.strip() != encoded
        ctl(d.unix, "key", "revoke", key["id"]).ok()
        assert use("web-1") == 401
        ctl(d.http, "key", "list", env=env).failed(
            "; is the API key right, and still valid?")
        assert key["id"] not in ctl(d.unix, "key", "list").ok()
        assert "revoked" in ctl(d.unix, "key", "list", "--all").ok()
        done = ctl(d.unix, "key", "revoke", key["id"], "nothing")
        done.failed("there is no key nothing")
        assert "was revoked before" in done.err, done

        ctl(d.unix, "key", "revoke", "--name", "collector").ok()
        assert names(ctl(d.unix, "key", "list").ok()) == []
        ctl(d.unix, "key", "revoke", "--name", "collector").failed(
            "there is no active key of the name collector")


def test_a_key_ends_by_itself():
    with CtlDaemon() as d:
        d.make_job("web-1", job())
        encoded = ctl(d.unix, "key", "create", "short", "-e", "1s").ok()
        wait_until(lambda: d.over_tcp("GET", ML + "/anomaly_detectors/web-1",
            "ApiKey " + encoded.strip()).status == 401, 20, "the key's end")
        assert names(ctl(d.unix, "key", "list").ok()) == []
        assert "expired" in ctl(d.unix, "key", "list", "--all").ok()

        ctl(d.unix, "key", "create", "long", "-e", "30d").ok()
        [key] = names(ctl(d.unix, "key", "list").ok())
        ctl(d.unix, "key", "expire", key, "soon").failed("[soon]")
        for when, text in (("90d", "expires in 90d"), ("now",
                "has expired")):
            done = ctl(d.unix, "key", "expire", key, when)
            assert done.ok() == "" and "key %s %s" % (key, text) in done.err
        wait_until(lambda: names(ctl(d.unix, "key", "list").ok()) == [], 5,
            "the end of the key")
        ctl(d.unix, "key", "expire", key, "1d").failed("cannot update "
            "expired API key")
        ctl(d.unix, "key", "expire", "none", "1d").failed("no API key owned")


def test_users_of_other_names_have_keys_of_their_own():
    """A key is its user's, and goes with the user."""
    with CtlDaemon() as d, tempfile.TemporaryDirectory() as directory:
        ctl(d.unix, "user", "create", "ann", "-r", "superuser",
            "--password-file", "-", stdin="good enough\n").ok()
        encoded = ctl(d.http, *login("ann", "good enough", directory), "key",
            "create", "hers", "-p", "all").ok()
        env = {"ANOMD_API_KEY": encoded.strip()}
        assert names(ctl(d.http, "user", "list", env=env).ok()) == ["ann"]
        assert " ann " in ctl(d.unix, "key", "list").ok()
        ctl(d.unix, "user", "revoke", "ann").ok()
        ctl(d.http, "user", "list", env=env).failed("still valid?")


def manual_commands():
    """The commands behind a prompt in the examples of anomctl(1)."""
    with open(os.path.join(TOP, "man", "anomctl.1")) as f:
        text = f.read().split(".Sh EXAMPLES")[1].split(".Sh ")[0]
    text = text.replace("\\e\n", "\\\n")
    return re.findall(r"^(?:\.Dl )?[#$] ((?:.*\\\n)*.*)$", text, re.M)


@timeout(120)
def test_examples_of_the_manual():
    with CtlDaemon() as d, tempfile.TemporaryDirectory() as directory:
        d.make_job("web-1", job())
        with open(os.path.join(directory, "records.json"), "w") as f:
            f.write('{"time":1700000000,"v":5}\n')
        commands = manual_commands()
        assert len(commands) == 13, commands
        first = commands.pop(0).split()
        assert first[:3] == ["anomctl", "user", "create"], first
        done = ctl_terminal(d.unix, *first[1:], typed=[
            ("New password of ann: ", "good enough"),
            ("The same again: ", "good enough")])
        assert done.status == 0, done
        env = environment({"ANOMD_URL": d.unix})
        script = 'anomctl() { "%s" "$@"; }\n' % ANOMCTL
        for command in commands:
            command = command.replace("127.0.0.1:9200", d.http[7:])
            command = command.replace("localhost:9200", d.http[7:])
            command = command.replace("/backup/", directory + "/")
            command = command.replace("/tmp/drill", directory + "/drill")
            command = command.replace("anomctl backup",
                "anomctl backup -s " + d.state_dir)
            command = command.replace("curl ", "curl -sS --fail-with-body ")
            if "key revoke" in command or "key expire" in command:
                [key, _] = json.loads(ctl(d.unix, "key", "list",
                    "--json").ok())["api_keys"]
                command = re.sub(r"(key \w+) \S+", r"\1 " + key["id"],
                    command)
            done = subprocess.run(["bash", "-ec", script + command], env=env,
                cwd=directory, capture_output=True, text=True)
            assert done.returncode == 0, (command, done)
        assert d.stats("web-1")["data_counts"]["input_record_count"] == 1
        assert names(ctl(d.unix, "user", "list").ok()) == ["ann", "ops"]
        assert len(names(ctl(d.unix, "key", "list").ok())) == 1
