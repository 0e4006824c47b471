"""The flags of docs/hardening: a real server starts with them, lets in who has a token, and nobody else."""

import asyncio
import base64
import json
import os
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

import support
import websockets

FLAGS = Path(__file__).resolve().parents[2] / "docs/hardening/crier.flags"


class HardeningTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-days", "1", "-subj", "/CN=localhost", "-addext",
                     "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "privkey.pem",
                     "-out", "fullchain.pem")
        # A key set of one secret, as an identity provider of one's own might have.
        secret = b"a secret of more than the 32 bytes that HS256 asks for"
        (self.folder / "secret").write_bytes(secret)
        encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        (self.folder / "jwks.json").write_text(json.dumps(
            {"keys": [{"kty": "oct", "alg": "HS256", "kid": "one", "k": encoded}]}))
        text = FLAGS.read_text(encoding="utf-8").replace("/etc/crier/", f"{self.folder}/")
        self.flags = self.folder / "crier.flags"
        self.flags.write_text(text, encoding="utf-8")
        self.trust = ssl.create_default_context(cafile=self.folder / "fullchain.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, check=True,
                       timeout=support.DEADLINE)

    def token(self, *arguments):
        return subprocess.run(
            [os.environ["CRIER"], "token", "make", f"--key={self.folder}/secret", "--alg=HS256",
             "--kid=one", "--sub=alice", "--aud=chat.example.org", *arguments],
            capture_output=True, text=True, check=True, timeout=support.DEADLINE).stdout.strip()

    def test_the_flags_are_right(self):
        done = subprocess.run(
            [os.environ["CRIERD"], "--check", f"--flagfile={self.flags}"], capture_output=True,
            text=True, timeout=support.DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_who_has_a_token_comes_in_and_nobody_else(self):
        log = self.enterContext(open(self.folder / "log", "w+", encoding="utf-8"))
        # As in the file, but for the ports.
        crierd = self.enterContext(support.Crierd(
            f"--flagfile={self.flags}", "--http_listen=0.0.0.0:0", "--grpc_listen=0.0.0.0:0",
            "--admin_listen=127.0.0.1:0",
            stderr=log))
        self.assertNotIn("--insecure", (self.folder / "log").read_text())
        port = crierd.http.rsplit(":", 1)[1]
        url = f"wss://127.0.0.1:{port}/ws"
        token = self.token("--publish=chat.*", "--subscribe=chat.*")

        async def talk():
            async with websockets.connect(
                    url, ssl=self.trust,
                    extra_headers={"Authorization": f"Bearer {token}"}) as session:
                await session.send(json.dumps(
                    {"action_type": "subscribe", "topic": "chat.one", "id": "s"}))
                self.assertEqual(json.loads(await session.recv())["action_type"], "ack")
                await session.send(json.dumps(
                    {"action_type": "broadcast", "topic": "chat.one", "body": "hello"}))
                said = json.loads(await session.recv())
                self.assertEqual((said["user_id"], said["body"]), ("alice", "hello"))
                await session.send(json.dumps(
                    {"action_type": "broadcast", "topic": "other", "body": "hello"}))
                self.assertEqual(json.loads(await session.recv())["data"], "PERMISSION_DENIED")
            with self.assertRaises(websockets.WebSocketException):
                async with websockets.connect(
                        url, ssl=self.trust,
                        extra_headers={"Authorization": f"Bearer {token}x"}) as session:
                    await session.recv()
        asyncio.run(talk())
        self.assertNotIn(token, (self.folder / "log").read_text())


if __name__ == "__main__":
    support.main()
