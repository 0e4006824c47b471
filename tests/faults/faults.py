"""What the tests of faults share: how long and how strict they are, waiting, and load.

From the environment (scripts/faults sets them):
  FAULTS_SEED     where random choices begin (default: 1)
  FAULTS_SECONDS  how long a case goes on (default: its short form, for CI)
  FAULTS_FULL     1: faults of a cluster last as long as in operation (cluster_long_faults_test.py)
  FAULTS_STRICT   1: limits of time are those of a quiet machine
  FAULTS_DEADLINE seconds that any condition may take (default: 30, for CI's shared machine)
"""

import asyncio
import os
import random
import sys
import tempfile
import time
import unittest
from pathlib import Path

from peer import Peer

# For tests that import `support` after this.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

# Everything is on this machine.
for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]

SEED = int(os.environ.get("FAULTS_SEED", "1"))
SECONDS = float(os.environ.get("FAULTS_SECONDS", "0"))
FULL = os.environ.get("FAULTS_FULL") == "1"
STRICT = os.environ.get("FAULTS_STRICT") == "1"
DEADLINE = float(os.environ.get("FAULTS_DEADLINE", "30"))


def chance(what):
    """A source of random choices that is the same for the same seed."""
    return random.Random(f"{SEED} {what}")


def pid_path(server, name):
    return Path(f"/proc/{server.process.pid}/{name}")


def descriptors(server):
    return len(os.listdir(pid_path(server, "fd")))


def status_kib(server, name):
    """A line of /proc/PID/status, such as VmRSS."""
    for line in pid_path(server, "status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {name}")


def metrics(server, prefix):
    """The sum of all metrics whose names begin so."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in server.get("/metrics").splitlines()
               if line.startswith(prefix))


async def until(what, condition):
    """Waits until condition() is true, which may be a coroutine function, and returns what it gave."""
    end = time.monotonic() + DEADLINE
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            try:
                value = await asyncio.wait_for(value, end - time.monotonic())
            except asyncio.TimeoutError:
                value = None
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE} s in vain: {what() if callable(what) else what}")
        await asyncio.sleep(0.01)


class Load:
    """Peers that publish to their topics, and now and then to each other, each about `rate` messages a
    second, as long as they have a session. One in ten is sent twice with the same id."""

    def __init__(self, peers, rate, seed):
        self.peers, self.rate, self.chance = peers, rate, seed
        self._on = True
        self._tasks = [asyncio.create_task(self._publish(peer)) for peer in peers]

    async def _publish(self, peer):
        while self._on:
            await asyncio.sleep(self.chance.expovariate(self.rate))
            # A sender that waits for answers: what is open is bounded.
            if len(peer.open) < 50:
                direct = self.chance.random() < 0.2
                await peer.publish("" if direct else self.chance.choice(peer.topics),
                                   to=self.chance.choice(self.peers).name if direct else None,
                                   repeat=2 if self.chance.random() < 0.1 else 1,
                                   padding=self.chance.choice([0, 10, 1000]))

    async def stop(self):
        self._on = False
        await asyncio.gather(*self._tasks)


async def ready(peers):
    def waiting():
        for peer in peers:
            if peer.problem:
                raise peer.problem
        return [f"{peer.name} ({peer.last_end})" for peer in peers if not peer.ready.is_set()]
    await until(lambda: f"sessions of {', '.join(waiting())}", lambda: not waiting())


async def settle(peers, history):
    """Waits until nothing is on its way any more: every answer came, each peer stands at the last offset
    that any peer knows of, and direct messages have arrived. Where that does not come, the history tells
    what is wrong. All peers write into `history`."""
    seen, last, targets = 0, {}, {}  # topic -> its last place that was acked
    due, arrived, broken = set(), set(), set()  # direct messages: (client, message); clients

    def look():
        nonlocal seen
        for kind, client, *fields in history.records[seen:]:
            if kind == "sent":
                targets[fields[0]] = fields[2]
            elif kind == "acked":
                message, topic, epoch, offset, recipients = fields
                if offset > 0:
                    last[topic] = max(last.get(topic, (epoch, offset)), (epoch, offset))
                elif recipients > 0:
                    due.add((targets[message], message))
            elif kind == "direct":
                arrived.add((client, fields[0]))
            elif kind in ("ended", "mailbox_gap"):
                broken.add(client)
        seen = len(history.records)

    def settled():
        look()
        heads = dict(last)
        for peer in peers:
            if peer.problem:
                raise peer.problem
            for topic, place in peer.places.items():
                heads[topic] = max(heads.get(topic, place), place)
        return all(client in broken for client, _ in due - arrived) and all(
            peer.ready.is_set() and not peer.open and
            all(peer.places.get(topic, heads.get(topic)) == heads.get(topic)
                for topic in peer.topics) for peer in peers)
    try:
        await until("everything to arrive", settled)
    except AssertionError:
        pass
    for peer in peers:
        peer.finish()


class FaultCase(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)  # the test case switches it on, and it is slow
        self._peers = []

    async def asyncTearDown(self):
        for peer in self._peers:  # those of a test that has failed
            await peer.abandon()

    def peer(self, *arguments, **more):
        """A Peer that does not outlive the test."""
        self._peers.append(Peer(*arguments, **more))
        return self._peers[-1]

    def assert_right(self, history):
        """Nothing is lost untold, duplicated, reordered or invented. Says what was counted; a history
        with a fault is kept in a file."""
        verdict = history.check()
        words = ", ".join(f"{kind} {history.count(kind)}"
                          for kind in ("sent", "acked", "received", "direct", "gap", "ended"))
        print(f"history: {words}: {str(verdict).splitlines()[0]}", flush=True)
        if not verdict.clean:
            with tempfile.NamedTemporaryFile("w", prefix="history-", delete=False) as file:
                history.save(file.name)
            self.fail(f"{verdict}\nThe history is in {file.name}; tests/faults/history.py checks it")
