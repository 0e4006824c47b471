"""scripts/report, shortened: crier and two other small servers, one of them without metrics. The
figures in results.md have to be those of the runner and the servers."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

import support

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

# pylint: disable=wrong-import-position
try:
    import matplotlib  # pylint: disable=unused-import
    import websockets  # pylint: disable=unused-import
except ImportError as error:
    print(f"skipped: no Python module {error.name} (scripts/setup --tests)")
    sys.exit(support.SKIPPED)
import panels
from units import show

RUNNER = shutil.which(os.environ.get("K6") or "k6")
SHORT = ["--time", "0.01", "--users", "0.1"]
# No measurement.
PATIENT = {"CONNECT_P95_MS": "5000", "DELIVERY_P95_MS": "5000"}
SECONDS = 240
LARGEST_PLOT = 150_000  # bytes


class Other:
    """other_server.py as a process. Use with `with`."""

    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("other_server.py"), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url, self.metrics = self.process.stdout.readline().split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def metric(self, name):
        with urllib.request.urlopen(self.metrics, timeout=support.DEADLINE) as answer:
            return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)[1])


def report(*arguments, **environment):
    return subprocess.run(
        [ROOT / "scripts/report", *arguments], env={**os.environ, **PATIENT, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False)


def tables(section):
    """All rows of a section's tables: {first cell: {head: cell}}."""
    rows = {}
    for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        head, _, *lines = [[cell.strip() for cell in line.strip("|\n").split("|")]
                           for line in block.splitlines()]
        rows |= {line[0]: dict(zip(head[1:], line[1:])) for line in lines}
    return rows


def p95(buckets):
    """As Prometheus interpolates it, from [[upper bound or None, cumulative count]]."""
    rank = 0.95 * buckets[-1][1]
    lower, below = 0, 0
    for bound, count in buckets:
        if count >= rank:
            return bound if bound is None else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    raise AssertionError("no observation")


class RunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.other = cls.enterClassContext(Other())
        blind = cls.enterClassContext(Other("--no-metrics"))
        cls.run_output = report(
            *SHORT, "--scripts", "study,grpc", "--out", cls.folder, "--reference",
            "--compare", f"other={cls.other.url}", "--compare", f"blind={blind.url}",
            "--pid", f"blind={blind.process.pid}", "--", "--topic_log_bytes=512KiB")
        if cls.run_output.returncode != 0:
            raise AssertionError(cls.run_output.stdout)
        cls.text = (cls.folder / "results.md").read_text()
        sections = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", cls.text, re.MULTILINE))
        cls.study, cls.grpc = tables(sections["study"]), tables(sections["grpc"])

    def kept(self, server, script, what):
        return json.loads((self.folder / "data" / server / f"{script}{what}.json").read_text())

    def values(self, server, script, metric):
        return self.kept(server, script, "")["metrics"][metric]["values"]

    def test_every_plot_is_drawn(self):
        names = {f"study-{key}.svg" for key in [*panels.ORDER, "summary"]}
        names |= {f"grpc-{key}.svg" for key in panels.ORDER if not key.startswith("handling")}
        self.assertEqual({path.name for path in self.folder.glob("*.svg")}, names)
        for name in names:
            with self.subTest(name):
                self.assertIn(f"]({name})", self.text)
                self.assertLess((self.folder / name).stat().st_size, LARGEST_PLOT)
                xml.parse(self.folder / name)
                words = (self.folder / name).read_text()
                if name.endswith("summary.svg"):
                    continue
                self.assertIn("rampUp50With100Messages", words)
                if name.startswith("grpc"):
                    self.assertNotIn("no metrics", words)
                    self.assertNotIn("nothing was measured", words)

    def test_plots_say_whose_metrics_are_missing(self):
        for key, words in [("connections", "no metrics: blind"), ("broadcast", "no metrics: blind"),
                           ("lagging", "no metrics: other, blind")]:
            self.assertIn(words, (self.folder / f"study-{key}.svg").read_text())
        for key in ["memory", "cpu"]:
            plot = (self.folder / f"study-{key}.svg").read_text()
            self.assertNotIn("no metrics", plot)
            for server in ["crier", "other", "blind"]:
                self.assertIn(f">{server}</text>", plot)

    def test_what_the_runner_saw(self):
        for server in ["crier", "other", "blind"]:
            with self.subTest(server):
                checks = self.values(server, "study", "checks")
                self.assertGreater(checks["passes"], 0)
                self.assertEqual(self.study["checks passed"][server],
                                 f"{checks['passes']:,} of {checks['passes'] + checks['fails']:,}")
                for row, metric, stat, unit in [
                        ("`ws_connecting` p95", "ws_connecting", "p(95)", "ms"),
                        ("`ws_connecting` at most", "ws_connecting", "max", "ms"),
                        ("WebSocket sessions", "ws_sessions", "count", ""),
                        ("iterations", "iterations", "count", ""),
                        ("messages sent", "messages_sent", "count", "")]:
                    self.assertEqual(self.study[row][server],
                                     show(self.values(server, "study", metric)[stat], unit))
        self.assertEqual(self.grpc["deliveries lost"]["crier"], "0")
        self.assertEqual(set(self.grpc["iterations"]), {"crier"})

    def test_what_the_servers_say_is_what_the_runner_did(self):
        for server in ["crier", "other"]:
            with self.subTest(server):
                sessions = show(self.values(server, "study", "ws_sessions")["count"])
                self.assertEqual(self.study["WebSocket connections in all"][server], sessions)
                self.assertEqual(self.study["connections left behind"][server], "0")
        # The other one may lose what a client sends just before it leaves.
        sent = show(self.values("crier", "study", "messages_sent")["count"])
        self.assertEqual(self.study["WebSocket messages handled"]["crier"], sent)
        handled = self.study["broadcasts handled"]["crier"]
        self.assertRegex(handled, r"^([\d,]+) of \1 received$")
        self.assertEqual(self.study["closed-connection errors"]["crier"], "0")
        streams = show(self.values("crier", "grpc", "iterations")["count"])
        self.assertEqual(self.grpc["gRPC sessions that ended"]["crier"], streams)

    def test_what_the_servers_say_is_what_they_said(self):
        """The other server lives on, so it can be asked."""
        for row, metric in [("broadcasts handled", "ws_broadcast_duration_seconds_count"),
                            ("WebSocket messages handled",
                             "ws_message_handling_duration_seconds_count"),
                            ("closed-connection errors", "ws_conn_closed_errors_total")]:
            self.assertEqual(self.study[row]["other"], show(self.other.metric(metric)))
        mean = (self.other.metric("ws_broadcast_duration_seconds_sum")
                / self.other.metric("ws_broadcast_duration_seconds_count"))
        self.assertEqual(self.study["broadcast latency, mean"]["other"], show(mean, "s"))

    def test_percentiles_come_from_the_whole_run(self):
        for server in ["crier", "other"]:
            recording = self.kept(server, "study", ".recording")
            for name, row in [("broadcast", "broadcast latency, p95"),
                              ("handling", "handling latency, p95")]:
                with self.subTest(server, row=row):
                    buckets = recording["buckets"][name]
                    counted = recording["figures"]["broadcasts" if name == "broadcast" else "handled"]
                    self.assertEqual(buckets[-1][1], counted)
                    self.assertTrue(math.isclose(recording["figures"][f"{name}_p95"], p95(buckets)))
                    self.assertTrue(self.study[row][server].startswith(show(p95(buckets), "s")))

    def test_memory_and_cpu_agree_with_the_kernel(self):
        figures = self.kept("crier", "study", ".recording")["figures"]
        self.assertEqual(self.study["memory, at most"]["crier"], show(figures["memory_max"], "bytes"))
        self.assertEqual(self.study["CPU, mean (100 % is a core)"]["crier"],
                         show(figures["cpu_avg"], "share"))
        # Read at moments up to a second apart.
        self.assertLess(abs(figures["memory_max"] - figures["process_memory_max"]), 4 << 20)
        self.assertLess(abs(figures["cpu_seconds"] - figures["process_cpu_seconds"]), 0.5)
        self.assertRegex(self.study["memory, at most"]["blind"], "MiB$")
        self.assertEqual(self.study["scrapes that failed"]["blind"], "no metrics")

    def test_the_rest_of_the_page(self):
        for words in ["--topic_log_bytes=512KiB", Path(RUNNER).name, "a core for it",
                      "What is not comparable", f"`scripts/report {' '.join(SHORT)}"]:
            self.assertIn(words, self.text)
        self.assertEqual(self.study["memory, mean"]["study: its leaner server"], "3.2 MiB")
        self.assertIn("other has no gRPC", self.run_output.stdout)

    def test_drawing_again_gives_the_same(self):
        paths = [path for path in self.folder.iterdir() if path.is_file()]
        before = {path.name: path.read_bytes() for path in paths}
        for path in paths:
            path.unlink()
        again = report("--draw-only", self.folder, "--reference")
        self.assertEqual(again.returncode, 0, again.stdout)
        self.assertEqual(
            {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}, before)


