"""TLS with real peers: openssl, Python's websockets, grpcurl, crier (whose gRPC is gRPC's own library) and
a browser; certificates of clients; and files that change while sessions are open."""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

import browser
import support
import websockets


def openssl(*arguments, text="", check=True):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True,
                          errors="replace", timeout=support.DEADLINE, check=False)
    if check and done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout + done.stderr


class TlsCase(unittest.TestCase):
    flags = []

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.make("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        self.prepare()
        self.log = self.folder / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.crierd = self.enterContext(support.Crierd(
                f"--tls_cert={self.file('server.pem')}", f"--tls_key={self.file('server.key')}",
                *[flag.format(folder=self.folder) for flag in self.flags], stderr=log))
        self.trust = ssl.create_default_context(cafile=self.file("server.pem"))

    def prepare(self):
        """What a test's flags name besides."""

    def file(self, name):
        return str(self.folder / name)

    def make(self, name, subject, extension, *signer):
        """A certificate and its key, NAME.pem and NAME.key, each put in its place as a whole."""
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "1", "-subj", subject, "-addext", extension, *signer,
                "-keyout", self.file("new.key"), "-out", self.file("new.pem"))
        os.replace(self.file("new.key"), self.file(f"{name}.key"))
        os.replace(self.file("new.pem"), self.file(f"{name}.pem"))

    def said(self, *words):
        """The log has a line with these words."""
        return any(all(word in line for word in words)
                   for line in self.log.read_text(encoding="utf-8").splitlines())

    def s_client(self, address, *arguments, check=True):
        return openssl("s_client", "-connect", address, "-CAfile", self.file("server.pem"),
                       "-brief", *arguments, check=check)

    def grpcurl(self, *arguments, check=True):
        done = subprocess.run(["grpcurl", *arguments], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def crier(self, *arguments, code=0):
        done = subprocess.run([os.environ["CRIER"], *arguments], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def connect(self, path="/ws", tls=None):
        return websockets.connect(f"wss://{self.crierd.http}{path}", ssl=tls or self.trust)


class TlsTest(TlsCase):
    def test_openssl_agrees_on_both_ports(self):
        for address in [self.crierd.http, self.crierd.grpc]:
            for version in ["-tls1_2", "-tls1_3"]:
                said = self.s_client(address, version)
                self.assertIn("Verification: OK", said)
            self.assertIn("alert", self.s_client(address, "-tls1_1", check=False))
        self.assertIn("ALPN protocol: h2", openssl(
            "s_client", "-connect", self.crierd.grpc, "-alpn", "h2"))
        self.assertIn("ALPN protocol: http/1.1", openssl(
            "s_client", "-connect", self.crierd.http, "-alpn", "h2,http/1.1"))
        self.assertIn("no application protocol", self.s_client(
            self.crierd.grpc, "-alpn", "http/1.1", check=False))

    def test_openssl_resumes_a_session(self):
        session = self.file("session")
        answer = "GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        openssl("s_client", "-connect", self.crierd.http, "-sess_out", session, "-ign_eof",
                text=answer)
        again = openssl("s_client", "-connect", self.crierd.http, "-sess_in", session, "-ign_eof",
                        text=answer)
        self.assertIn("Reused, TLSv1.3", again)

    def test_websockets_and_large_messages(self):
        async def talk():
            async with self.connect() as one, self.connect() as two:
                await one.send(json.dumps({"action_type": "ping"}))
                self.assertEqual(json.loads(await one.recv())["data"], "pong")
                # Of several records each; together less than the topic's log keeps.
                body = "x" * 60_000
                for _ in range(10):
                    await one.send(json.dumps({"action_type": "broadcast", "body": body}))
                for session in [one, two]:
                    for _ in range(10):
                        self.assertEqual(json.loads(await session.recv())["body"], body)
        asyncio.run(talk())

    def test_grpcurl(self):
        services = self.grpcurl("-cacert", self.file("server.pem"), self.crierd.grpc, "list")
        self.assertIn("crier.v1.Messaging", services)
        said = self.grpcurl("-plaintext", "-max-time", "5", self.crierd.grpc, "list", check=False)
        self.assertNotIn("crier.v1.Messaging", said)
        said = self.grpcurl(self.crierd.grpc, "list", check=False)
        self.assertIn("certificate", said)

    def test_crier_on_both_transports(self):
        trust = f"--cacert={self.file('server.pem')}"
        self.assertIn("ok", self.crier("health", f"--url=wss://{self.crierd.http}/ws", trust))
        self.assertIn("ok", self.crier("health", f"--grpc={self.crierd.grpc}", trust))
        listener = subprocess.Popen(
            [os.environ["CRIER"], "listen", f"--grpc={self.crierd.grpc}", trust, "--count=1"],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.kill)
        self.addCleanup(listener.wait)
        support.wait_for("the listener", lambda: self.sessions() == 1)
        self.crier("send", f"--url=wss://{self.crierd.http}/ws", trust, "hello")
        self.assertIn("hello", listener.communicate(timeout=support.DEADLINE)[0])
        said = self.crier("send", f"--url=wss://{self.crierd.http}/ws", "hello", code=3)
        self.assertIn("not trusted", said)

    def sessions(self):
        with urllib.request.urlopen(f"https://{self.crierd.http}/metrics", context=self.trust,
                                    timeout=support.DEADLINE) as answer:
            return int(re.search(r'crier_sessions\{transport="grpc"\} (\d+)',
                                 answer.read().decode())[1])

    def test_the_console_in_a_browser(self):
        with open(self.file("key.der"), "wb") as der:
            subprocess.run(["openssl", "pkey", "-in", self.file("server.key"), "-pubout",
                            "-outform", "DER"], stdout=der, check=True)
        print_of_key = subprocess.run(
            f"openssl dgst -sha256 -binary {self.file('key.der')} | base64", shell=True,
            capture_output=True, text=True, check=True).stdout.strip()
        with browser.Browser(f"--ignore-certificate-errors-spki-list={print_of_key}") as page:
            page.open(f"https://{self.crierd.http}/")
            support.wait_for("the page's own session to be counted", lambda: page.run(
                "return board.points.length > 1"))
            page.run("window.socket = new WebSocket(`wss://${location.host}/ws`)")
            support.wait_for("a WebSocket", lambda: page.run("return socket.readyState") == 1)
        self.assertFalse(self.said("TLS with"))

    def test_plain_clients_are_told(self):
        answer = subprocess.run(["curl", "-si", f"http://{self.crierd.http}/"], capture_output=True,
                                text=True, timeout=support.DEADLINE, check=False).stdout
        self.assertIn("400 Bad Request", answer)
        self.assertIn("This port speaks TLS", answer)
        self.assertTrue(self.said("TLS with 127.0.0.1: it speaks HTTP without TLS"))

    def certificate_shown(self):
        return ssl.get_server_certificate(tuple(self.crierd.http.split(":")))

    def test_new_files_are_shown_and_sessions_stay(self):
        old = self.certificate_shown()

        async def through_changes():
            async with self.connect() as session:
                # A key that is not the certificate's changes nothing.
                shutil.copy(self.file("server.key"), self.file("old.key"))
                self.make("other", "/CN=other", "subjectAltName=DNS:other")
                os.replace(self.file("other.key"), self.file("server.key"))
                support.wait_for("the wrong pair", lambda: self.said(
                    "stays as it was", "not the key of the certificate"))
                self.assertEqual(self.certificate_shown(), old)
                # By the files' change alone; and by SIGHUP, which says so.
                self.make("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")
                support.wait_for("the new one", lambda: self.certificate_shown() != old)
                self.assertEqual(self.certificate_shown(),
                                 Path(self.file("server.pem")).read_text())
                self.crierd.process.send_signal(support.signal.SIGHUP)
                support.wait_for("a word", lambda: self.said("read again"))
                await session.send(json.dumps({"action_type": "ping"}))
                self.assertEqual(json.loads(await session.recv())["data"], "pong")
        asyncio.run(through_changes())


class ClientCertificatesTest(TlsCase):
    flags = ["--tls_client_ca={folder}/authority.pem"]

    def prepare(self):
        self.make("authority", "/CN=our clients", "basicConstraints=critical,CA:TRUE")
        self.make("alice", "/CN=alice", "subjectAltName=DNS:alice.example.org",
                  "-CA", self.file("authority.pem"), "-CAkey", self.file("authority.key"))
        self.make("stranger", "/CN=alice", "subjectAltName=DNS:alice.example.org")

    def shown(self, name):
        return ["-cert", self.file(f"{name}.pem"), "-key", self.file(f"{name}.key")]

    def test_only_clients_of_the_authority_come_in(self):
        trust = ["-cacert", self.file("server.pem")]
        services = self.grpcurl(*trust, *self.shown("alice"), self.crierd.grpc, "list")
        self.assertIn("crier.v1.Messaging", services)
        for arguments in [trust, [*trust, *self.shown("stranger")]]:
            said = self.grpcurl(*arguments, "-max-time", "5", self.crierd.grpc, "list", check=False)
            self.assertNotIn("crier.v1.Messaging", said)

        async def ping():
            tls = ssl.create_default_context(cafile=self.file("server.pem"))
            tls.load_cert_chain(self.file("alice.pem"), self.file("alice.key"))
            async with self.connect(tls=tls) as session:
                await session.send(json.dumps({"action_type": "ping"}))
                self.assertEqual(json.loads(await session.recv())["data"], "pong")
            with self.assertRaises((ssl.SSLError, OSError, websockets.InvalidMessage)):
                async with self.connect() as session:
                    await session.recv()
        asyncio.run(ping())

    def test_the_certificate_names_the_user(self):
        self.flags = [*ClientCertificatesTest.flags, "--tls_user_from=san"]
        self.setUp()
        tls = ssl.create_default_context(cafile=self.file("server.pem"))
        tls.load_cert_chain(self.file("alice.pem"), self.file("alice.key"))

        async def say():
            async with self.connect("/ws?user_id=bob", tls=tls) as session:
                await session.send(json.dumps(
                    {"action_type": "broadcast", "user_id": "bob", "body": "x"}))
                self.assertEqual(json.loads(await session.recv())["user_id"], "alice.example.org")
                # As gRPC has it: a direct message to her comes back to this session.
                self.grpcurl("-cacert", self.file("server.pem"), *self.shown("alice"),
                             "-H", "crier-user-id: bob", "-d",
                             '{"message":{"actionType":"DIRECT","to":"alice.example.org","body":"y"}}',
                             self.crierd.grpc, "crier.v1.Messaging/Publish")
                self.assertEqual(json.loads(await session.recv())["user_id"], "alice.example.org")
        asyncio.run(say())

    def test_crier_shows_a_certificate(self):
        options = [f"--grpc={self.crierd.grpc}", f"--cacert={self.file('server.pem')}",
                   f"--cert={self.file('alice.pem')}", f"--key={self.file('alice.key')}"]
        self.crier("send", *options, "hello")
        self.crier("send", *options[:2], "--timeout=2s", "hello", code=3)


if __name__ == "__main__":
    if shutil.which("grpcurl") is None:
        print("skipped: there is no grpcurl; scripts/setup --tools builds it")
        sys.exit(support.SKIPPED)
    support.main()
