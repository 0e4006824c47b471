"""`crier health`, as container engines call it: what it says of servers well, full, silent and gone."""

import contextlib
import http.server
import os
import socket
import subprocess
import threading
import unittest

import support

OK, REFUSED, USAGE, CANNOT_CONNECT = 0, 1, 2, 3


def health(*options):
    """The exit code of `crier health`, and all that it printed."""
    done = subprocess.run([os.environ["CRIER"], "health", *options],
                          capture_output=True, text=True, timeout=support.DEADLINE, check=False)
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def listener():
    """A port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def unused_address():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


class HealthTest(unittest.TestCase):
    def test_a_server_that_is_well(self):
        with support.Crierd() as crierd:
            self.assertEqual(health(f"--url=ws://{crierd.http}/ws"), (OK, "ok\n"))
            self.assertEqual(health(f"--grpc={crierd.grpc}"), (OK, "ok\n"))
            self.assertEqual(crierd.metric("all_ws_connections_total"), 0)

    def test_a_full_server_is_well(self):
        with support.Crierd("--max_sessions=1") as crierd:
            host, port = crierd.http.split(":")
            with socket.create_connection((host, int(port))):
                self.assertEqual(health(f"--url=ws://{crierd.http}/ws"), (OK, "ok\n"))

    def test_nobody_there(self):
        address = unused_address()
        for option in [f"--url=ws://{address}/ws", f"--grpc={address}"]:
            code, text = health(option)
            self.assertEqual(code, CANNOT_CONNECT, text)
            self.assertIn("crier health: ", text)

    def test_silence_has_a_deadline(self):
        with listener() as address:
            for option in [f"--url=ws://{address}/ws", f"--grpc={address}"]:
                code, text = health(option, "--timeout=100ms")
                self.assertEqual(code, CANNOT_CONNECT, text)
                self.assertIn("does not answer", text)

    def test_another_server(self):
        with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
            threading.Thread(target=other.handle_request, daemon=True).start()
            code, text = health(f"--url=ws://127.0.0.1:{other.server_port}/ws")
        self.assertEqual(code, REFUSED, text)
        self.assertIn("/healthcheck is answered with", text)

    def test_usage(self):
        self.assertEqual(health("--url=http://127.0.0.1")[0], USAGE)
        self.assertEqual(health("now")[0], USAGE)
        self.assertIn("Exit codes", health("--help")[1])


if __name__ == "__main__":
    support.main()
