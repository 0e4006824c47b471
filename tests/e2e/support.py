"""A real crierd for a test, and what tests need to talk to it. Python's standard library only."""

import json
import os
import queue
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.request

DEADLINE = 20  # seconds that any condition may take
SKIPPED = 77  # CTest's exit code for a skipped test (SKIP_RETURN_CODE)


class Crierd:
    """The server, on ports that the system gave. Use with `with`."""

    def __init__(self, *flags, stderr=None, env=None, before=()):
        """env: further variables of its environment. before: a command that runs it, such as nsenter."""
        self.process = subprocess.Popen(
            [*before, os.environ["CRIERD"], "--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0",
             "--admin_listen=127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(env or {})},
        )
        line = self.process.stdout.readline()
        match = re.fullmatch(r"crierd \S+ ready http=(\S+) grpc=(\S+)(?: admin=(\S+))?\n", line)
        if not match:
            raise AssertionError(f"no ready line but {line!r}")
        self.http, self.grpc, self.admin = match.groups()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it as an operator does, and checks that it ended well. A second time it does nothing."""
        if self.process.stdout.closed:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            if self.process.wait(DEADLINE) != 0:
                raise AssertionError(f"crierd ended with {self.process.returncode}")
        finally:
            self.process.kill()
            self.process.stdout.close()

    def kill(self):
        """Ends it as a crash does. A second time it does nothing."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=DEADLINE) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The value of a metric, named with its labels as /metrics shows it."""
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")


def wait_for(what, condition):
    """Waits until condition() is true, and returns what it gave."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE} s in vain: {what}")
        select.select([], [], [], 0.01)


class JsonStream:
    """JSON objects that a process prints one after the other, read as they come."""

    def __init__(self, pipe):
        self._objects = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        decoder, text = json.JSONDecoder(), ""
        for line in pipe:
            text += line
            while text.strip():
                try:
                    value, end = decoder.raw_decode(text.lstrip())
                except ValueError:
                    break  # not whole yet
                text = text.lstrip()[end:]
                self._objects.put(value)

    def next(self):
        try:
            return self._objects.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError(f"nothing came in {DEADLINE} s") from None


def require(*tools):
    """Skips the whole test, in a way that CTest shows, where a program is not there."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        print(f"skipped: not on PATH: {', '.join(missing)} (scripts/setup --tests --tools)")
        sys.exit(SKIPPED)


def main():
    unittest.main(verbosity=2)
