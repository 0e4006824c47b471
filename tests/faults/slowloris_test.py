"""Clients that send a byte now and then, wherever a client has to say who it is before it may stay: each is
ended after the time of the handshake, and what it held is given back. Healthy clients on every dialect are
served meanwhile."""

import asyncio
import itertools
import os
import ssl
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import faults
import support
from dialects import DIALECTS
from history import History

HANDSHAKE = 3  # seconds
PAUSE = 0.2  # between two bytes
EACH = 10  # connections of each kind

HTTP_HEAD = b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + b"x" * 1000
UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
POST = (b"POST /crier.v1.Messaging/Publish HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def frame_head(kind, flags, size):
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", 1)


# A field whose name has 1000 bytes (RFC 7541, sections 5.1 and 6.2.2), and the frames that it comes in.
FIELD = b"\0" + bytes([127, 873 & 127 | 128, 873 >> 7]) + b"a" * 1000
HEADERS = frame_head(1, 4, 1200)
UNFINISHED_HEADERS = frame_head(1, 0, 1) + FIELD[:1]
CONTINUATIONS = [frame_head(9, 0, 1) + FIELD[at:at + 1] for at in range(1, len(FIELD))]


def client_hello():
    """The first thing that a client of TLS says."""
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


class Slow:
    """One kind of attack: `port` is http or grpc; `at_once` is sent first, then a part after each pause."""

    def __init__(self, name, port, at_once, parts, tls=None):
        self.name, self.port, self.at_once, self.tls = name, port, at_once, tls
        self.parts = [bytes([part]) for part in parts] if isinstance(parts, bytes) else parts

    async def run(self, server):
        """Seconds until the server ended it."""
        host, port = getattr(server, self.port).rsplit(":", 1)
        begin = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection(
                host, int(port), ssl=self.tls, server_hostname="localhost" if self.tls else None)
        except OSError:  # the machine is so busy that TLS's own handshake took too long
            return time.monotonic() - begin
        ended = asyncio.create_task(self._read_all(reader))
        try:
            writer.write(self.at_once)
            for part in itertools.chain(self.parts, itertools.repeat(b"")):
                await asyncio.wait({ended}, timeout=PAUSE)
                taken = time.monotonic() - begin
                if ended.done():
                    return taken
                if taken > faults.DEADLINE:
                    raise AssertionError(f"{self.name}: not ended after {faults.DEADLINE} s")
                writer.write(part)
        finally:
            ended.cancel()
            writer.transport.abort()

    @staticmethod
    async def _read_all(reader):
        try:
            while await reader.read(1 << 16):
                pass
        except OSError:
            pass


def on_both(tls=None):
    """What is slow on plain connections, and the same inside of TLS."""
    http = tls and tls("http/1.1")
    grpc = tls and tls("h2")
    return [
        Slow("a head", "http", b"", HTTP_HEAD, http),
        Slow("an upgrade", "http", UPGRADE, b"X-Filler: " + b"x" * 1000, http),
        Slow("the body of a unary call", "http", POST, b'{"message":{"body":"' + b"x" * 900, http),
        Slow("HTTP/2's preface", "grpc", b"", PREFACE, grpc),
        Slow("half a block of HEADERS", "grpc", PREFACE + SETTINGS + HEADERS, FIELD, grpc),
        Slow("CONTINUATION after CONTINUATION", "grpc", PREFACE + SETTINGS + UNFINISHED_HEADERS,
             CONTINUATIONS, grpc),
    ]


class SlowlorisTest(faults.FaultCase):
    async def check(self, server, attacks):
        peers = [self.peer(f"healthy-{dialect}", dialect, server, History()) for dialect in DIALECTS]
        await faults.ready(peers)
        before = await asyncio.to_thread(self.held, server)
        rss = faults.status_kib(server, "VmRSS")
        end = time.monotonic() + faults.SECONDS
        while True:
            attack = asyncio.gather(*[slow.run(server) for slow in attacks for _ in range(EACH)],
                                    return_exceptions=True)
            slowest, trips = 0, 0
            while not attack.done():
                for peer in peers:
                    begin = time.monotonic()
                    await asyncio.wait_for(peer.round_trip(), faults.DEADLINE)
                    slowest = max(slowest, time.monotonic() - begin)
                    trips += 1
                await asyncio.sleep(0.02)
            times = attack.result()
            for at, slow in enumerate(attacks):
                own = times[at * EACH:(at + 1) * EACH]
                for result in own:
                    if isinstance(result, BaseException):
                        raise result
                # Not by an error, which would come at once.
                self.assertGreater(min(own), 0.8 * HANDSHAKE, slow.name)
                print(f"{slow.name}: ended after {min(own):.1f} to {max(own):.1f} s", flush=True)
            print(f"healthy clients: {trips} round trips, the slowest {slowest * 1e3:.0f} ms",
                  flush=True)
            if time.monotonic() >= end:
                break
        held = {}

        async def given_back():
            held.update(await asyncio.to_thread(self.held, server))
            return held["descriptors"] <= before["descriptors"] and \
                held["bytes"] <= before["bytes"] + (64 << 10)
        await faults.until(lambda: f"{held} to come back to {before}", given_back)
        # The allocator may keep some; a leak would grow with each wave.
        self.assertLess(faults.status_kib(server, "VmRSS"), rss + (24 << 10))
        for peer in peers:
            self.assertEqual(peer.sessions, 1, f"{peer.name} lost its session: {peer.last_end}")
            await peer.stop()

    @staticmethod
    def held(server):
        # The answer to the question is one of the connections.
        return {"bytes": faults.metrics(server, "crier_memory_bytes"),
                "descriptors": faults.descriptors(server)}

    async def test_plain(self):
        with support.Crierd(f"--handshake_timeout={HANDSHAKE}s", "--log_level=off") as server:
            await self.check(server, [*on_both(), Slow("nothing at all (http)", "http", b"", []),
                                      Slow("nothing at all (grpc)", "grpc", b"", [])])

    async def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                 "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key",
                 "-out", "cert"], cwd=folder, check=True, capture_output=True)
            trust = os.path.join(folder, "cert")

            def tls(protocol):
                context = ssl.create_default_context(cafile=trust)
                context.set_alpn_protocols([protocol])
                return context
            hello = client_hello()
            self.assertGreater(len(hello) * PAUSE, 10 * HANDSHAKE)
            with support.Crierd(f"--handshake_timeout={HANDSHAKE}s", "--log_level=off",
                                f"--tls_cert={trust}", f"--tls_key={Path(folder) / 'key'}") as crierd:
                crierd.trust = trust
                crierd.get = lambda path: self.get(crierd, path, trust)
                await self.check(crierd, [
                    Slow("TLS's handshake (http)", "http", b"", hello),
                    Slow("TLS's handshake (grpc)", "grpc", b"", hello),
                    Slow("half of it at once, then nothing", "http", hello[:100], []),
                    *on_both(tls)])

    @staticmethod
    def get(crierd, path, trust):
        with urllib.request.urlopen(
                f"https://{crierd.http}{path}", timeout=faults.DEADLINE,
                context=ssl.create_default_context(cafile=trust)) as answer:
            return answer.read().decode()


if __name__ == "__main__":
    unittest.main(verbosity=2)
