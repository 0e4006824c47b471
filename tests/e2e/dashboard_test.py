"""Every query of every panel of Grafana's dashboard, on a real Prometheus that scrapes real servers.

Grafana itself is not run, but its queries are. k6's own figures, which only k6 sends, are recognised by
their prefix, and only their form is checked. Those of a cluster are asked of two nodes with a real Redis.
"""

import asyncio
import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cluster
import support

try:
    import websockets
    import yaml
except ImportError as error:
    print(f"skipped: no Python module {error.name} (scripts/setup --tests)")
    sys.exit(support.SKIPPED)

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
from prometheus import Prometheus  # pylint: disable=wrong-import-position

GRAFANA = ROOT / "docker" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards" / "crier.json").read_text())
STUDY = json.loads((Path(__file__).parent / "study_dashboard.json").read_text())

# Small logs, so that who does not read is soon passed by their end.
FLAGS = ["--max_body_bytes=4KiB", "--topic_log_bytes=16KiB", "--mailbox_bytes=16KiB"]
# What Grafana puts in place of its own variables where it is told that a scrape takes half a second.
INTERVALS = {"$__rate_interval": "2s", "$__interval": "1s", "$__range": "1m"}
SCRAPE_INTERVAL = "500ms"
STEP = 0.5  # seconds between the points that are asked for

# The words of PromQL that are not metrics and not followed by a parenthesis.
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "by", "without", "on", "ignoring",
            "group_left", "group_right"}


def panels(dashboard):
    """All panels but rows, those inside collapsed rows too."""
    for panel in dashboard["panels"]:
        yield from (inner for inner in panel.get("panels", []))
        if panel["type"] != "row":
            yield panel


def targets(dashboard):
    """[(panel's title, query, labels that its legend names)] but for k6's."""
    return [(panel["title"], target["expr"],
             set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))))
            for panel in panels(dashboard) for target in panel["targets"]
            if "k6_" not in target["expr"]]


def queries(dashboard):
    return [(title, query) for title, query, _ in targets(dashboard)]


def of_cluster(query):
    """A node that is alone has no such metrics."""
    return "crier_cluster_" in query


