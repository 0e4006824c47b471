"""Tokens that PyJWT makes, of keys that openssl makes, against the server; and those of `crier token`
against PyJWT and the server."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import support

try:
    import jwt
    import jwt.algorithms
except ImportError:
    print("skipped: PyJWT is missing (python3-jwt, of scripts/setup --tests)")
    sys.exit(support.SKIPPED)

KINDS = {
    "RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "EdDSA": ["-algorithm", "ED25519"],
}
SECRETS = ["HS256", "HS384", "HS512"]
ALGORITHMS = [*SECRETS, *KINDS]
PUBLISH = json.dumps({"message": {"actionType": "BROADCAST", "topic": "news", "body": "hello"}})


def run(*command, **options):
    return subprocess.run(command, capture_output=True, check=True, **options).stdout


def publish(crierd, token):
    """The status of HTTP that a publish with this token gets."""
    request = urllib.request.Request(
        f"http://{crierd.http}/crier.v1.Messaging/Publish", data=PUBLISH.encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=support.DEADLINE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class TokensTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        secret = self.folder / "secret"
        secret.write_text("s" * 64 + "\n")
        self.signing = {name: secret for name in SECRETS}
        self.verifying = {name: "s" * 64 for name in SECRETS}
        files = [secret]
        for name, options in KINDS.items():
            private, public = self.folder / f"{name}.pem", self.folder / f"{name}.pub"
            private.write_bytes(run("openssl", "genpkey", *options))
            public.write_bytes(run("openssl", "pkey", "-pubout", input=private.read_bytes()))
            self.signing[name] = private
            self.verifying[name] = public.read_text()
            files.append(public)
        self.flag = "--auth_keys=" + ",".join(map(str, files))

    def of_pyjwt(self, algorithm, **claims):
        key = self.signing[algorithm].read_text().removesuffix("\n" if algorithm in SECRETS else "")
        claims = {"sub": "alice", "exp": int(time.time()) + 600, "crier.publish": ["news"], **claims}
        return jwt.encode(claims, key, algorithm=algorithm)

    def of_tool(self, algorithm):
        return run(os.environ["CRIER"], "token", "make", "--key", self.signing[algorithm],
                   "--alg", algorithm, "--sub", "alice", "--publish", "news", text=True).strip()

    def test_each_algorithm(self):
        with support.Crierd(self.flag) as crierd:
            for algorithm in ALGORITHMS:
                with self.subTest(algorithm):
                    self.assertEqual(publish(crierd, self.of_pyjwt(algorithm)), 200)
                    token = self.of_tool(algorithm)
                    self.assertEqual(publish(crierd, token), 200)
                    read = jwt.decode(token, self.verifying[algorithm], algorithms=[algorithm])
                    self.assertEqual(read["crier.publish"], ["news"])

    def test_what_is_refused(self):
        with support.Crierd(self.flag) as crierd:
            for claims, status in [({"exp": int(time.time()) - 60}, 401),
                                   ({"nbf": int(time.time()) + 60}, 401),
                                   ({"aud": "somebody"}, 401),
                                   ({"crier.publish": ["chat"]}, 403),
                                   ({"crier": {"publish": ["news"]}}, 401)]:
                with self.subTest(claims=claims):
                    self.assertEqual(publish(crierd, self.of_pyjwt("ES256", **claims)), status)
            unsigned = jwt.encode({"sub": "alice", "exp": 4000000000}, None, algorithm="none")
            self.assertEqual(publish(crierd, unsigned), 401)

    def test_a_jwks_that_pyjwt_makes(self):
        keys = []
        for name in KINDS:
            algorithm = jwt.algorithms.get_default_algorithms()[name]
            public = algorithm.prepare_key(self.verifying[name])
            keys.append({**json.loads(algorithm.to_jwk(public)), "kid": name, "use": "sig"})
        jwks = self.folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": keys}))
        with support.Crierd(f"--auth_jwks={jwks}") as crierd:
            for name in KINDS:
                with self.subTest(name):
                    self.assertEqual(publish(crierd, self.of_pyjwt(name)), 200)
            self.assertEqual(publish(crierd, self.of_pyjwt("HS256")), 401)

    def test_bench_gives_a_token(self):
        token = self.folder / "token"
        token.write_bytes(run(
            os.environ["CRIER"], "token", "make", "--key", self.signing["ES256"], "--alg", "ES256",
            "--sub", "alice", "--publish", ",**", "--subscribe", ",**"))

        def bench(mode, *arguments):
            return subprocess.run(
                [os.environ["CRIER"], "bench", mode, "--clients=5", "--rate=50", "--duration=500ms",
                 *arguments], capture_output=True, text=True, timeout=2 * support.DEADLINE, check=False)

        with support.Crierd(self.flag) as crierd:
            for server in [f"--url=ws://{crierd.http}/ws", f"--grpc={crierd.grpc}"]:
                for mode in ["fanout", "direct"]:
                    with self.subTest(server=server, mode=mode):
                        done = bench(mode, server, f"--token-file={token}")
                        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                        self.assertNotEqual(bench(mode, server).returncode, 0)
            wrong = bench("fanout", f"--token-file={self.folder / 'nothing'}")
            self.assertEqual(wrong.returncode, 2)
            self.assertIn("no token", wrong.stderr)


if __name__ == "__main__":
    support.require("openssl")
    support.main()
