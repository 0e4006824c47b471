"""Each server measured by each script, one server after the other."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import machine
import panels
import results
import study_run
import tested_server
from machine import Sampler
from prometheus import Prometheus, binary
from report_options import SCRIPTS
from tested_server import ROOT, ServerError


def say(words):
    print(f"report: {words}", file=sys.stderr, flush=True)


def need_programs():
    """Raises where something is missing, before anything has begun."""
    binary()
    runner = os.environ.get("K6") or "k6"
    if not shutil.which(runner):
        raise ServerError(f"no runner: '{runner}' is no program on PATH. Install k6 as its makers "
                          "describe, or set K6 to a program that runs k6's scripts")


def measure_all(options):
    """Fills options.out/data. Returns the runner's exit code against the first server."""
    need_programs()
    for server in filter(None, [options.running, *options.others]):
        tested_server.check_answers(server)
    if not options.running:
        tested_server.build_crier()
    data = options.out / "data"
    if (data / "setup.json").exists():  # of an earlier run; what else is in the folder stays
        shutil.rmtree(data)
        for script in SCRIPTS:
            for plot in options.out.glob(f"{script}-*.svg"):
                plot.unlink()
    data.mkdir(parents=True, exist_ok=True)
    # Prometheus and this program shall not take what is the server's.
    os.sched_setaffinity(0, options.runner_cores)
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    setup = results.setup(options, machine.facts(), machine.commit(ROOT),
                          version.stdout.split(" (")[0].removeprefix("prometheus, version "))
    codes = []

    def add(server):
        folder = data / server.name
        folder.mkdir(exist_ok=True)
        setup["servers"].append(results.describe(server))
        try:
            codes.append(_measure(server, options, folder))
        finally:
            # After each: what comes later may fail.
            (data / "setup.json").write_text(json.dumps(setup, indent=1), encoding="utf-8")

    if options.running:
        add(options.running)
    else:
        (data / "crier").mkdir(exist_ok=True)
        with tested_server.start_crier(options.flags, options.server_cores,
                                       data / "crier" / "server.log") as crier:
            add(crier)
    for server in options.others:
        add(server)
    return codes[0]


def _measure(server, options, folder):
    """Runs all scripts against one server. Returns the largest of the runner's exit codes."""
    tested_server.check_answers(server)
    _look_for_metrics(server, server.name in options.required_metrics)
    with ExitStack() as stack:
        sampler = stack.enter_context(Sampler(server.pids)) if server.pids else None
        prometheus = None
        if server.metrics:
            scraped = stack.enter_context(tempfile.TemporaryDirectory())
            prometheus = stack.enter_context(Prometheus({server.name: server.metrics}, scraped))
            prometheus.wait_until_scraped()
        watch = study_run.Watch(prometheus, sampler)
        codes = [0]
        for script in options.scripts:
            if script == "grpc" and not server.grpc:
                say(f"{server.name} has no gRPC: the script grpc is not run against it")
                continue
            codes.append(study_run.run(server, script, folder, options, watch)["exit_code"])
            say(f"{script} on {server.name}: the runner ended with {codes[-1]}")
        return max(codes)


def _look_for_metrics(server, required):
    """Says what plots will be missing. Raises ServerError where there have to be metrics."""
    try:
        names = tested_server.read_metrics(server)
    except ServerError as error:
        if required:
            raise
        say(f"{error}; the plots that need them will say so (--metrics {server.name}=URL)")
        server.metrics = None
        if not server.pids:
            say(f"with --pid {server.name}=PID its CPU and memory could be read")
        return
    missing = [name for name in panels.STUDY_NAMES if name not in names]
    if missing:
        say(f"{server.name} has no {', '.join(missing)}; the plots of these will say so")