class WrongTest(unittest.TestCase):
    def test_what_is_wrong_is_said(self):
        with support.Crierd() as crierd, tempfile.TemporaryDirectory() as folder:
            url = f"ws://{crierd.http}"
            for arguments, words in [
                    (["--compare", url], "it has to be NAME=VALUE"),
                    (["--compare", "a=http://127.0.0.1:1"], "as ws://HOST:PORT/PATH"),
                    (["--compare", "crier=ws://127.0.0.1:1"], "the name crier is taken"),
                    (["--compare", "a=ws://127.0.0.1:1"], "a does not answer at ws://127.0.0.1:1"),
                    (["--compare", f"a={url}/nothing"], "answers an upgrade to WebSocket with"),
                    (["--url", f"{url}/ws", "--metrics", f"crier=http://{crierd.http}/nothing"],
                     "crier has no metrics at"),
                    (["--url", f"{url}/ws", "--metrics", f"crier=http://{crierd.http}/"],
                     "not in Prometheus's text format"),
                    (["--url", f"{url}/ws", "--scripts", "grpc"], "needs --grpc HOST:PORT"),
                    (["--url", f"{url}/ws", "--", "--shards=1"], "for a server that is started here"),
                    (["--metrics", "a=http://127.0.0.1:1"], "no running server is called a"),
                    (["--compare", "a=ws://127.0.0.1:1", "--pid", "a=0"], "no process 0"),
                    (["--scripts", "soak"], "there are study, delivery, grpc"),
                    (["--time", "0"], "a factor is a number above 0"),
                    (["--server-cores", "99999"], "only these can be used here"),
                    (["--", "--no_such_flag"], "crierd did not start"),
                    (["--", "--no_such_flag"], "--no_such_flag: there is no such flag"),
                    (["--draw-only", folder], "there is no data/setup.json")]:
                with self.subTest(words):
                    run = report("--out", folder, *arguments)
                    self.assertIn(run.returncode, (1, 2))
                    self.assertIn(words, run.stdout)
                    self.assertNotIn("Traceback", run.stdout)

    def test_missing_programs_are_named(self):
        for environment, words in [({"K6": "/nowhere/k6"}, "no runner: '/nowhere/k6'"),
                                   ({"CRIERD": "/nowhere/crierd"}, "which is no program")]:
            run = report(**environment)
            self.assertEqual(run.returncode, 1)
            self.assertIn(words, run.stdout)


if __name__ == "__main__":
    support.require("prometheus", "taskset")
    if RUNNER is None:
        print("skipped: no k6 on PATH, and K6 names no program that stands in for it")
        sys.exit(support.SKIPPED)
    support.main()
