"""The administrators' port on an address that others reach, with TLS and tokens, as programs see it:
grpcurl, curl, openssl and crier."""

import json
import os
import subprocess
import unittest
from pathlib import Path

import support
from tls_test import TlsCase, openssl

INFO = "crier.v1.Admin/GetServerInfo"


class AdminPortTest(TlsCase):
    flags = ["--admin_listen=0.0.0.0:0", "--auth_keys={folder}/secret"]

    def prepare(self):
        Path(self.file("secret")).write_text("s" * 64, encoding="utf-8")
        self.tokens = {}
        for user, claims in [("ann", ["--admin"]), ("bob", ["--direct"])]:
            self.tokens[user] = self.crier("token", "make", "--key", self.file("secret"), "--alg",
                                           "HS256", "--sub", user, *claims).strip()
            Path(self.file(user)).write_text(self.tokens[user], encoding="utf-8")

    @property
    def admin(self):
        return self.crierd.admin.replace("0.0.0.0", "localhost")

    def authorization(self, user):
        return ["-H", f"Authorization: Bearer {self.tokens[user]}"] if user else []

    def curl(self, *arguments, user=None, method="GetServerInfo", request="{}"):
        """The version of HTTP, its status, and the body."""
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--cacert", self.file("server.pem"),
             "--write-out", "\n%{http_version} %{http_code}", "-H", "Content-Type: application/json",
             *self.authorization(user), "--data", request, *arguments,
             f"https://{self.admin}/crier.v1.Admin/{method}"],
            capture_output=True, text=True, timeout=support.DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, written = done.stdout.rpartition("\n")
        return (*written.split(), body)

    def test_grpcurl(self):
        trust = ["-cacert", self.file("server.pem")]
        # Reflection says nothing of the server.
        self.assertIn("crier.v1.Admin", self.grpcurl(*trust, self.admin, "list"))
        said = self.grpcurl(*trust, self.admin, INFO, check=False)
        self.assertIn("Unauthenticated", said)
        said = self.grpcurl(*trust, *self.authorization("bob"), self.admin, INFO, check=False)
        self.assertIn("PermissionDenied", said)
        info = json.loads(self.grpcurl(*trust, *self.authorization("ann"), self.admin, INFO))
        self.assertTrue(info["admin_listen" if "admin_listen" in info else "adminListen"]
                        .startswith("0.0.0.0:"))
        said = self.grpcurl("-plaintext", "-max-time", "5", *self.authorization("ann"), self.admin,
                            INFO, check=False)
        self.assertNotIn("admin_listen", said)

    def test_curl(self):
        for version in [[], ["--http1.1"], ["--no-alpn"]]:
            with self.subTest(version):
                self.assertEqual(self.curl(*version)[:2], ("1.1", "401"))
                self.assertEqual(self.curl(*version, user="bob")[:2], ("1.1", "403"))
                http, status, body = self.curl(*version, user="ann")
                self.assertEqual((http, status), ("1.1", "200"))
                self.assertTrue(json.loads(body)["adminListen"].startswith("0.0.0.0:"))
        # An action, and who did it.
        self.assertEqual(self.curl(user="ann", method="SetLogLevel", request='{"level":"warning"}')[1],
                         "200")
        support.wait_for("the log", lambda: self.said('admin: SetLogLevel by "ann" from '))

    def test_what_a_client_offers_decides(self):
        for offered, spoken in [("h2", "ALPN protocol: h2"),
                                ("http/1.1", "ALPN protocol: http/1.1"),
                                ("h2,http/1.1", "ALPN protocol: http/1.1"),
                                ("http/1.1,h2", "ALPN protocol: http/1.1")]:
            with self.subTest(offered):
                self.assertIn(spoken, openssl("s_client", "-connect", self.admin, "-alpn", offered))
        said = self.s_client(self.admin, "-alpn", "spdy/3", check=False)
        self.assertIn("no application protocol", said)
        for version in ["-tls1_2", "-tls1_3"]:
            self.assertIn("Verification: OK", self.s_client(self.admin, version))

    def test_a_client_without_tls_is_told(self):
        done = subprocess.run(
            ["curl", "--silent", "--write-out", "%{http_code}", "--data", "{}",
             *self.authorization("ann"), f"http://{self.admin}/{INFO}"],
            capture_output=True, text=True, timeout=support.DEADLINE, check=False)
        self.assertEqual(done.stdout, "This port speaks TLS: the address begins with https:// or "
                                      "wss://.\n400")

    def test_the_tool(self):
        flags = [f"--grpc={self.admin}", f"--cacert={self.file('server.pem')}", "--tls"]
        said = self.crier("admin", "GetServerInfo", *flags, code=1)
        self.assertIn("token", said)
        said = self.crier("admin", "GetServerInfo", *flags, f"--token-file={self.file('ann')}")
        self.assertIn("0.0.0.0:", said)
        self.crier("top", "--once", *flags, f"--token-file={self.file('ann')}")


class OpenPortTest(TlsCase):
    """Which flags it takes for the server to start."""

    def start(self, *flags):
        """The exit code and what the server says; None: it started."""
        process = subprocess.Popen(
            [os.environ["CRIERD"], "--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0",
             "--admin_listen=0.0.0.0:0", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            line = process.stdout.readline()
            if not line:
                return process.wait(support.DEADLINE), process.stderr.read()
            self.assertIn(" ready ", line)
            return None, ""
        finally:
            process.terminate()
            process.communicate(timeout=support.DEADLINE)

    def test_it_takes_tls_and_keys(self):
        Path(self.file("secret")).write_text("s" * 64, encoding="utf-8")
        tls = [f"--tls_cert={self.file('server.pem')}", f"--tls_key={self.file('server.key')}"]
        keys = [f"--auth_keys={self.file('secret')}"]
        for flags in [[], tls, keys]:
            with self.subTest(flags):
                code, said = self.start(*flags)
                self.assertIn(code, [1, 2])
                self.assertIn("0.0.0.0:0", said)
                self.assertIn("--insecure", said)
        for flags in [tls + keys, ["--insecure"]]:
            with self.subTest(flags):
                self.assertEqual(self.start(*flags)[0], None)


if __name__ == "__main__":
    support.require("openssl", "grpcurl", "curl")
    support.main()
