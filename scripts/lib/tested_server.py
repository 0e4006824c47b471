"""A server that the scripts of k6/ run against: crier, started here, or any running server."""

import base64
import os
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import machine
from crierd_process import ROOT, CrierdProcess, ServerError

DEADLINE = 30  # seconds for answering


@dataclass
class Server:
    """Where a server is. `metrics`: a URL, or None where it has none. `pids`: its processes on this
    machine, where they are known."""
    name: str
    url: str
    grpc: str = None
    metrics: str = None
    pids: list = field(default_factory=list)
    version: str = ""  # what it says of itself
    flags: list = field(default_factory=list)

    def pinned_to(self):
        return machine.cores_of(self.pids[0]) if self.pids else "not known here"

    def process_is_gone(self):
        return any(not Path(f"/proc/{pid}").exists() for pid in self.pids)


@contextmanager
def start_crier(flags, cores, log):
    """crierd for as long as a `with` lasts, which yields a Server.

    The program is the one that the environment variable CRIERD names, else what scripts/run builds.
    It may run on `cores` only. `log`: where its log goes.
    """
    program = os.environ.get("CRIERD", ROOT / "scripts/run")
    with CrierdProcess(program, flags, cores, log) as crierd:
        yield Server("crier", f"ws://{crierd.http}/ws", crierd.grpc,
                     f"http://{crierd.http}/metrics", [crierd.pid], crierd.version, crierd.flags)


def build_crier():
    """So that start_crier only starts it. Raises ServerError where there is no program then."""
    program = os.environ.get("CRIERD")
    if program is None:
        # What it says of a build that fails goes to the terminal.
        if subprocess.run([ROOT / "scripts/run", "--version"], stdout=subprocess.DEVNULL,
                          check=False).returncode != 0:
            raise ServerError("scripts/run could not build crierd")
    elif not os.access(program, os.X_OK):
        raise ServerError(f"CRIERD names '{program}', which is no program")


def split(url):
    """(scheme, host, port, path) of a WebSocket URL."""
    parts = urllib.parse.urlsplit(url)
    try:
        default = {"ws": 80, "wss": 443}[parts.scheme]
        port = parts.port or default
    except (ValueError, KeyError):
        port = None
    if not parts.hostname or not port:
        raise ServerError(f"a WebSocket server is named as ws://HOST:PORT/PATH, not '{url}'")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname, port, path


def default_metrics(url):
    scheme, host, port, _ = split(url)
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if scheme == 'wss' else 'http'}://{host}:{port}/metrics"


def check_answers(server):
    """Raises ServerError unless an upgrade at the server's URL is answered with 101."""
    scheme, host, port, path = split(server.url)
    try:
        connection = socket.create_connection((host, port), timeout=DEADLINE)
        if scheme == "wss":
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        with connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode())
            status = connection.makefile("rb").readline().decode(errors="replace").strip()
            # A close frame, masked with zeros: it shall not count this as an error.
            connection.sendall(bytes([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    except OSError as error:
        raise ServerError(f"{server.name} does not answer at {server.url}: {error}") from None
    if " 101" not in status:
        raise ServerError(f"{server.name} at {server.url} answers an upgrade to WebSocket with "
                          f"'{status}' and not with 101")


def read_metrics(server):
    """The names of the metrics at the server's URL. Raises ServerError where there are none."""
    try:
        with urllib.request.urlopen(server.metrics, timeout=DEADLINE) as answer:
            text = answer.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        raise ServerError(f"{server.name} has no metrics at {server.metrics}: {error}") from None
    names = {found[1] for found in re.finditer(r"^([a-zA-Z_:][\w:]*)(?:\{.*\})? [-+0-9.NI]", text,
                                               re.MULTILINE)}
    if not names:
        raise ServerError(f"what {server.metrics} answers is not in Prometheus's text format")
    return names
