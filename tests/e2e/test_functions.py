"""Each function does what its example in anomd-engine(7) says.

The section FUNCTIONS of the manual has an item for each family of functions,
".It Li count , high_count , low_count", with one detector in JSON behind it.
Here a job is made of that detector, in buckets of an hour, gets data that are
made for it, and must speak of the one hour that is odd, and of that alone.

To add a function: write its item in the manual, and below a function with the
name of the detector's function and the decorator @example.  A second example of
the same item is of people; its function ends in _over.  It is called for
each of the BUCKETS hours and gives that hour's documents, without their times,
which are spread over the hour, or with "at", the second of the hour.  In the
hour ODD something is to be odd.  The decorator takes what the record must
have beside its time and function: members and their values.
"""

import math
import random
import re

from harness import *

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SPAN = 3600
START = 1454284800      # midnight, on a Monday
ODD = 24 * 30 + 3       # three in the night, on a Wednesday
BUCKETS = 24 * 31
LEAST = 50              # what the odd hour scores

EXAMPLES = {}


def example(**members):
    def note(make):
        EXAMPLES[make.__name__] = (make, members)
        return make
    return note


def in_office(hour):
    return 8 <= hour % 24 < 18


def values(r, mean, n=5):
    return [mean + r.gauss(0, 3) for _ in range(n)]


@example(partition_field_value="b")
def low_count(r, hour):
    for source in "ab":
        n = 40 + int(r.gauss(0, 4))
        for _ in range(0 if hour == ODD and source == "b" else n):
            yield {"source": source}


@example(by_field_value="404")
def high_non_zero_count(r, hour):
    for status, often in (("200", 60), ("404", 6 if r.random() < .5 else 0)):
        n = 90 if hour == ODD and status == "404" else often
        for _ in range(n + int(r.random() * n / 3)):
            yield {"status": status}


@example(partition_field_value="b")
def high_distinct_count(r, hour):
    for host in "ab":
        few = r.sample(range(40), 4 + int(r.random() * 3))
        many = hour == ODD and host == "b"
        for port in range(120) if many else few:
            yield {"host": host, "port": str(1000 + port)}


@example(partition_field_value="example.org")
def high_info_content(r, hour):
    """Somebody hides data in the names that are looked up."""
    for domain in ("example.com", "example.org"):
        names = ["www", "mail", "ftp", "news"]
        if hour == ODD and domain == "example.org":
            names = ["%032x" % r.getrandbits(128) for _ in range(60)]
        for name in names + ["host-%d" % r.randrange(10)]:
            yield {"domain": domain, "query": name + "." + domain}


@example(by_field_value="oven")
def mean(r, hour):
    for sensor, level in (("oven", 200), ("room", 20)):
        odd = 90 if hour == ODD and sensor == "oven" else 0
        for v in values(r, level - odd):
            yield {"sensor": sensor, "temperature": v}


@example()
def high_median(r, hour):
    """A single outlier in each hour says nothing to a median."""
    for v in values(r, 90 if hour == ODD else 30):
        yield {"ms": v}
    yield {"ms": 30000}


@example()
def max(r, hour):
    for v in values(r, 50):
        yield {"used": v}
    if hour == ODD:
        yield {"used": 98}


@example()
def min(r, hour):
    for v in values(r, 50):
        yield {"free": v}
    if hour == ODD:
        yield {"free": 1}


@example(function_description="max")
def metric(r, hour):
    for v in values(r, 100):
        yield {"volts": v}
    if hour == ODD:
        yield {"volts": 160}


@example()
def high_varp(r, hour):
    """The mean is what it was."""
    for k in range(12):
        far = 60 if hour == ODD else r.gauss(5, 1)
        yield {"position": far if k % 2 else -far}


@example(partition_field_value="b")
def high_sum(r, hour):
    for host in "ab":
        for _ in range(10):
            yield {"host": host, "bytes": r.uniform(80, 120) *
                (20 if hour == ODD and host == "b" else 1)}


@example(by_field_value="refund")
def high_non_null_sum(r, hour):
    for _ in range(10):
        yield {"kind": "sale", "amount": r.uniform(20, 60)}
    if hour % 5 == 0 or hour == ODD:
        yield {"kind": "refund", "amount": r.uniform(20, 60) *
            (40 if hour == ODD else 1)}


@example(by_field_value="alice")
def time_of_day(r, hour):
    """One who works by day logs in by night."""
    for user, there in (("alice", in_office(hour)), ("bob", True)):
        for _ in range(6 if there else hour == ODD):
            yield {"user": user}


