"""The scripts of k6/, and one by somebody else, run against the real server by the program that K6
names, or by k6 itself where it is on PATH."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = shutil.which(os.environ.get("K6") or "k6")
SHORT = ["--time=0.02", "--users=0.06"]
# No measurement: other tests run at the same time.
PATIENT = {"CONNECT_P95_MS": "5000", "DELIVERY_P95_MS": "5000"}
SECONDS = 150
THRESHOLD_FAILED = 99


def study(name, crierd, folder, *flags, path="/ws"):
    arguments = [value for flag in flags for value in flag.split("=")]
    return subprocess.Popen(
        [ROOT / "scripts/study", "--url", f"ws://{crierd.http}{path}", "--grpc", crierd.grpc,
         "--out", folder, *arguments, name],
        env={**os.environ, **PATIENT},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class K6Test(unittest.TestCase):
    def test_scripts(self):
        # Each against a server of its own: a user tells its own broadcasts by its number.
        names = ["study", "delivery", "grpc"]
        with tempfile.TemporaryDirectory() as folder:
            servers = [support.Crierd() for _ in names]
            runs = [study(name, server, folder, *SHORT) for name, server in zip(names, servers)]
            for name, server, run in zip(names, servers, runs):
                with self.subTest(name), server:
                    output, _ = run.communicate(timeout=SECONDS)
                    self.assertEqual(run.returncode, 0, output)
                    self.check_results(name, pathlib.Path(folder))
                    support.wait_for("all sessions to end", lambda: not self.sessions(server))

    def check_results(self, name, folder):
        result = json.loads((folder / f"{name}.json").read_text())
        self.assertEqual(result["script"], f"{name}.js")
        self.assertIn(pathlib.Path(RUNNER).name, result["runner"])
        metrics = result["metrics"]
        self.assertGreater(metrics["checks"]["values"]["passes"], 0)
        self.assertEqual(metrics["checks"]["values"]["fails"], 0)
        self.assertGreater(metrics["messages_sent"]["values"]["count"], 20)
        if name != "study":
            # What was owed came, or a gap told: "deliveries_lost" is a threshold.
            self.assertGreater(metrics["broadcast_delivery"]["values"]["count"], 0)
            self.assertGreater(metrics["direct_round_trip"]["values"]["count"], 0)
            told = metrics.get("deliveries_skipped", {"values": {"count": 0}})
            self.assertEqual(
                metrics["deliveries_expected"]["values"]["count"],
                metrics["deliveries_received"]["values"]["count"] + told["values"]["count"])
        page = (folder / f"{name}.html").read_text()
        self.assertIn("<svg", page)
        self.assertIn("deliveries_lost" if name != "study" else "ws_connecting", page)
        self.assertGreater((folder / f"{name}.log").stat().st_size, 0)

    @staticmethod
    def sessions(server):
        return sum(server.metric(f'crier_sessions{{transport="{transport}"}}')
                   for transport in ("websocket", "grpc"))

    def test_a_server_that_fails_fails_the_run(self):
        with support.Crierd() as crierd, tempfile.TemporaryDirectory() as folder:
            run = study("study", crierd, folder, "--time=0.005", "--users=0.02", path="/nothing")
            output, _ = run.communicate(timeout=SECONDS)
            self.assertEqual(run.returncode, THRESHOLD_FAILED, output)
            self.assertIn("a threshold failed", output)

    def test_somebody_elses_script(self):
        script = pathlib.Path(__file__).with_name("foreign_k6_script.js")
        with support.Crierd() as crierd:
            run = subprocess.run(
                [RUNNER, "run", "-e", f"SERVER=ws://{crierd.http}/ws", script],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
                check=False)
            self.assertEqual(run.returncode, 0, run.stdout)
            self.assertEqual(crierd.metric("all_ws_connections_total"), 20)
            self.assertEqual(crierd.metric("ws_conn_closed_errors_total"), 0)

    def test_what_is_wrong_is_said(self):
        for environment, arguments, words in [
            ({"K6": "/nowhere/k6"}, [], "K6 names '/nowhere/k6', which is no program"),
            ({}, ["--url", "ws://127.0.0.1:1/ws"], "nothing listens at 127.0.0.1:1"),
            ({}, ["--url", "127.0.0.1:1"], "has to begin with ws:// or wss://"),
            ({}, ["soak"], "unknown argument 'soak'; the scripts are study, delivery and grpc"),
            ({}, ["--out"], "--out needs a value"),
        ]:
            with self.subTest(words):
                run = subprocess.run(
                    [ROOT / "scripts/study", *arguments], env={**os.environ, **environment},
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                self.assertEqual(run.returncode, 1)
                self.assertIn(words, run.stdout)


if __name__ == "__main__":
    if RUNNER is None:
        print("skipped: no k6 on PATH, and K6 names no program that stands in for it")
        sys.exit(support.SKIPPED)
    support.main()
