"""The command line of scripts/report, checked: what is to be measured, where and with what."""

import argparse
import os
import re
from pathlib import Path

import machine
import tested_server
from tested_server import ROOT, Server, ServerError

SCRIPTS = ["study", "delivery", "grpc"]


def named(text):
    """NAME=VALUE of the command line."""
    name, equals, value = text.partition("=")
    if not equals or not value or not re.fullmatch(r"[\w.-]+", name):
        raise argparse.ArgumentTypeError(f"it has to be NAME=VALUE, not '{text}'")
    return name, value


def scripts(text):
    names = text.split(",")
    if wrong := set(names) - set(SCRIPTS):
        raise argparse.ArgumentTypeError(f"there are {', '.join(SCRIPTS)}, not '{min(wrong)}'")
    return names


def factor(text):
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a factor is a number above 0, not '{text}'")
    return value


def cores(text):
    try:
        return machine.cores(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse(arguments, description):
    """The command line, checked. Ends the program where it is wrong."""
    own, _, flags = (arguments, None, []) if "--" not in arguments else (
        arguments[:arguments.index("--")], None, arguments[arguments.index("--") + 1:])
    parser = argparse.ArgumentParser(
        prog="scripts/report", description=description, formatter_class=argparse.RawTextHelpFormatter,
        usage="scripts/report [options] [-- flags of crierd]")
    add = parser.add_argument
    add("--scripts", type=scripts, default=["study"], metavar="NAME,...",
        help="of k6/: study, delivery, grpc (default: study)")
    add("--time", type=factor, default=1.0, help="a factor on every duration (default: 1)")
    add("--users", type=factor, default=1.0, help="a factor on every number of users (default: 1)")
    add("--out", type=Path, default=ROOT / "build/report", metavar="FOLDER",
        help="for results.md, the plots and data/ (default: build/report)")
    add("--server-cores", type=cores, metavar="LIST",
        help="for crier, as 0 or 0,2-3 (default: the first); as many shards")
    add("--runner-cores", type=cores, metavar="LIST", help="for all else (default: the others)")
    add("--url", metavar="WS_URL", help="a crier that runs already, as ws://127.0.0.1:8000/ws")
    add("--grpc", metavar="HOST:PORT", help="the same, for the script grpc")
    add("--compare", type=named, action="append", default=[], metavar="NAME=WS_URL",
        help="another server that speaks these frames, after crier (docs/comparing.md)")
    add("--metrics", type=named, action="append", default=[], metavar="NAME=URL",
        help="where its metrics are (default: http://HOST:PORT/metrics)")
    add("--pid", type=named, action="append", default=[], metavar="NAME=PID[,PID]",
        help="its processes, for CPU and memory where it has no metrics")
    add("--reference", action="store_true",
        help="the study's own published figures in the table too")
    add("--draw-only", type=Path, metavar="FOLDER",
        help="draws again what was recorded there, and runs nothing")
    options = parser.parse_args(own)
    options.flags = flags
    choose_cores(parser, options)
    options.others = others(parser, options)
    return options


def choose_cores(parser, options):
    usable = os.sched_getaffinity(0)
    options.server_cores = options.server_cores or {min(usable)}
    options.runner_cores = options.runner_cores or usable - options.server_cores or usable
    if options.url and options.flags:
        parser.error("flags of crierd are for a server that is started here, and --url names one "
                     "that runs")
    if "grpc" in options.scripts and options.url and not options.grpc:
        parser.error("the script grpc needs --grpc HOST:PORT beside --url")


def others(parser, options):
    """The servers of --compare. And crier may be named by --metrics and --pid too."""
    servers = {"crier": None}
    for name, url in options.compare:
        if name in servers:
            parser.error(f"--compare: the name {name} is taken")
        try:
            servers[name] = Server(name, url, metrics=tested_server.default_metrics(url))
        except ServerError as error:
            parser.error(f"--compare {name}: {error}")
    if options.url:
        try:
            servers["crier"] = Server("crier", options.url, options.grpc,
                                      tested_server.default_metrics(options.url))
        except ServerError as error:
            parser.error(f"--url: {error}")
    for option, pairs in [("--metrics", options.metrics), ("--pid", options.pid)]:
        for name, value in pairs:
            if servers.get(name) is None:
                known = ", ".join(key for key, server in servers.items() if server) or "none"
                parser.error(f"{option}: no running server is called {name} (there are: {known})")
            if option == "--metrics":
                servers[name].metrics = value
            else:
                servers[name].pids = pids(parser, value)
    options.required_metrics = {name for name, _ in options.metrics} | {"crier"}
    options.running = servers.pop("crier")
    return list(servers.values())


def pids(parser, text):
    for pid in text.split(","):
        if not pid.isdigit() or not Path(f"/proc/{pid}").exists():
            parser.error(f"--pid: no process {pid} runs here")
    return [int(pid) for pid in text.split(",")]
