"""Real Redis servers for a test, in memory only, on free ports of this machine; and Sentinels."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

DEADLINE = 20  # seconds for a start
PROGRAM = "redis-server"

_chance = random.SystemRandom()  # two processes with the same seed take different ports


class RedisError(Exception):
    """What Redis answered instead."""


def free_port():
    """One that the system gives to nobody by itself: so it is free still when its server begins again,
    however many tests run on this machine."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", _chance.randrange(10_000, 32_000)))
                return probe.getsockname()[1]
            except OSError:
                pass  # somebody has it


class Calls:
    """One connection that asks one thing after the other."""

    def __init__(self, port, timeout=DEADLINE):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._file = self._socket.makefile("rb")

    def close(self):
        self._file.close()
        self._socket.close()

    def call(self, *words):
        parts = [str(word).encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) +
                             b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self._answer()

    def _answer(self):
        line = self._file.readline()
        if not line:
            raise OSError("Redis closed the connection")
        kind, rest = line[:1], line[1:].strip()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        return rest.decode()


class Redis:
    """A server from when it is made until stop(). Its port stays the same when it begins again."""

    def __init__(self, *flags, sentinel=None):
        """flags: as on its command line. sentinel: the configuration of a Sentinel."""
        self.flags, self._sentinel = flags, sentinel
        self._folder = tempfile.TemporaryDirectory(prefix="crier-redis-")
        self.port = self.process = self._calls = None
        for attempt in range(5):  # somebody may have taken the port in between
            self.port = free_port()
            try:
                return self.start()
            except AssertionError:
                self.kill()
                if attempt == 4:
                    self.stop()
                    raise

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        """Begins; again after kill(): with what it saved, if it did."""
        if self._sentinel is None:
            words = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
                     "--enable-debug-command", "local", *self.flags]
        else:
            path = Path(self._folder.name, "sentinel.conf")
            path.write_text(self._sentinel, encoding="utf-8")
            words = ["--sentinel"]
        config = [] if self._sentinel is None else [str(path)]
        with open(Path(self._folder.name, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, *config, "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                 self._folder.name, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + DEADLINE
        while True:
            try:
                self.call("PING")
                return
            except (OSError, RedisError):
                if self.process.poll() is not None or time.monotonic() > end:
                    log = Path(self._folder.name, "log").read_text(errors="replace")
                    raise AssertionError(f"redis-server did not start: {log[-500:]}") from None
            try:
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                pass

    def call(self, *words):
        """The answer to a command. Where Redis has ended the connection, as at a failover, it is asked again."""
        for known in (self._calls is not None, False):
            if self._calls is None:
                self._calls = Calls(self.port)
            try:
                return self._calls.call(*words)
            except OSError:
                self._forget_calls()
                if not known:
                    raise

    def info(self, name):
        """A line of INFO, as text."""
        for line in self.call("INFO", "everything").splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].strip()
        raise AssertionError(f"INFO has no {name}")

    def _forget_calls(self):
        if self._calls is not None:
            self._calls.close()
        self._calls = None

    def kill(self):
        """As a crash. A second time it does nothing."""
        self._forget_calls()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def forget_data(self):
        """What it saved (SAVE) is not there any more when it begins again."""
        Path(self._folder.name, "dump.rdb").unlink(missing_ok=True)

    def pause(self):
        """It stands still. A connection to it is made all the same."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        """For good. A second time it does nothing."""
        self.kill()
        self._folder.cleanup()


def sentinel_for(master, name="crier", down_after_ms=500):
    """One Sentinel that decides alone. It may be asked once it knows the master's replicas."""
    return Redis(sentinel=f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n"
                          f"sentinel down-after-milliseconds {name} {down_after_ms}\n"
                          f"sentinel failover-timeout {name} 3000\n")