@example()
def time_of_week(r, hour):
    """What is run on weekends happens on a Wednesday."""
    weekend = hour // 24 % 7 >= 5
    for _ in range(4 if weekend else hour == ODD):
        yield {"job": "backup"}


@example(by_field_value="carol", typical_near=(52.52, 13.40),
    actual_near=(-33.87, 151.21))
def lat_long(r, hour):
    homes = {"carol": (52.52, 13.40), "dave": (-17.8, 179.99)}
    for user, (lat, lon) in homes.items():
        if hour == ODD and user == "carol":
            lat, lon = -33.87, 151.21
        lon += r.gauss(0, .05)   # dave's meridian is where degrees turn
        lon -= 360 if lon > 180 else 0
        yield {"user": user, "location": "%.4f,%.4f" % (
            lat + r.gauss(0, .05), lon)}


TEAM = ["alice", "bob"] + ["user-%d" % k for k in range(12)]


@example(over_field_value="bob", cause_actual_near=[3 * SPAN])
def time_of_day_over(r, hour):
    """A team that works by day, and bob who comes in the night."""
    for user in TEAM:
        if in_office(hour) and r.random() < .6:
            yield {"user": user}
    if hour == ODD:
        yield {"user": "bob"}


@example(over_field_value="alice")
def time_of_week_over(r, hour):
    """Those who work on weekends, of whom one comes on a Wednesday."""
    for user in TEAM:
        if hour // 24 % 7 >= 5 and r.random() < .3:
            yield {"user": user}
    if hour == ODD:
        yield {"user": "alice"}


@example(over_field_value="user-7", cause_actual_near=[-33.87, 151.21])
def lat_long_over(r, hour):
    """People in some towns of Europe, one of whom is in Sydney."""
    for k, user in enumerate(TEAM):
        if r.random() < .4:
            lat, lon = 48 + k % 5, 2 + 3 * (k % 4)
            yield {"user": user, "location": "%.4f,%.4f" % (
                lat + r.gauss(0, .05), lon + r.gauss(0, .05))}
    if hour == ODD:
        yield {"user": "user-7", "location": "-33.87,151.21"}


@example(by_field_value="xmrig", typical=[0], actual=[1])
def rare(r, hour):
    """Some processes are there in most hours, one is by night only."""
    for k, name in enumerate(("sshd", "nginx", "cron", "sudo", "rsync")):
        for _ in range(int(r.random() * 6 / (1 + k) + .7)):
            yield {"process": name}
    if hour % 24 == 2:
        yield {"process": "logrotate"}
    if hour == ODD:
        yield {"process": "xmrig"}


@example(over_field_value="eve")
def freq_rare(r, hour):
    """Two people work with the payroll; eve reads all of it."""
    people = ["alice", "bob", "eve"] + ["user-%d" % k for k in range(20)]
    for user in people:
        for _ in range(1 + int(r.random() * 4)):
            yield {"user": user, "share": r.choice(("home", "wiki", "mail"))}
        if user in ("alice", "bob") and r.random() < .5:
            yield {"user": user, "share": "payroll"}
    for _ in range(80 if hour == ODD else 0):
        yield {"user": "eve", "share": "payroll"}


def items():
    """The names of each item of FUNCTIONS, and its detector."""
    with open(os.path.join(TOP, "man", "anomd-engine.7")) as f:
        text = f.read().split("\n.Sh FUNCTIONS\n")[1].split("\n.Sh ")[0]
    for item in text.split("\n.It Li ")[1:]:
        names, rest = item.split("\n", 1)
        detectors = re.findall(r"\.Bd -literal -offset indent\n(\{.*?\n?)\.Ed",
            rest, re.S)
        assert 1 <= len(detectors) <= 2, (names, detectors)
        yield names.split(" , "), [json.loads(d) for d in detectors]


def examples():
    """Names as below, and detectors.  The second of an item is of people."""
    for _, detectors in items():
        for k, detector in enumerate(detectors):
            over = "_over" if k > 0 else ""
            assert not over or "over_field_name" in detector, detector
            yield detector["function"] + over, detector


def known_functions():
    """All that the table of anomd-job(5) has."""
    with open(os.path.join(TOP, "man", "anomd-job.5")) as f:
        return set(re.findall(r"^\.It (\w+) Ta (?:required|forbidden) Ta",
            f.read(), re.M))


