"""The commands that the manuals and the README show do what they say."""

import gzip
import re
import tempfile

from harness import *

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROMPT = re.compile(r"\s*\$ (?=curl |for )")


def commands(path):
    """The commands behind a prompt, with the lines that go on with them."""
    with open(os.path.join(TOP, path)) as f:
        lines = iter(f.read().replace("\\e", "\\").split("\n"))
    for line in lines:
        if not PROMPT.match(line):
            continue
        command = PROMPT.sub("", line)
        while (command.endswith(("\\", "|")) or command.count("'") % 2):
            command += "\n" + next(lines)
        yield command


def run(d, command, directory):
    """As a shell does it; an answer that is an error fails."""
    command = re.sub(r"\bcurl\b", "curl -sS --fail-with-body", command)
    command = command.replace("localhost:9200", "127.0.0.1:%d" % d.port)
    done = subprocess.run(["bash", "-c", command], cwd=directory,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, (command, done.stdout)
    return done.stdout


def test_commands_of_the_manuals():
    record = b'{"time":1700000000,"ms":5,"host":"a"}\n'
    with Daemon() as d, tempfile.TemporaryDirectory() as directory:
        for name, data in (("records.json", record),
                ("records.json.gz", gzip.compress(record))):
            with open(os.path.join(directory, name), "wb") as f:
                f.write(data)
        ran = [run(d, command, directory)
            for page in ("man/anomd.8.in", "man/anomd-http.7",
                "man/anomd-job.5", "man/anomd-engine.7")
            for command in commands(page)]
        assert len(ran) >= 11, ran
        assert d.stats("latency")["data_counts"]["input_record_count"] == 3


def test_first_job_of_the_readme():
    with Daemon() as d, tempfile.TemporaryDirectory() as directory:
        text = open(os.path.join(TOP, "README.md")).read()
        answers = [run(d, command, directory)
            for command in commands("README.md")]
        assert len(answers) >= 4, answers
        for answer in answers[:-1]:
            assert "\n    %s\n" % answer in text, answer
        [record] = json.loads(answers[-1])["records"]
        assert record["actual"] == [425.0], record
