"""What the rows of a cluster run: Redis, nodes, Centrifugo, and many clients on several servers."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import machine
from bench_lab import DEADLINE, GENERATOR_CORE, SERVER_CORE, BenchError, wait_until
from crierd_process import ROOT, shown

CENTRIFUGO = "centrifugo"
SWARM = ROOT / "build/bench/swarm"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def swarm_program():
    """Builds tests/bench/swarm.cc where it is newer."""
    sources = sorted((ROOT / "tests/bench").glob("swarm*"))
    newest = max(source.stat().st_mtime for source in sources)
    if not SWARM.exists() or SWARM.stat().st_mtime < newest:
        SWARM.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["g++", "-std=c++20", "-O2", "-I", ROOT, "-o", SWARM,
                        *(one for one in sources if one.suffix == ".cc")], check=True)
    return SWARM


class Program:
    """Runs on cores, as long as a `with` lasts."""

    def __init__(self, command, port, cores=(SERVER_CORE,)):
        self.port = port
        self._command = ["taskset", "--cpu-list", machine.core_list(cores), *map(str, command)]
        self.command = re.sub(rf"\b{port}\b", "PORT", shown(self._command))
        self._process = None

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(self.command, lambda: answers(self.port))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(DEADLINE)

    @property
    def pid(self):
        return self._process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class Redis(Program):
    """A redis-server that keeps nothing on disk. `url`: for --cluster_url."""

    def __init__(self, cores=(SERVER_CORE,)):
        port = free_port()
        super().__init__(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "no"], port, cores)
        self.url = f"redis://127.0.0.1:{port}"

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *map(str, words)],
                              capture_output=True, text=True, check=True, timeout=DEADLINE).stdout

    def info(self, section, name):
        return re.search(rf"^{name}:(.*)$", self.ask("info", section), re.M)[1].strip()

    def command_costs(self):
        """{command: (calls, microseconds each)} since CONFIG RESETSTAT."""
        found = re.findall(r"cmdstat_([^:]+):calls=(\d+),usec=\d+,usec_per_call=([\d.]+)",
                           self.ask("info", "commandstats"))
        return {name: (int(calls), float(each)) for name, calls, each in found}


class Centrifugo(Program):
    """A node of Centrifugo with its Redis engine; with history, as crier has it."""

    def __init__(self, redis, cores=(SERVER_CORE,)):
        port = free_port()
        self._file = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump({
            "http_server": {"address": "127.0.0.1", "port": str(port)},
            "client": {"allowed_origins": ["*"], "allow_anonymous_connect_without_token": True},
            "channel": {"without_namespace": {
                "allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True,
                "allow_publish_for_client": True, "allow_publish_for_anonymous": True,
                "history_size": 10000, "history_ttl": "300s"}},
            "engine": {"type": "redis", "redis": {"address": redis.url}},
            "log": {"level": "error"},
        }, self._file)
        self._file.flush()
        super().__init__([centrifugo_program(), "--config", self._file.name], port, cores)
        self.command = f"{CENTRIFUGO} --config FILE"


def centrifugo_program():
    """None where there is none."""
    return os.environ.get("CENTRIFUGO") or shutil.which(CENTRIFUGO)


def swarm(lab, servers, clients, publish_to, rate, seconds, pids=(), payload=64, ids=False,
          centrifugo=False, topics=0):
    """Runs the swarm on the generator's core; adds `cpu` of the pids, in seconds."""
    arguments = ["--clients", clients, "--rate", rate, "--seconds", seconds, "--payload", payload,
                 "--topic", "bench", *(["--ids"] if ids else []),
                 *(["--topics", topics] if topics else []),
                 *(["--centrifugo"] if centrifugo else [])]
    command = ["taskset", "--cpu-list", GENERATOR_CORE, swarm_program(), *arguments]
    lab.note(shown(command))
    run = subprocess.run(
        [*map(str, command), "--servers", ",".join(servers), "--publish-to", publish_to, "--pids",
         ",".join(map(str, pids))], capture_output=True, text=True, check=False,
        timeout=seconds + 4 * DEADLINE)
    if run.returncode != 0:
        raise BenchError(f"the clients measured nothing: {run.stderr.strip()}")
    result = json.loads(run.stdout)
    if result["received"] != result["expected"] or result["misordered"]:
        lab.failures.append(f"{result['received']} of {result['expected']} events received, "
                            f"{result['misordered']} not in order")
    lab.client_bound |= result["self_cpu"] > 0.95 * result["seconds"]
    return result
