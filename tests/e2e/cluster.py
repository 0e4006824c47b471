"""A cluster for a test: a real redis-server, nodes on ports of their own, and the HAProxy of docker/cluster
in front of them. All of it on 127.0.0.1."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import support

ROOT = Path(__file__).resolve().parents[2]
HAPROXY_FILE = ROOT / "docker/cluster/haproxy.cfg"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until_it_starts(start):
    """What start(port) gives, on a free port that nobody else has taken since."""
    for attempt in range(5):
        try:
            return start(free_port())
        except AssertionError:
            if attempt == 4:
                raise
    return None


class Redis:
    """A redis-server without files, as docker/cluster/compose.yaml starts it. Use with `with`."""

    def __init__(self, *arguments, password=None):
        """password: of the default user, which this object is."""
        self.arguments, self.password = arguments, password
        self.process = None
        self.port = until_it_starts(self._start)

    def _start(self, port):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", tempfile.gettempdir(),
             *(["--requirepass", self.password] if self.password else []), *self.arguments],
            stdout=subprocess.DEVNULL)
        self.port = port
        support.wait_for("redis-server to answer, or to end",
                         lambda: self.process.poll() is not None or self._answers())
        # Not somebody else's on this port.
        if self.process.poll() is not None:
            raise AssertionError("redis-server has ended")
        return port

    def _answers(self):
        try:
            return f"process_id:{self.process.pid}\r" in self.command("INFO", "server")
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def kill(self):
        """A second time it does nothing."""
        self.process.kill()
        self.process.wait()

    def restart(self):
        """Empty, on the same port."""
        self._start(self.port)

    def command(self, *words):
        """Its answer: text, a number, a list of these, or None. An error is raised as ValueError."""
        with socket.create_connection(("127.0.0.1", self.port), support.DEADLINE) as stream:
            answers = stream.makefile("rb")
            for line in ([("AUTH", self.password)] if self.password else []) + [words]:
                parts = [str(word).encode() for word in line]
                stream.sendall(b"*%d\r\n" % len(parts) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
                answer = self._read(answers)
            return answer

    def _read(self, answers):
        line = answers.readline()
        if not line:
            raise OSError("it has closed")
        kind, rest = line[:1], line[1:].strip()
        if kind == b"-":
            raise ValueError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if kind == b"*":
            return [self._read(answers) for _ in range(int(rest))]
        size = int(rest)
        return answers.read(size + 2)[:-2].decode(errors="replace") if size >= 0 else None


class Node:
    """A crierd that can be started again on the ports that it had. Use with `with`."""

    def __init__(self, *flags):
        self.flags = flags
        self.crierd = support.Crierd(*flags)
        self.http, self.grpc = self.crierd.http, self.crierd.grpc

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.crierd.kill()

    def ready(self):
        try:
            return self.crierd.get("/readyz") == "ready"
        except OSError:  # also an answer of 503
            return False

    def restart(self):
        """SIGTERM, a drain to its end, and a start."""
        self.crierd.process.send_signal(signal.SIGTERM)
        status = self.crierd.process.wait(120)
        self.crierd.process.stdout.close()
        if status != 0:
            raise AssertionError(f"crierd ended with {status}")
        self._start_again()

    def crash(self):
        """SIGKILL, and a start."""
        self.crierd.kill()
        self._start_again()

    def _start_again(self):
        self.crierd = support.Crierd(
            *self.flags, f"--http_listen={self.http}", f"--grpc_listen={self.grpc}")
        support.wait_for("the node to be ready", self.ready)


class Balancer:
    """HAProxy with docker/cluster/haproxy.cfg in front of three nodes; other addresses, nothing else is
    changed. Use with `with`. `http` and `grpc` are its addresses."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.folder = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
        self.http, self.grpc = (f"127.0.0.1:{free_port()}" for _ in range(2))
        path = Path(self.folder.name, "haproxy.cfg")
        path.write_text(self._config(), encoding="utf-8")
        self.log = open(Path(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([shutil.which("haproxy"), "-db", "-f", path],
                                        stdout=self.log, stderr=self.log)
        support.wait_for("HAProxy to let through", self._answers)

    def _config(self):
        text = HAPROXY_FILE.read_text(encoding="utf-8")
        changes = [("bind :8000", f"bind {self.http}"), ("bind :50051", f"bind {self.grpc}"),
                   ("maxconn 20000", "maxconn 1000")]
        for number, node in enumerate(self.nodes, 1):
            port = node.http.rsplit(":", 1)[1]
            changes += [(f"crier{number}:8000", node.http),
                        (f"crier{number}:50051 proto h2 port 8000",
                         f"{node.grpc} proto h2 port {port}")]
        for old, new in changes:
            if text.count(old) != 1:
                raise AssertionError(f"{HAPROXY_FILE} has {old} {text.count(old)} times")
            text = text.replace(old, new)
        return text

    def _answers(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(self.log.read())
        try:
            with socket.create_connection(tuple(self.http.rsplit(":", 1)), 1) as stream:
                stream.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return stream.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(support.DEADLINE)
        self.log.close()
        self.folder.cleanup()

    def status(self, path):
        """Of a GET."""
        with socket.create_connection(tuple(self.http.rsplit(":", 1)), support.DEADLINE) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n"
                           "Connection: close\r\n\r\n".encode())
            return int(stream.makefile("rb").readline().split()[1])


def require():
    """Skips the whole test where what this file starts is not there."""
    os.environ["PATH"] += f"{os.pathsep}{ROOT / 'build' / 'tools'}"
    support.require("redis-server", "haproxy")
