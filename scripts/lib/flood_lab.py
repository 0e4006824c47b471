"""Clients whose round trips are measured, floods from another address, and one measurement of both."""

import math
import multiprocessing
import os
import re
import ssl
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from crierd_process import ROOT, CrierdProcess
from flood_clients import Bystanders, FloodError, flood

__all__ = ["FLOODS", "FloodError", "limits", "measure"]

HARDENING = ROOT / "docs/hardening/crier.flags"
# Of the page's flags those that are limits; the others name files and addresses of its machine.
LIMITS = re.compile(r"--(max_\w+|handshake_timeout|memory_budget|topic_log_bytes|mailbox_bytes)=\S+")

BYSTANDER, FLOODER = "127.0.0.2", "127.0.0.66"
SERVER_CORE = 0
CLIENTS, ROUND_TRIPS_PER_SECOND = 40, 10  # of each client: half of what the page's flags allow
SETTLE = 0.5  # seconds between two measurements
DEADLINE = 60  # seconds for a flood to begin
NICE = 19  # of the flood: the clients that are measured go first

# What floods, and what counts it where it is refused.
FLOODS = {
    "connections": ["crier_connections_refused_total"],
    "messages": ["crier_refusals_total", "crier_connections_refused_total"],
    "handshakes": ["crier_connections_refused_total", "crier_tls_handshakes_total"],
    "pings": ["crier_refusals_total", "crier_grpc_violations_total",
              "crier_connections_refused_total"],
}


def limits():
    """The limits of docs/hardening, as flags."""
    return [line for line in HARDENING.read_text(encoding="utf-8").splitlines()
            if LIMITS.fullmatch(line)]


@dataclass
class Result:
    """Of one flood: what it tried, what was refused, and the round trips in seconds."""
    flood: str
    tried: int
    refused: int
    seconds: float
    without: list
    with_flood: list

    def row(self):
        def of(times):
            return f"{percentile(times, 50) * 1e3:.2f} / {percentile(times, 99) * 1e3:.2f}"

        ratio = percentile(self.with_flood, 99) / percentile(self.without, 99)
        return (f"| **{self.flood}** | {self.tried / self.seconds:,.0f}/s | "
                f"{self.refused / self.seconds:,.0f}/s | {of(self.without)} | "
                f"{of(self.with_flood)} | {ratio:.2f} |")


def percentile(times, percent):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


def measure(name, options):
    """A fresh server; `options.rounds` times without and with the flood, in turn."""
    generator_core = max(os.sched_getaffinity(0) - {SERVER_CORE} or {SERVER_CORE})
    tls = name == "handshakes"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        flags = [*limits(), *options.flag]
        context = None
        if tls:
            flags += certificate(folder)
            context = ssl.create_default_context(cafile=folder / "cert.pem")
        server = stack.enter_context(
            CrierdProcess(options.build / "bin/crierd", flags, {SERVER_CORE}))
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {generator_core})
        stack.callback(os.sched_setaffinity, 0, before)
        ports = [int(address.rsplit(":", 1)[1]) for address in (server.http, server.grpc)]
        bystanders = stack.enter_context(Bystanders(BYSTANDER, ports[0], CLIENTS, context))
        without, with_flood, tried, refused = [], [], 0, 0
        for _ in range(options.rounds):
            time.sleep(SETTLE)
            without += bystanders.run(options.seconds, ROUND_TRIPS_PER_SECOND)
            counted = count(server, FLOODS[name], context)
            with Flooding(name, ports) as flooding:
                time.sleep(SETTLE)  # past its first burst
                with_flood += bystanders.run(options.seconds, ROUND_TRIPS_PER_SECOND)
            tried += flooding.tried
            refused += count(server, FLOODS[name], context) - counted
        return Result(name, tried, refused, options.rounds * options.seconds, without, with_flood)


class Flooding:
    """A flood in a process of its own, as long as a `with` lasts. `tried`: how often, afterwards."""

    def __init__(self, name, ports):
        self._stop = multiprocessing.Event()
        self._tried = multiprocessing.Value("q", 0)
        self._process = multiprocessing.Process(
            target=_run_flood, args=(name, ports, self._stop, self._tried), name=name, daemon=True)
        self.tried = 0

    def __enter__(self):
        self._process.start()
        end = time.monotonic() + DEADLINE
        while self._tried.value == 0:
            if time.monotonic() > end or not self._process.is_alive():
                self._process.kill()
                raise FloodError(f"the flood of {self._process.name} does not begin")
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._process.join()
        self.tried = self._tried.value


def _run_flood(name, ports, stop, tried):
    os.nice(NICE)
    flood(name, FLOODER, ports, stop, tried)


def count(server, names, context):
    """The sum of all series of these metrics, but for those that say that something went well."""
    scheme = "https" if context else "http"
    # From an address of its own, which the flood's limits do not touch.
    with urllib.request.urlopen(f"{scheme}://{server.http}/metrics", context=context,
                                timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.split("{", 1)[0] in names
                   and 'result="full"' not in line and 'result="resumed"' not in line))


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "cert.pem"], cwd=folder, capture_output=True, check=True)
    return [f"--tls_cert={folder}/cert.pem", f"--tls_key={folder}/key.pem"]