def test_each_function_has_an_example():
    named, shown = [], [name for name, _ in examples()]
    for names, detectors in items():
        for detector in detectors:
            assert detector["function"] in names, (names, detector)
        named += names
    assert len(named) == len(set(named)), named
    assert set(named) == known_functions(), set(named) ^ known_functions()
    assert sorted(shown) == sorted(EXAMPLES), set(shown) ^ set(EXAMPLES)


def documents(make):
    """All hours' documents, and one behind them that ends the last hour."""
    r = random.Random(make.__name__)
    for hour in range(BUCKETS):
        found = list(make(r, hour))
        for n, doc in enumerate(found):
            doc["time"] = START + hour * SPAN + n * SPAN // len(found)
            yield doc
    yield {"time": START + BUCKETS * SPAN}


def check_near(record, name, wanted):
    if name.startswith("cause_"):
        [record] = record["causes"]
        name = name[len("cause_"):]
    assert len(record[name]) == len(wanted), record
    for is_now, should in zip(record[name], wanted):
        assert abs(is_now - should) < .5, record


def check_record(record, function, members):
    assert record["timestamp"] == (START + ODD * SPAN) * 1000, record
    assert record["function"] == function, record
    assert record["record_score"] >= LEAST, record
    for name, value in members.items():
        if name.endswith("_near"):
            check_near(record, name[:-len("_near")], value)
        else:
            assert record[name] == value, (name, value, record)


def check_example(d, example_name, detector):
    function = detector["function"]
    make, members = EXAMPLES[example_name]
    name = example_name.replace("_", "-")
    config = job(span="1h")
    config["analysis_config"]["detectors"] = [detector]
    d.make_job(name, config)
    d.post(name, list(documents(make)))
    d.flush(name)
    found = d.results(name, "records", "?sort=record_score&desc=true"
        "&record_score=%d" % LEAST)["records"]
    assert found, (function, d.results(name, "records",
        "?sort=record_score&desc=true&size=1"))
    for record in found:
        check_record(record, function, members)
    d.close_job(name)


@timeout(300)
def test_each_example_speaks():
    with Daemon() as d:
        for name, detector in examples():
            check_example(d, name, detector)


def check_places(record):
    """Once more for maps, latitude first and with twelve decimals."""
    for name in ("actual", "typical"):
        point = record["geo_results"][name + "_point"]
        assert point == "%.12f,%.12f" % tuple(record[name]), record
    keys = list(record)
    assert keys.index("geo_results") > keys.index("actual"), keys


def test_places_over_http():
    docs = list(documents(lat_long))
    bad = [{"time": START, "user": "carol", "location": text}
        for text in ("nowhere", "1;2", "1,2,3", "200,1", "")]
    detector = {"function": "lat_long", "field_name": "location",
        "by_field_name": "user"}
    config = job()
    config["analysis_config"]["detectors"] = [detector]
    with Daemon() as d:
        d.make_job("j", config)
        counts = d.post("j", bad + [{"time": START, "user": "carol"}] +
            docs[:700])
        check_counts(counts, missing_field_count=len(bad) + 1,
            invalid_date_count=0, processed_record_count=len(bad) + 701)
        d.kill()
        d.start()
        d.post("j", docs[700:-1])
        d.flush("j", "?calc_interim=true&advance_time=%d" % docs[-1]["time"])
        [record] = d.results("j", "records", "?record_score=50")["records"]
        check_record(record, "lat_long", EXAMPLES["lat_long"][1])
        check_places(record)


def test_places_of_people_over_http():
    """Once more with the causes; a death in between changes nothing."""
    docs = list(documents(lat_long_over))
    detector = {"function": "lat_long", "field_name": "location",
        "over_field_name": "user"}
    config = job(influencers=["user"])
    config["analysis_config"]["detectors"] = [detector]
    told = []
    for dies in (False, True):
        with Daemon() as d:
            d.make_job("j", config)
            d.post("j", docs[:2003])
            if dies:
                d.kill()
                d.start()
            d.post("j", docs[2003:-1])
            d.flush("j", "?calc_interim=true&advance_time=%d" %
                docs[-1]["time"])
            [record] = d.results("j", "records",
                "?record_score=50")["records"]
            told.append(record)
    record = told[0]
    assert record == told[1], told
    assert "actual" not in record and "geo_results" not in record, record
    assert record["user"] == ["user-7"], record
    assert record["influencers"] == [{"influencer_field_name": "user",
        "influencer_field_values": ["user-7"]}], record
    assert list(record["anomaly_score_explanation"]) == [
        "single_bucket_impact"], record
    [cause] = record["causes"]
    check_places(cause)
    assert cause["function_description"] == "lat_long", cause
    assert cause["over_field_value"] == "user-7", cause
