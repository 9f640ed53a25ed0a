"""The commands of the chapter RECOVERY in anomd(8) do what they say.

What needs systemd, another machine or root's own directories is left out by
name; all else runs, with the paths of the test in place of the manual's.
"""

from ctltool import *
from harness import *

PAGE = os.path.join(TOP, "man", "anomd.8.in")
# Begins of commands that a test cannot run.
ELSEWHERE = ("journalctl ", "systemctl ", "chown ", "df ", "du ", "runuser ",
    "kill %1", "rm -r ", "cd ", "anomctl -u ")
DRILL = "@localstatedir@/lib/anomd-drill"


def chapter():
    text = open(PAGE).read().split("\n.Sh RECOVERY\n")[1]
    return text.split("\n.Sh ")[0].replace("\\e\n", "")


def commands():
    return re.findall(r"^# (.*)$", chapter(), re.MULTILINE)


def test_every_command_runs_or_is_known_to_need_more():
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        d.make_job("a", job())
        d.post("a", [{"time": 1700000000 + i * 60, "v": i}
            for i in range(200)])
        state = os.path.join(temp, "restored")
        env = environment({"ANOMD_URL": "http://127.0.0.1:%d" % d.port,
            "PATH": BUILD + ":" + os.environ["PATH"]})
        ran = 0
        for command in commands():
            if command.startswith(ELSEWHERE):
                continue
            assert command.startswith("anomctl "), command
            command = command.replace("/backup/anomd-2026-11-26",
                "/backup/anomd-$(date +%F)")
            command = re.sub(r"(anomctl verify)$", r"\1 " + d.state_dir,
                command)
            command = re.sub(r"(anomctl backup)", r"\1 -s " + d.state_dir,
                command)
            command = re.sub(r"(anomctl restore --replace \S+.*)$",
                r"\1 " + state, command)
            command = command.replace("/backup/", temp + "/").replace(
                DRILL, temp + "/drill")
            done = subprocess.run(["bash", "-c", command], env=env,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            assert done.returncode == 0, (command, done.stdout)
            ran += 1
        assert ran >= 7, ran
        with Daemon(state_dir=os.path.join(temp, "drill")) as e:
            assert e.stats("a")["data_counts"]["input_record_count"] == 200


def test_the_steps_of_a_drill_with_a_second_daemon():
    """All of them in one shell, beside a daemon whose listeners are taken."""
    text = chapter().split(".Ss Drill\n")[1].split(".Ss ")[0]
    steps = re.findall(r"^# (.*(?:\n    .*)*)$", text, re.MULTILINE)
    assert len(steps) == 8, steps
    with tempfile.TemporaryDirectory() as temp:
        script = "\n".join(steps).replace(DRILL, temp + "/drill")
        script = script.replace("/backup/", temp + "/")
        # Whom the test runs as, programs where they were built, and a person
        # who looks whether it has started.
        begins = "runuser -u anomd -- anomd -f /dev/null "
        assert begins in script, script
        script = script.replace(begins, "anomd -f /dev/null -o libexec_dir=%s "
            % BUILD).replace(" &\n",
            " &\nuntil [ -S socket ]; do sleep 0.05; done\n", 1)
        script = script.replace("kill %1\n", "kill %1\nwait %1\n")
        with Daemon() as d:
            d.make_job("a", job())
            ctl(None, "backup", "-s", d.state_dir, os.path.join(temp,
                "anomd-" + time.strftime("%F"))).ok()
            done = subprocess.run(["bash", "-e", "-c", script],
                env=environment({"PATH": BUILD + ":" + os.environ["PATH"]}),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=30 * PATIENCE)
            assert done.returncode == 0, done
            assert re.search(r"^a +open", done.stdout, re.MULTILINE), done
            assert not os.path.exists(os.path.join(temp, "drill"))