def metric_names(query):
    """The metrics that a PromQL expression names."""
    query = re.sub(r'"[^"]*"', "", query)
    query = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", query)
    query = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", query)
    names = re.findall(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", query)
    return {name for name in names if name.lower() not in KEYWORDS}


def one_of(values):
    """A variable of several values, as Grafana writes it into a regular expression."""
    escaped = [re.sub(r"([.+*?()\[\]{}|^$\\])", r"\\\\\1", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def fill_in(query, instances):
    for variable, value in {**INTERVALS, "$job": "crier", "$instance": one_of(instances)}.items():
        query = query.replace(variable, value)
    return query


def bench(*arguments):
    done = subprocess.run([os.environ["CRIER"], "bench", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"crier bench {' '.join(arguments)}: {done.stdout}{done.stderr}")


async def converse(crierd):
    """Each action once, each answer to a resume point, and a session that ends in bad order."""
    async with websockets.connect(f"ws://{crierd.http}/ws?user_id=alice") as alice:
        async def answer(**frame):
            await alice.send(json.dumps(frame))
            while True:
                message = json.loads(await asyncio.wait_for(alice.recv(), support.DEADLINE))
                if message["action_type"] in ("ack", "presence", "error", "ping", "pong"):
                    return message

        async def publish(ident):
            return await answer(action_type="broadcast", topic="past", body="x" * 1000, id=ident)

        first = await publish("0")
        # A topic's log holds 16 KiB, so the first one is gone after these.
        last = [await publish(str(i + 1)) for i in range(40)][-1]
        for epoch, offset in [(last["epoch"], last["offset"] - 1), (first["epoch"], 0),
                              (first["epoch"], first["offset"]), (1, 1)]:
            await answer(action_type="subscribe", topic="past", epoch=epoch, offset=offset, id="s")
            await answer(action_type="unsubscribe", topic="past", id="u")
        await answer(action_type="presence", topic="past", id="p")
        await answer(action_type="ping")
        await answer(action_type="pong")
        await answer(action_type="nonsense")
        await answer(action_type="direct", to="nobody", body="x", id="d")
    host, port = crierd.http.split(":")
    with socket.create_connection((host, int(port))) as rude:
        rude.sendall(f"GET /ws HTTP/1.1\r\nHost: {crierd.http}\r\nConnection: Upgrade\r\n"
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        rude.recv(4096)
        # Not a close frame, but the end.


def load(crierd):
    """Both transports, listeners that read and that do not, and all that `converse` does."""
    ws, grpc = f"--url=ws://{crierd.http}/ws", f"--grpc={crierd.grpc}"
    common = ["--duration=5s", "--payload=1000"]
    fanout = ["fanout", "--publishers=1", "--rate=200", *common]
    with ThreadPoolExecutor() as pool:
        # Each in a topic of its own: a bench takes what others publish beside it for its own loss.
        done = [pool.submit(bench, *fanout, ws, "--topic=ws", "--clients=20", "--stalled=2"),
                pool.submit(bench, *fanout, grpc, "--topic=grpc", "--clients=5"),
                pool.submit(bench, "direct", ws, "--clients=3", "--rate=50", *common),
                pool.submit(bench, "direct", grpc, "--clients=3", "--rate=50", *common)]
        asyncio.run(converse(crierd))
        for each in done:
            each.result()


class Queries(unittest.TestCase):
    """Asks a Prometheus that scrapes servers of this test."""

    @classmethod
    def scrape(cls, servers):
        folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        cls.addClassCleanup(folder.cleanup)
        cls.servers = servers
        cls.instances = [server.http for server in cls.servers]
        cls.prometheus = cls.enterClassContext(
            Prometheus(cls.instances, folder.name, interval=SCRAPE_INTERVAL))
        cls.prometheus.wait_until_scraped()
        cls.start = time.time()

    @classmethod
    def scraped(cls):
        """All that is to be asked for has been scraped."""
        cls.end = time.time()
        # So that the last step of a range is the end.
        cls.start = cls.end - STEP * math.ceil((cls.end - cls.start) / STEP)
        cls.known = {line.split("{")[0].split(" ")[0]
                     for line in cls.servers[0].get("/metrics").splitlines() if line[0] != "#"}

    def check(self, query, instances, labels=frozenset()):
        """The query has an answer, and each of its series these labels and a number at some time."""
        series = self.prometheus.query_range(fill_in(query, instances), self.start, self.end, STEP)
        self.assertTrue(series, "an empty answer")
        for one in series:
            self.assertLessEqual(labels, set(one["metric"]))
            self.assertTrue(any(math.isfinite(float(value)) for _, value in one["values"]),
                            f"no number at any time: {one['metric']}")
        return series


class QueriesTest(Queries):
    @classmethod
    def setUpClass(cls):
        cls.scrape([cls.enterClassContext(support.Crierd(*FLAGS)) for _ in range(2)])
        # What Grafana shows of servers that nobody has used.
        support.wait_for("two scrapes of both servers",
                         lambda: len(cls.prometheus.query("rate(ws_connections[2s])")) == 2)
        cls.fresh = {query: cls.prometheus.query(fill_in(query, cls.instances))
                     for _, query in queries(DASHBOARD) if not of_cluster(query)}
        with ThreadPoolExecutor() as pool:
            list(pool.map(load, cls.servers))
        support.wait_for("the end of the load in Prometheus", cls.all_is_scraped)
        cls.scraped()

    @classmethod
    def all_is_scraped(cls):
        scraped = cls.prometheus.query("sum(ws_connections) + sum(crier_sessions)")
        return scraped and float(scraped[0]["value"][1]) == 0

    def test_every_query_has_an_answer(self):
        for title, query, labels in targets(DASHBOARD):
            if of_cluster(query):
                continue
            for instances in [self.instances, self.instances[:1]]:
                with self.subTest(title, query=query, instances=instances):
                    self.check(query, instances, labels)

    def test_every_metric_is_one_of_the_servers(self):
        for title, query in queries(DASHBOARD) + queries(STUDY):
            if of_cluster(query):
                continue
            with self.subTest(title, query=query):
                self.assertTrue(metric_names(query))
                self.assertEqual(metric_names(query) - self.known, set())

    def test_each_server_has_its_own_lines(self):
        lines = {title: len(self.check(query, self.instances))
                 for title, query in queries(DASHBOARD) if query.startswith("ws_connections{")}
        self.assertEqual(set(lines.values()), {2})

    def test_nothing_is_missing_where_nothing_has_happened(self):
        for query, series in self.fresh.items():
            with self.subTest(query):
                self.assertTrue(series, "an empty answer")

    def test_the_load_moved_what_the_panels_show(self):
        """Else a query of a wrong label, say, would pass as a line of zeros."""
        for name in ["crier_sessions_lagging", "ws_conn_closed_errors_total",
                     'crier_events_skipped_total{reason="slow_consumer"}',
                     *(f'crier_resumes_total{{result="{result}"}}'
                       for result in ["complete", "gap", "new_epoch"]),
                     *(f'crier_messages_received_total{{transport="websocket",action="{action}"}}'
                       for action in ["direct", "broadcast", "ping", "pong", "subscribe",
                                      "unsubscribe", "presence", "invalid"]),
                     *(f'crier_sessions_ended_total{{transport="{transport}",outcome="ok"}}'
                       for transport in ["websocket", "grpc"]),
                     'crier_sessions_ended_total{outcome="connection_lost"}']:
            with self.subTest(name):
                series = self.prometheus.query_range(f"sum({name})", self.start, self.end, STEP)
                self.assertGreater(max(float(value) for _, value in series[0]["values"]), 0)

    def test_the_variables_offer_what_there_is(self):
        for variable, offered in [("job", {"crier"}), ("instance", set(self.instances))]:
            definition = next(v for v in DASHBOARD["templating"]["list"]
                              if v["name"] == variable)["definition"]
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", definition).groups()
            answer = self.prometheus.query(
                f"count by ({label}) ({fill_in(selector, self.instances)})")
            self.assertEqual({one["metric"][label] for one in answer}, offered)

    def test_a_dashboard_for_the_studys_servers_works_unchanged(self):
        for title, query, labels in targets(STUDY):
            with self.subTest(title, query=query):
                self.check(query, self.instances, labels)


class ClusterQueriesTest(Queries):
    """Two nodes, which publish and follow while Redis is there, is away, and is there again, empty."""

    @classmethod
    def setUpClass(cls):
        redis = cls.enterClassContext(cluster.Redis())
        flags = ["--log_level=off", f"--cluster_url={redis.url}", "--cluster_readiness"]
        cls.scrape([cls.enterClassContext(support.Crierd(*flags)) for _ in range(2)])
        cls.publish()
        cls.see("crier_cluster_connected", 0, redis.kill)
        redis.restart()
        support.wait_for("ready nodes", cls.ready)
        # Every node follows the empty topic, which Redis has lost.
        cls.see("sum(crier_cluster_epochs_renewed_total) > bool 0", 1, cls.publish)
        cls.see("crier_cluster_connected", 1, lambda: None)
        cls.scraped()

    @classmethod
    def publish(cls):
        for server in cls.servers:
            for _ in range(3):
                subprocess.run([os.environ["CRIER"], "send", f"--url=ws://{server.http}/ws", "x"],
                               check=True, capture_output=True, timeout=support.DEADLINE)

    @classmethod
    def ready(cls):
        try:
            return all(server.get("/readyz") for server in cls.servers)
        except OSError:
            return False

    @classmethod
    def see(cls, query, value, action):
        """Does `action`, and waits until Prometheus has this value for everybody."""
        action()
        support.wait_for(f"{query} of {value}", lambda: {
            float(one["value"][1]) for one in cls.prometheus.query(query)} == {value})

    def test_every_query_has_an_answer(self):
        found = [one for one in targets(DASHBOARD) if of_cluster(one[1])]
        self.assertTrue(found)
        for title, query, labels in found:
            for instances in [self.instances, self.instances[:1]]:
                with self.subTest(title, query=query, instances=instances):
                    self.check(query, instances, labels)

    def test_every_metric_of_a_cluster_has_a_panel(self):
        shown = set().union(*(metric_names(query) for _, query in queries(DASHBOARD)
                              if of_cluster(query)))
        self.assertEqual(shown - self.known, set())
        suffix = re.compile("_(bucket|count|sum)$")
        self.assertEqual({suffix.sub("", name) for name in shown},
                         {suffix.sub("", name) for name in self.known if of_cluster(name)})

    def test_what_happened_is_shown(self):
        for title in ["Connected to the cluster's servers", "Holes and new epochs"]:
            values = [float(value) for name, query in queries(DASHBOARD) if name == title
                      for one in self.check(query, self.instances) for _, value in one["values"]]
            self.assertEqual(min(values), 0, title)
            self.assertGreater(max(values), 0, title)


class DashboardTest(unittest.TestCase):
    def test_panels_have_their_own_id_and_place(self):
        ids = [panel["id"] for panel in DASHBOARD["panels"]]
        ids += [panel["id"] for row in DASHBOARD["panels"] for panel in row.get("panels", [])]
        self.assertEqual(len(ids), len(set(ids)))
        taken = {}
        for panel in DASHBOARD["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, f"{panel['title']} lies on {taken.get((x, y))}")
                    taken[x, y] = panel["title"]

    def test_panels_explain_themselves(self):
        for panel in panels(DASHBOARD):
            with self.subTest(panel["title"]):
                self.assertTrue(panel["description"].endswith("."))
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])

    def test_queries_are_told_apart(self):
        for panel in panels(DASHBOARD):
            letters = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(letters), len(set(letters)), panel["title"])

    def test_the_data_source_is_the_one_provisioned(self):
        sources = yaml.safe_load(
            (GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
        known = {(source["type"], source["uid"]) for source in sources}
        for part in [*panels(DASHBOARD), *DASHBOARD["templating"]["list"],
                     *(target for panel in panels(DASHBOARD) for target in panel["targets"])]:
            self.assertIn((part["datasource"]["type"], part["datasource"]["uid"]), known)

    def test_variables_are_known(self):
        known = {"job", "instance", "__rate_interval", "__interval", "__range"}
        for title, query in queries(DASHBOARD):
            self.assertLessEqual(set(re.findall(r"\$\{?(\w+)", query)), known, title)
            self.assertEqual(query.count('{job=~"$job",instance=~"$instance"}'),
                             len(re.findall(r"\{", query)), title)

    def test_k6s_figures_have_the_names_of_its_remote_write(self):
        """Counters end in _total, rates in _rate, trends in the statistics that compose.yaml asks for
        (k6's documentation, "Prometheus remote write")."""
        compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
        asked = compose["services"]["k6"]["environment"]["K6_PROMETHEUS_RW_TREND_STATS"]
        statistics = [re.sub(r"\W", "", statistic) for statistic in asked.split(",")]
        seen = set()
        for panel in panels(DASHBOARD):
            for target in panel["targets"]:
                names = metric_names(target["expr"])
                ours = {name for name in names if not name.startswith("k6_")}
                self.assertTrue(not ours or ours == names, panel["title"])
                seen |= names - ours
        self.assertTrue(seen)
        for name in seen:
            self.assertRegex(name, rf"^k6_(vus|vus_max|\w+_(total|rate|{'|'.join(statistics)}))$")


class MetricNamesTest(unittest.TestCase):
    def test_names_are_found_in_any_expression(self):
        for query, names in [
                ('a{job=~"b|c"}', {"a"}),
                ("sum by (le, x) (rate(a_bucket[5m])) / on (x) group_left clamp_min(b, 0.001)",
                 {"a_bucket", "b"}),
                ("histogram_quantile(0.95, sum(rate(a:b[1m])) without (x)) > bool 1e9", {"a:b"}),
                ("time() - a offset 5m or vector(0)", {"a"})]:
            self.assertEqual(metric_names(query), names, query)


if __name__ == "__main__":
    os.environ["PATH"] += f"{os.pathsep}{ROOT / 'build' / 'tools'}"
    support.require("prometheus", "redis-server")
    support.main()
