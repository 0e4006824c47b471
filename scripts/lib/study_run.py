"""One script of k6/ run against one server, watched and recorded."""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import machine
import recording
from prometheus import DEADLINE, PrometheusError
from tested_server import ROOT, ServerError
from units import clock, show

# The scenarios of k6/lib/scenarios.js: their users, and when they begin and end, in seconds of a run
# that is not shortened.
SCENARIOS = [
    {"name": "constVUWith3DirectMessages", "start": 0, "end": 45, "users": [80],
     "session": "three direct messages, each 0.7 s after the previous answer"},
    {"name": "rampUp50With100Messages", "start": 120, "end": 330,
     "users": [5, 20, 40, 60, 80, 100, 150, 200],
     "session": "a broadcast, a hundred more 0.7 s apart, and a last one"},
    {"name": "rampUp50WithSingleMessage", "start": 300, "end": 840,
     "users": [5, 20, 40, 60, 80, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750],
     "session": "one broadcast"},
]
PROGRESS = 5  # seconds


def run(server, script, folder, options, watch):
    """Runs scripts/study and returns the recording, which it also writes: FOLDER/SCRIPT.recording.json.

    `options`: time and users (factors), runner_cores. `watch`: a Watch of the server.
    """
    path = Path(folder) / f"{script}.recording.json"
    before = watch.wait_for_a_look()
    command = [ROOT / "scripts/study", "--url", server.url, "--out", folder,
               "--time", str(options.time), "--users", str(options.users), script]
    if server.grpc:
        command[1:1] = ["--grpc", server.grpc]
    summary = Path(folder) / f"{script}.json"
    summary.unlink(missing_ok=True)
    began = time.time()
    with subprocess.Popen(
            ["taskset", "--cpu-list", machine.core_list(options.runner_cores), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True) as study:
        try:
            _follow(study, server, script, options, watch, began)
        finally:
            if study.poll() is None:
                os.killpg(study.pid, signal.SIGTERM)
    result = {"server": server.name, "script": script, "exit_code": study.returncode,
              "before": before, "started": began, "ended": time.time()}
    if summary.exists():
        facts = json.loads(summary.read_text(encoding="utf-8"))
        result |= {name: _seconds(facts[name]) for name in ("started", "ended")}
    if server.process_is_gone():
        raise ServerError(f"{server.name} ended while {script} ran against it")
    settled = result["ended"] + recording.SETTLE
    try:
        result["after"] = watch.wait_for_a_look(settled)
    except ServerError:
        # A finding, and no reason to lose the others.
        result |= {"after": settled, "unanswered": True}
    recording.read(watch.prometheus, watch.samples, result)
    path.write_text(json.dumps(result), encoding="utf-8")
    return result


def _seconds(iso):
    """Seconds since 1970 of a time as JavaScript writes it."""
    return datetime.datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def interrupted(log):
    """How many iterations the runner interrupted, which only its log says; None where it does not."""
    found = re.findall(r"and (\d+) interrupted iterations", Path(log).read_text(encoding="utf-8"))
    return int(found[-1]) if found else None


def _follow(study, server, script, options, watch, began):
    """A line each few seconds, until it ends."""
    planned = options.time * max(scenario["end"] for scenario in SCENARIOS)
    while True:
        try:
            study.wait(PROGRESS)
            return
        except subprocess.TimeoutExpired:
            print(f"{script} on {server.name}: {clock(time.time() - began)} of about "
                  f"{clock(planned)}{watch.now()}", file=sys.stderr, flush=True)
        if server.process_is_gone():
            raise ServerError(f"{server.name} ended while {script} ran against it")


class Watch:
    """Watches a server under load: a Prometheus and a machine.Sampler. Either may be None."""

    def __init__(self, prometheus, sampler):
        self.prometheus = prometheus
        self._sampler = sampler

    @property
    def samples(self):
        return self._sampler.samples if self._sampler else []

    def wait_for_a_look(self, at_least=0):
        """Waits for a scrape (or, without Prometheus, a second) after `at_least`, by default now, and
        returns its time. Raises ServerError where the server is not scraped in time."""
        at_least = max(at_least, time.time())
        time.sleep(max(0, at_least - time.time()))
        if not self.prometheus:
            return at_least
        while time.time() < at_least + DEADLINE:
            scraped = self.prometheus.query(f"(timestamp(up) > {at_least:.3f}) and up == 1")
            if scraped:
                return max(float(one["value"][1]) for one in scraped)
            time.sleep(0.1)
        raise ServerError(f"no scrape of the server has succeeded in {DEADLINE} s")

    def now(self):
        """A few words on how the server is."""
        words = []
        if self.prometheus and not self.prometheus.query("up == 1"):
            words.append("which does not answer /metrics")
        elif self.prometheus:
            for query, form in [
                    ("sum(ws_connections) + (sum(crier_sessions{transport=\"grpc\"}) or vector(0))",
                     lambda value: f"{show(value)} connections"),
                    ("sum(rate(ws_broadcast_duration_seconds_count[5s]))",
                     lambda value: f"{show(value)} broadcasts/s"),
                    ("histogram_quantile(0.95, sum by (le) "
                     "(rate(ws_broadcast_duration_seconds_bucket[5s])))",
                     lambda value: f"p95 {show(value, 's')}"),
                    ("sum(process_resident_memory_bytes)", lambda value: show(value, "bytes"))]:
                try:
                    value = self.prometheus.value(query)
                except PrometheusError:
                    value = None
                if value is not None:
                    words.append(form(value))
        elif self.samples:
            words.append(show(self.samples[-1][2], "bytes"))
        return ", " + ", ".join(words) if words else ""
