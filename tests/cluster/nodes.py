"""Nodes of a cluster: crierd processes on one Redis, which may be killed, stopped, cut off, and come back."""

import os
import random
import signal
import sys
import tempfile
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
os.environ.setdefault("CRIERD", str(_TESTS.parent / "build/release/bin/crierd"))
sys.path[:0] = [str(_TESTS / "e2e"), str(_TESTS / "faults")]

import support  # pylint: disable=wrong-import-position
from redis_server import PROGRAM, Redis  # pylint: disable=wrong-import-position


def main():
    """Of a test's program: runs it, or skips it where Redis is not there."""
    support.require(PROGRAM)
    support.main()


class Node:
    """One place of the cluster: a server, and after kill() and begin() the next one. `http`, `grpc` and
    `admin` are where the present one is; `up`: there is one; `away`: no client reaches it."""

    def __init__(self, number, url, *flags, before=()):
        """before: a command that runs it, such as nsenter."""
        self.number, self.url, self.flags, self.before = number, url, flags, before
        self.log = tempfile.NamedTemporaryFile(prefix=f"crier-node-{number}-")
        self.crierd, self.up, self.paused, self.away = None, False, False, False
        self.begin()

    def begin(self):
        self.crierd = support.Crierd(f"--cluster_url={self.url}", "--shards=2", *self.flags,
                                     stderr=self.log, before=self.before)
        self.http, self.grpc, self.admin = self.crierd.http, self.crierd.grpc, self.crierd.admin
        self.up, self.paused = True, False

    def lines(self):
        """What it has logged."""
        return Path(self.log.name).read_text(encoding="utf-8").splitlines()

    def get(self, path):
        return self.crierd.get(path)

    def metric(self, name):
        return self.crierd.metric(name)

    def connected(self, server=None):
        """What the metric says of the cluster's only server."""
        return any(line.startswith("crier_cluster_connected{") and line.endswith(" 1")
                   for line in self.get("/metrics").splitlines())

    def pause(self):
        os.kill(self.crierd.process.pid, signal.SIGSTOP)
        self.paused = True

    def resume(self):
        os.kill(self.crierd.process.pid, signal.SIGCONT)
        self.paused = False

    def kill(self):
        self.up = False
        self.crierd.kill()

    def stop(self):
        """As an operator does. A second time it does nothing."""
        self.up = False
        self.crierd.stop()

    def close(self):
        """For good, whatever state it is in."""
        if not self.crierd.process.stdout.closed:
            self.crierd.kill()
        self.log.close()


class AnyNode:
    """Where a client goes that does not care: another node each time, by its own chance, as behind a load
    balancer. For dialects.py."""

    def __init__(self, nodes, chance):
        self.nodes, self.chance = nodes, chance

    def _one(self):
        there = [node for node in self.nodes
                 if node.up and not node.paused and not node.away] or self.nodes
        return self.chance.choice(there)

    @property
    def http(self):
        return self._one().http

    @property
    def grpc(self):
        return self._one().grpc


class Cluster:
    """`count` nodes and one Redis. urls: where each node has its Redis, instead of at redis.address. far: a
    place for one more node (far_node.py)."""

    def __init__(self, count=3, redis=None, urls=None, flags=(), far=None):
        self.redis = redis or Redis()
        self.nodes = []
        try:
            for number in range(count):
                url = urls[number] if urls else f"redis://{self.redis.address}"
                self.nodes.append(Node(number + 1, url, *flags))
            if far:
                self.nodes.append(far.begin(count + 1, self.redis, *flags))
        except BaseException:
            self.close()
            raise

    def any(self, seed=0):
        return AnyNode(self.nodes, random.Random(seed))

    def close(self):
        for node in self.nodes:
            node.close()
        self.redis.stop()
