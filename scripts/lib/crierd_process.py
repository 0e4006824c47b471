"""Starts a server, usually crierd, pinned to cores, on ports that the system chooses."""

import re
import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 60  # seconds for starting, and for stopping
LAST_LINES = 3  # of the log, where it does not start


class ServerError(Exception):
    """What is wrong with a server, in words for whoever named it."""


class PinnedServer:
    """Runs as long as a `with` lasts, on `cores` only. `ports`: the arguments that make it take ports
    from the system. `log`: a path for its log; without one, the log ends with the server.

    The server prints where it listens, on a line of its own: NAME ready [http=ADDRESS] [grpc=ADDRESS].
    `command`: its command line without the ports. While it runs: `pid`, `version` (that NAME), `http`
    and `grpc`.
    """

    def __init__(self, program, flags, cores, ports=(), log=None):
        self.flags = flags
        self._ports = ports
        self._pinned = ["taskset", "--cpu-list", machine.core_list(cores), program]
        self.command = shown([*self._pinned, *flags])
        self.version = self.http = self.grpc = None
        self._log_path = log
        self._log = self._process = None

    def __enter__(self):
        self._log = open(self._log_path, "wb") if self._log_path else tempfile.NamedTemporaryFile()
        # Unbuffered: select() does not see what Python has read ahead.
        self._process = subprocess.Popen(
            [*self._pinned, *self._ports, *self.flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, bufsize=0)
        try:
            self.version, self.http, self.grpc = self._ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    @property
    def pid(self):
        return self._process.pid

    def _ready(self):
        end = time.monotonic() + DEADLINE
        while select.select([self._process.stdout], [], [], max(0, end - time.monotonic()))[0]:
            line = self._process.stdout.readline().decode(errors="replace")
            found = re.match(r"(.+) ready(?: http=(\S+))?(?: grpc=(\S+))?", line)
            if found:
                return found.groups()
            if not line:
                raise ServerError(f"{self._name()} did not start: {self._last_words()}")
        raise ServerError(
            f"{self._name()} was not ready within {DEADLINE} s: {self._last_words()}")

    def _name(self):
        return Path(self._pinned[-1]).name

    def _last_words(self):
        log = Path(self._log.name).read_text(encoding="utf-8", errors="replace")
        return "\n  ".join([self.command, *log.strip().splitlines()[-LAST_LINES:]])


class CrierdProcess(PinnedServer):
    """With a shard for each core, unless the flags say how many."""

    def __init__(self, program, flags, cores, log=None):
        if not any(flag.lstrip("-").startswith("shards") for flag in flags):
            flags = [f"--shards={len(cores)}", *flags]
        super().__init__(program, flags, cores,
                         ["--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0",
                          "--admin_listen=127.0.0.1:0"], log)

    def _name(self):
        return "crierd"


def shown(command):
    """As a reader would type it in the repository's root."""
    return " ".join(str(part).replace(f"{ROOT}/", "") for part in command)
