"""The files of docs/proxies with the real nginx, HAProxy and Caddy in front of the real server: a WebSocket
and a gRPC stream through each, who counts as the client, health, and the console below a prefix.
"""

import asyncio
import json
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

import browser
import support
import websockets

TIMEOUT = 1  # of the proxies, in seconds
FILES = Path(__file__).resolve().parents[2] / "docs/proxies"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Proxy:
    """What the proxies' tests share. A subclass says how its proxy is started."""
    flags = []

    def setUp(self):
        self.crierd = self.enterContext(support.Crierd(
            "--trusted_proxies=127.0.0.1", "--max_sessions_per_address=3", "--drain_time=60s",
            "--ping_interval=200ms", "--heartbeat_interval=200ms", *self.flags))
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        certificate, key = self.folder / "fullchain.pem", self.folder / "privkey.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
            check=True, capture_output=True, timeout=support.DEADLINE)
        (self.folder / "both.pem").write_text(certificate.read_text() + key.read_text())
        self.tls = ssl.create_default_context(cafile=certificate)
        self.certificate = certificate
        log = self.enterContext(open(self.folder / "log", "w+", encoding="utf-8"))
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        self.addCleanup(self.end)
        support.wait_for(f"{self.name} to answer", self.answers)

    def end(self):
        self.process.terminate()
        self.process.wait(support.DEADLINE)

    def answers(self):
        self.assertIsNone(self.process.poll(), (self.folder / "log").read_text())
        try:
            return self.status("/") == 200
        except OSError:
            return False

    def with_addresses(self, text):
        """A file of docs/proxies, for this test's server and folder."""
        for old, new in [("127.0.0.1:8000", self.crierd.http), ("127.0.0.1:50051", self.crierd.grpc),
                         ("/etc/ssl/crier/", f"{self.folder}/")]:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.assertIn(" 60s", text)
        return text.replace(" 60s", f" {TIMEOUT}s")

    def status(self, path, *headers, connection="close"):
        with socket.create_connection(("127.0.0.1", self.port), support.DEADLINE) as plain, \
                self.tls.wrap_socket(plain, server_hostname="127.0.0.1") as stream:
            lines = [f"GET {path} HTTP/1.1", f"Host: {self.address}",
                     f"Connection: {connection}", *headers]
            stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            return int(stream.makefile("rb").readline().split()[1])

    def connect(self, path="/ws", **options):
        return websockets.connect(f"wss://{self.address}{path}", ssl=self.tls, **options)

    def grpcurl(self, *arguments):
        return ["grpcurl", "-cacert", self.certificate, *arguments]

    # --- The tests.

    def test_a_websocket_goes_through(self):
        async def talk():
            async with self.connect(origin=f"https://{self.address}") as one, self.connect() as two:
                await one.send(json.dumps({"action_type": "broadcast", "body": "through"}))
                for each in (one, two):
                    event = json.loads(await asyncio.wait_for(each.recv(), support.DEADLINE))
                    self.assertEqual(event["body"], "through")
        asyncio.run(talk())

    def test_a_page_from_elsewhere_may_not_connect(self):
        async def talk(origin):
            async with self.connect(origin=origin):
                pass
        for origin in ["https://evil.example", f"http://{self.address}"]:
            with self.subTest(origin), self.assertRaises(websockets.InvalidStatusCode) as refused:
                asyncio.run(talk(origin))
            self.assertEqual(refused.exception.status_code, 403)

    def test_the_limit_per_address_is_the_clients(self):
        invented = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.2"}

        # Not the proxies' own address, which they may say anything of.
        client = {"local_addr": ("127.0.0.2", 0)}

        async def talk():
            kept = [await self.connect(extra_headers=invented, **client) for _ in range(3)]
            # All three are 127.0.0.2's, whatever they say.
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await self.connect(extra_headers={"X-Forwarded-For": "192.0.2.3"}, **client)
            self.assertEqual(refused.exception.status_code, 503)
            for each in kept:
                await each.close()
        asyncio.run(talk())

    def test_grpc_goes_through(self):
        listed = subprocess.run(self.grpcurl(self.address, "list"), check=True, text=True,
                                capture_output=True, timeout=support.DEADLINE).stdout
        self.assertIn("crier.v1.Messaging", listed)
        stream = subprocess.Popen(
            self.grpcurl("-d", "@", self.address, "crier.v1.Messaging/Connect"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(stream.stdout.close)
        self.addCleanup(stream.wait)
        self.addCleanup(stream.kill)
        self.addCleanup(stream.stdin.close)
        frames = support.JsonStream(stream.stdout)
        # nginx sends a stream's head with its first message.
        for body in ["one", "two"]:
            stream.stdin.write(json.dumps(
                {"publish": {"action_type": "BROADCAST", "body": body}}) + "\n")
            stream.stdin.flush()
            bodies = []
            while body not in bodies:
                bodies += [event.get("message", {}).get("body")
                           for event in frames.next().get("events", [])]

    def test_silence_ends_nothing(self):
        """The files' timeouts, made shorter here, are longer than crier's own silence."""
        async def talk():
            async with self.connect() as client:
                stream = subprocess.Popen(
                    self.grpcurl("-d", "{}", self.address, "crier.v1.Messaging/Subscribe"),
                    stdout=subprocess.PIPE, text=True)
                try:
                    frames = support.JsonStream(stream.stdout)
                    beats = 0
                    while beats * 0.2 < 2 * TIMEOUT:
                        frame = await asyncio.to_thread(frames.next)
                        beats += not frame.get("events")
                finally:
                    stream.kill()
                    stream.wait()
                    stream.stdout.close()
                await client.send(json.dumps({"action_type": "direct", "body": "still here"}))
                self.assertIn("still here", await asyncio.wait_for(client.recv(), support.DEADLINE))
        asyncio.run(talk())

    def test_a_drain_is_seen(self):
        async def talk():
            async with self.connect() as old:
                self.crierd.process.terminate()
                support.wait_for("new sessions to be refused",
                                 lambda: self.status("/ws", "Upgrade: websocket",
                                                     "Sec-WebSocket-Version: 13",
                                                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                                                     connection="Upgrade")
                                 in (502, 503))
                with self.assertRaises(websockets.ConnectionClosed) as closed:
                    while True:
                        await asyncio.wait_for(old.recv(), 60)
                self.assertEqual(closed.exception.code, 1001)
        asyncio.run(talk())
        self.assertEqual(self.crierd.process.wait(support.DEADLINE), 0)


class NginxTest(Proxy, unittest.TestCase):
    name = "nginx"

    def command(self):
        text = self.with_addresses((FILES / "nginx.conf").read_text())
        text = text.replace("listen 443 ssl", f"listen {self.address} ssl")
        text = re.sub("worker_(rlimit_nofile|connections) .*;", r"worker_\1 1000;", text)
        inside = "\nhttp {\n  access_log off;\n" + "".join(
            f"  {what}_temp_path {self.folder}/{what};\n"
            for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
        path = self.folder / "nginx.conf"
        path.write_text(f"daemon off;\npid {self.folder}/pid;\n"
                        + text.replace("\nhttp {\n", inside))
        return [shutil.which("nginx"), "-e", "stderr", "-p", self.folder, "-c", path]

    def test_the_console_works_below_a_prefix(self):
        page = self.enterContext(browser.Browser("--ignore-certificate-errors"))
        page.screen(1280, 900, still=True)
        page.open(f"https://{self.address}/chat/")
        support.wait_for("live", lambda: "live" in page.text("#state-text"))
        page.click("#session-1 .connect")
        support.wait_for("connected", lambda: "connected" in page.text("#session-1 .session-state"))
        self.assertEqual(page.complaints(), [])


class HaproxyTest(Proxy, unittest.TestCase):
    name = "haproxy"

    def command(self):
        text = self.with_addresses((FILES / "haproxy.cfg").read_text())
        text = text.replace("bind :443", f"bind {self.address}")
        text = text.replace(" port 8000", " port " + self.crierd.http.rsplit(":", 1)[1])
        text = text.replace("maxconn 20000", "maxconn 500")
        path = self.folder / "haproxy.cfg"
        path.write_text(text)
        return [shutil.which("haproxy"), "-db", "-f", path]


class HaproxyTcpTest(Proxy, unittest.TestCase):
    """As a proxy of connections, which says by the PROXY protocol who the client is. TLS ends here
    too, with h2 for gRPC and HTTP/1.1 for the rest."""
    name = "haproxy"
    flags = ["--proxy_protocol"]

    def command(self):
        path = self.folder / "haproxy.cfg"
        path.write_text(self.with_addresses("""
            defaults
              mode tcp
              timeout connect 5s
              timeout client 60s
              timeout server 60s
            frontend public
              bind :443 ssl crt /etc/ssl/crier/both.pem alpn h2,http/1.1
              use_backend crier_grpc if { ssl_fc_alpn h2 }
              default_backend crier_http
            backend crier_http
              server crier1 127.0.0.1:8000 send-proxy-v2
            backend crier_grpc
              server crier1 127.0.0.1:50051 send-proxy
            """.replace("bind :443", f"bind {self.address}")).rstrip(" "))
        return [shutil.which("haproxy"), "-db", "-f", path]

    # By TCP nobody says what scheme the client has used.
    test_a_page_from_elsewhere_may_not_connect = None


class CaddyTest(Proxy, unittest.TestCase):
    name = "caddy"

    def command(self):
        text = (FILES / "Caddyfile").read_text()
        text = text.replace("127.0.0.1:8000", self.crierd.http)
        text = text.replace("127.0.0.1:50051", self.crierd.grpc)
        self.assertIn("chat.example.org {", text)
        text = text.replace("chat.example.org {", f"https://{self.address} {{\n"
                            f"\ttls {self.folder}/fullchain.pem {self.folder}/privkey.pem\n")
        path = self.folder / "Caddyfile"
        path.write_text(f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {self.folder}\n}}\n"
                        + text)
        return [shutil.which("caddy"), "run", "--adapter", "caddyfile", "--config", path]


if __name__ == "__main__":
    support.require("grpcurl", "nginx", "haproxy", "caddy", "openssl", "chromedriver", "chromium")
    support.main()
