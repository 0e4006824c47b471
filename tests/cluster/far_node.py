"""A place for a node that is on another machine, as far as networks go: a namespace with two networks to it,
one for Redis and one for clients. Each of them can be cut: then nothing passes any more, and nobody is told.
The test itself has to run in a namespace (tests/faults/namespaces.py)."""

from nodes import Node  # sets the paths of the next ones
import faults  # pylint: disable=unused-import
from namespaces import Namespace, ip


_HERE, _THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"  # on each network


class Network:
    """A bridge here, with a cable into the other namespace. `here`, `there`: the addresses of its ends."""

    def __init__(self, name, net, there):
        self.here, self.there = f"{net}.1", f"{net}.2"
        self._bridge, self._port = f"{name}-bridge", f"{name}-port"
        ip("link", "add", self._bridge, "address", _HERE, "type", "bridge")
        ip("link", "set", self._bridge, "up")
        ip("addr", "add", f"{self.here}/24", "dev", self._bridge)
        ip("link", "add", self._port, "type", "veth", "peer", "name", name, "address", _THERE)
        ip("link", "set", name, "netns", there.pid)
        there.ip("addr", "add", f"{self.there}/24", "dev", name)
        there.ip("link", "set", name, "up")
        ip("link", "set", self._port, "up")
        # Neither asks for the other: so no answer is missed, and no host counts as gone, as behind a router.
        ip("neigh", "add", self.there, "lladdr", _THERE, "dev", self._bridge, "nud", "permanent")
        there.ip("neigh", "add", self.here, "lladdr", _HERE, "dev", name, "nud", "permanent")
        self.heal()

    def cut(self):
        ip("link", "set", self._port, "nomaster")

    def heal(self):
        ip("link", "set", self._port, "master", self._bridge)

    def close(self):
        ip("link", "del", self._port)
        ip("link", "del", self._bridge)


class FarPlace:
    """`redis` and `clients` are its networks. Use it once."""

    def __init__(self):
        self.namespace = Namespace()
        self.namespace.ip("link", "set", "lo", "up")
        self.redis = Network("redis", "10.9.7", self.namespace)
        self.clients = Network("clients", "10.9.8", self.namespace)
        # Of a Redis that it can reach.
        self.redis_flags = ("--bind", "127.0.0.1", self.redis.here, "--protected-mode", "no")
        self.node = None

    def begin(self, number, redis, *flags):
        """The node: administrators reach it from its own machine only."""
        self.node = Node(number, f"redis://{self.redis.here}:{redis.port}", *flags, "--insecure",
                         f"--http_listen={self.clients.there}:0", f"--grpc_listen={self.clients.there}:0",
                         before=self.namespace.enter)
        return self.node

    def cut(self):
        """From everything."""
        self.node.away = True
        self.redis.cut()
        self.clients.cut()

    def heal(self):
        self.redis.heal()
        self.clients.heal()
        self.node.away = False

    def close(self):
        self.redis.close()
        self.clients.close()
        self.namespace.close()
