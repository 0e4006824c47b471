"""A server with a small --memory_budget, under a limit of the system's (RLIMIT_DATA) that leaves it little
more, is made to keep as much as possible. It sheds what nobody uses, refuses what is new with OVERLOADED,
never dies, and serves a healthy client all the while. When the attackers have left, it takes everything
again."""

import asyncio
import itertools
import json
import resource
import socket
import struct
import time
import unittest

import faults
import support
from dialects import DIALECTS
from history import History

BUDGET = 16 << 20
# What a process of this budget may need beyond it: the program itself, what its allocator keeps, buffers of
# shards and of the kernel's interface. Counted from what it has when it is ready.
MARGIN = 24 << 20
ROUND = 4  # seconds, in the short form
# Unfinished messages of 90 KB, which nothing can make the server forget: 13 MiB.
HALVES = 150


def masked(payload):
    """A text message of a client; a mask of zeros is a mask."""
    payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    size = len(payload)
    if size < 126:
        return struct.pack("!BBI", 0x81, 0x80 | size, 0) + payload
    if size < 65536:
        return struct.pack("!BBHI", 0x81, 0xFE, size, 0) + payload
    return struct.pack("!BBQI", 0x81, 0xFF, size, 0) + payload


class Attacker:
    """A WebSocket that sends as fast as it is read from, and reads only where it says so."""

    def __init__(self, server, name, reads):
        self.server, self.name, self.reads = server, name, reads
        self.sent = 0
        self.answers = {}  # outcomes that it was told

    async def run(self, messages):
        """Sends them until it is cancelled; what ends its connection begins another one."""
        loop = asyncio.get_running_loop()
        while True:
            connection = socket.socket()
            # The kernel keeps little for it.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            reading = None
            try:
                host, port = self.server.http.rsplit(":", 1)
                await loop.sock_connect(connection, (host, int(port)))
                await loop.sock_sendall(connection, (
                    f"GET /ws?user_id={self.name} HTTP/1.1\r\nHost: localhost\r\n"
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
                if self.reads:
                    reading = asyncio.create_task(self._read(loop, connection))
                for message in messages:
                    await loop.sock_sendall(connection, message)
                    self.sent += len(message)
                    await asyncio.sleep(0)
                await asyncio.Event().wait()  # it has sent what it wanted, and holds it
            except OSError:
                await asyncio.sleep(0.05)
            finally:
                if reading:
                    reading.cancel()
                connection.close()

    async def _read(self, loop, connection):
        while data := await loop.sock_recv(connection, 1 << 16):
            for outcome in ("OVERLOADED", "TOO_MANY_TOPICS"):
                count = data.count(f'"data":"{outcome}"'.encode())
                self.answers[outcome] = self.answers.get(outcome, 0) + count


def publish(topic, body, **more):
    return masked({"action_type": "broadcast", "topic": topic, "body": body, **more})


def attacks(seed):
    """Name, whether it reads, and what it sends, without end where that is possible."""
    big, numbers = "x" * 60_000, itertools.count()

    def per_topic(body):
        return (publish(f"{seed}-topic-{next(numbers)}", body) for _ in itertools.count())

    def followed():
        """Topics that it follows and does not read: nothing of them may be forgotten."""
        yield from (masked({"action_type": "subscribe", "topic": f"{seed}-followed-{n}"})
                    for n in range(128))
        yield from (publish(f"{seed}-followed-{n % 128}", big) for n in itertools.count())

    def stale():
        """A gap each time (p07)."""
        topic = "t" * 250
        for _ in itertools.count():
            yield masked({"action_type": "subscribe", "topic": topic, "epoch": 1, "offset": 1})
            yield masked({"action_type": "unsubscribe", "topic": topic})

    def ids():
        """Ids are remembered."""
        return (publish("ids", "", id=f"{next(numbers)}".rjust(64, "i")) for _ in itertools.count())

    def to_stalled():
        """Into the mailboxes of attackers that do not read."""
        return (masked({"action_type": "direct", "to": "attacker-1", "body": big})
                for _ in itertools.count())

    def own_answers():
        return (masked({"action_type": "direct", "body": big}) for _ in itertools.count())

    def unfinished():
        """A message that does not end."""
        yield struct.pack("!BBQI", 0x81, 0xFF, 100_000, 0) + b"x" * 90_000
    return [("many small topics", True, per_topic("x")), ("many topics with long messages", True,
            per_topic(big)), ("followed topics", False, followed()), ("stale resumes", False, stale()),
            ("ids", True, ids()), ("mailboxes", True, to_stalled()), ("own answers", False,
            own_answers())] + [("unfinished messages", False, unfinished()) for _ in range(HALVES)]


class MemoryLimitTest(faults.FaultCase):
    async def test_it_refuses_and_does_not_die(self):
        server = self.enterContext(support.Crierd(
            f"--memory_budget={BUDGET}", "--log_level=off", "--shards=2"))
        limit = (faults.status_kib(server, "VmData") << 10) + BUDGET + MARGIN
        resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (limit, limit))
        print(f"RLIMIT_DATA {limit >> 20} MiB", flush=True)
        history = History()
        peers = [self.peer(f"healthy-{dialect}", dialect, server, history, ["healthy"])
                 for dialect in DIALECTS]
        await faults.ready(peers)
        load = faults.Load(peers, 5, faults.chance("memory"))
        end = time.monotonic() + faults.SECONDS
        for wave in itertools.count(1):
            await self.wave(server, peers, f"wave-{wave}")
            if time.monotonic() >= end:
                break
        await load.stop()
        await self.recovered(server, peers[0])
        await faults.settle(peers, history)
        for peer in peers:
            self.assertEqual(peer.sessions, 1, f"{peer.name} lost its session: {peer.last_end}")
            await peer.stop()
        self.assert_right(history)

    async def wave(self, server, peers, seed):
        attackers, tasks = [], []
        for number, (name, reads, messages) in enumerate(attacks(seed)):
            attackers.append(Attacker(server, f"attacker-{number % 7}", reads))
            attackers[-1].what = name
            tasks.append(asyncio.create_task(attackers[-1].run(messages)))
        most, slowest, begin = 0, 0, time.monotonic()

        def overloaded():
            return server.metric('crier_refusals_total{transport="websocket",outcome="overloaded"}')
        before = overloaded()
        refused = False
        # So long at least, and until it had to refuse.
        while time.monotonic() - begin < ROUND or not refused:
            self.assertIsNone(server.process.poll(), "the server died")
            asked = time.monotonic()
            for peer in peers:
                try:
                    await asyncio.wait_for(peer.round_trip(), faults.DEADLINE)
                except asyncio.TimeoutError:
                    self.fail(f"{peer.name} is not served any more")
            slowest = max(slowest, time.monotonic() - asked)
            kept = await asyncio.to_thread(faults.metrics, server, "crier_memory_bytes")
            most = max(most, kept)
            refused = await asyncio.to_thread(overloaded) > before
            if time.monotonic() - begin > faults.DEADLINE:
                self.fail(f"nothing was refused in {faults.DEADLINE} s; it keeps {kept} bytes")
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if not isinstance(end, asyncio.CancelledError):
                raise end
        sent = sum(attacker.sent for attacker in attackers)
        print(f"{seed}: {sent >> 20} MiB sent, at most {most / 2**20:.1f} MiB kept of "
              f"{BUDGET >> 20}, VmData {faults.status_kib(server, 'VmData') >> 10} MiB, the slowest "
              f"four round trips {slowest * 1e3:.0f} ms", flush=True)
        # What comes when the budget is used up is refused, so the last that came may reach beyond it.
        self.assertLessEqual(most, BUDGET * 9 / 8)

    async def recovered(self, server, peer):
        """New topics are taken again, with messages of the longest kind."""
        answers = peer.history.count("acked")
        for number in itertools.count(1):
            await peer.publish(f"after-{number}", padding=50_000)
            await faults.until("an answer", lambda: not peer.open)
            if peer.history.count("acked") > answers:
                return
            if number > 200:
                self.fail("it still refuses after the attackers have left")
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    unittest.main(verbosity=2)
