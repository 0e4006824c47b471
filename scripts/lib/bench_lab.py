"""Runs the benchmark's programs: a fresh server on one core, generators on the other, and the floor."""

import json
import os
import re
import select
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import machine
from crierd_process import CrierdProcess, PinnedServer, shown

DEADLINE = 60  # seconds that a program may take besides what it was asked for
SERVER_CORE, GENERATOR_CORE = 0, 1


class BenchError(Exception):
    """There was no measurement, and why."""


@dataclass
class Build:
    """A folder of a build: bin/crierd and bin/crier. `floors`: the folder of the build that the floors
    are of; by default the same."""
    name: str
    folder: Path
    flags: list = field(default_factory=list)
    floors: Path = None

    @property
    def crierd(self):
        return self.folder / "bin/crierd"

    @property
    def crier(self):
        return self.folder / "bin/crier"

    @property
    def floor(self):
        return (self.floors or self.folder) / "tests/bench/floor"

    @property
    def grpc_library(self):
        return (self.floors or self.folder) / "tests/bench/grpc_library"

    def check(self, floors=True):
        programs = [self.crierd, self.crier]
        if floors:
            programs += [self.floor, self.grpc_library]
        for program in programs:
            if not os.access(program, os.X_OK):
                raise BenchError(f"there is no {program}; build first (scripts/bench does, without "
                                 "--build and --compare)")


class Server(CrierdProcess):
    """crierd, fresh for each measurement. Use with `with`."""

    def resident_mib(self):
        return machine.usage(self.pid)[1] / 2**20

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=DEADLINE) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.rsplit(" ", 1)[1])
        raise BenchError(f"the server has no metric {name}")


class Generator:
    """`crier bench`, on its core. Use finish() for what it measured."""

    def __init__(self, lab, server, arguments, grpc=False, tls=False, core=GENERATOR_CORE,
                 first=False):
        scheme = "wss" if tls else "ws"
        where = ["--grpc", server.grpc] if grpc else ["--url", f"{scheme}://{server.http}/ws"]
        pin = ["taskset", "--cpu-list", str(core)]
        command = [*pin, lab.build.crier, "bench", *map(str, arguments)]
        if grpc:
            command += ["--transport", "grpc"]
        if tls:
            command += ["--cacert", lab.certificate()[0]]
        lab.note(shown(command))
        # What waits for an answer on a core that another generator fills would measure the wait.
        priority = ["nice", "-n", "-20"] if first else []
        self._process = subprocess.Popen(
            [*priority, *command, *where, "--server_pid", str(server.pid), "--json", "-"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, seconds):
        try:
            out, err = self._process.communicate(timeout=seconds + 4 * DEADLINE)
        except subprocess.TimeoutExpired:
            self.stop()
            raise BenchError(f"the generator did not end: {self._process.args}") from None
        if not out.strip():
            raise BenchError(f"the generator measured nothing: {err.strip().splitlines()[-1:]}")
        return json.loads(out)

    def stop(self):
        self._process.kill()
        self._process.communicate()


class Lab:
    """What a row measures with. Notes the commands that it runs, as a reader would type them."""

    def __init__(self, build, root, scale):
        self.build = build
        self.root = root
        self.scale = scale
        self.commands = []
        self._folder = None
        self.failures = []
        self.client_bound = False

    def seconds(self, full):
        """How long to measure, of what is long enough."""
        return max(2, round(full * self.scale))

    def note(self, command):
        command = re.sub(r"(redis://127.0.0.1):\d+", r"\1:PORT", command)
        if command not in self.commands:
            self.commands.append(command)

    def server(self, *flags, cores=(SERVER_CORE,)):
        server = Server(self.build.crierd, [*flags, *self.build.flags], cores)
        self.note(server.command)
        return server

    def certificate(self):
        """The server's certificate and key (P-256): two files."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory()
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                          "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
                          "subjectAltName=IP:127.0.0.1", "-keyout", self._file("key.pem"),
                          "-out", self._file("cert.pem"))
        return self._file("cert.pem"), self._file("key.pem")

    def tls_server(self, *flags):
        certificate, key = self.certificate()
        return self.server(f"--tls_cert={certificate}", f"--tls_key={key}", *flags)

    def _file(self, name):
        return f"{self._folder.name}/{name}"

    @staticmethod
    def _openssl(*arguments):
        return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True,
                              timeout=DEADLINE).stdout

    def handshakes(self, address, pid, seconds):
        """The microseconds of CPU that a process takes for a full handshake of TLS, by what
        `openssl s_time` makes of them one after another."""
        begin = machine.usage(pid)[0]
        out = subprocess.run(
            ["taskset", "--cpu-list", str(GENERATOR_CORE), "openssl", "s_time", "-connect", address,
             "-new", "-time", str(seconds), "-CAfile", self.certificate()[0]],
            capture_output=True, text=True, timeout=seconds + DEADLINE, check=False).stdout
        found = re.search(r"(\d+) connections in .* real seconds", out)
        if not found:
            raise BenchError("openssl s_time made no handshakes")
        return 1e6 * (machine.usage(pid)[0] - begin) / int(found[1])

    def openssl_server(self):
        """`openssl s_server` on the server's core: its process and address. To be terminated."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        certificate, key = self.certificate()
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(SERVER_CORE), "openssl", "s_server", "-accept",
             f"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-quiet", "-no_cache"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        wait_until("openssl s_server", answers)
        return process, f"127.0.0.1:{port}"

    def grpc_library(self):
        """A gRPC server that does nothing but what a fan-out takes (tests/bench/grpc_library.cc)."""
        server = PinnedServer(self.build.grpc_library, [], (SERVER_CORE,))
        self.note(server.command)
        return server

    def bench(self, server, mode, *arguments, seconds=None, **where):
        """Runs the generator to its end. Without `seconds`: one that ends by itself."""
        duration = [] if seconds is None else ["--duration", f"{seconds}s"]
        generator = Generator(self, server, [mode, *arguments, *duration], **where)
        return self.accept(generator.finish(seconds or 0))

    def accept(self, result):
        """A result counts only where nothing was lost, twice or out of order."""
        self.failures += result["failures"]
        self.client_bound |= bool(result.get("client_bound"))
        return result

    def floor(self, clients, rate, frames, seconds):
        """Microseconds of CPU per frame that the same sends cost a program that does nothing else."""
        command = [self.build.floor, clients, rate, frames, seconds]
        self.note(shown(command))
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                             timeout=seconds + DEADLINE, check=False)
        found = re.search(r"([0-9.]+) us of CPU each", run.stdout)
        if not found:
            raise BenchError(f"the floor did not run: {run.stderr.strip()}")
        return float(found[1])


def middle(values):
    return statistics.median(values)


def wait_until(what, condition, seconds=DEADLINE):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"waited {seconds} s in vain: {what}")
        select.select([], [], [], 0.05)
