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
            (("usr",), "there is no command usr, but user, key, "),
            (("user",), "user wants one of create, list, "),
            (("user", "remove"), "user wants one of create, list, "),
            (("help", "usr"), "there is no command usr; see anomctl help"),
            (("-x", "user", "list"), "there is no option -x; see"),
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
    assert completed("anomctl ") == ["user", "key", "help", "complete"]
    assert completed("anomctl -u unix:/x k") == ["key"]
    assert completed("anomctl user ") == ["create", "list", "password", "role",
        "enable", "disable", "revoke"]
    assert completed("anomctl user create --p") == ["--password-file"]
    assert completed("anomctl user create --password-file ") == []
    assert completed("anomctl user create ann ") == []
