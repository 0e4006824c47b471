"""A cluster under load, for tests of faults: three nodes, each behind a link of its own to one Redis;
clients in every dialect, which move between the nodes; and what can be done to all that."""

import asyncio
import collections
import contextlib
import random
import tempfile

from nodes import AnyNode, Cluster  # sets the paths of the next ones
import faults
from cluster_history import ClusterHistory
from cluster_peer import ClusterPeer
from dialects import DIALECTS
from link import Link
from redis_server import Redis

TOPICS = ["", "room-1", "room-2"]
TIMEOUT_MS = 500  # --cluster_timeout: faults take a second or two, not a minute


class Field:
    """Use with `async with await Field.open(seed)`."""

    @classmethod
    async def open(cls, seed, count=3, peers=1, rate=25, flags=(), timeout_ms=TIMEOUT_MS, far=None,
                   silence=None):
        """peers: of each dialect at each node, as its own; and one of each that goes anywhere. silence: as
        a Peer has it. far: a place for one more node (far_node.py), which no link leads to."""
        field = cls()
        field.chance = random.Random(f"{seed} field")
        field.history = ClusterHistory()
        field.evicts = field.forgets = field.overtakes = False  # what Redis was made to do
        field._locks = collections.defaultdict(asyncio.Lock)
        field.links, field.peers, field.cluster, field.load = [], [], None, None
        field.masters = []
        redis = Redis(*far.redis_flags) if far else Redis()
        try:
            field.links = [await Link.open(redis.port) for _ in range(count)]
            # Its start waits for an answer that passes through a link, which this loop has to serve.
            field.cluster = await asyncio.to_thread(
                Cluster, count, redis, [link.url for link in field.links],
                (f"--cluster_timeout={timeout_ms}ms", *flags), far)
            field._add_peers(peers, silence)
            await faults.ready(field.peers)
            field.load = faults.Load(field.peers, rate, random.Random(f"{seed} load"))
        except BaseException:
            redis.stop()
            await field.close()
            raise
        return field

    def _add_peers(self, peers, silence):
        servers = [(f"n{node.number}", node) for node in self.nodes] * peers
        servers.append(("any", AnyNode(self.nodes, random.Random(self.chance.random()))))
        for number, (name, server) in enumerate(servers):
            # Not each dialect at each node: two cores have to be enough.
            for dialect in DIALECTS if name == "any" else [DIALECTS[(number + k) % 4] for k in (0, 2)]:
                self.peers.append(ClusterPeer(f"{name}-{dialect}-{number}", dialect, server,
                                              self.history, TOPICS, silence=silence))

    @property
    def nodes(self):
        return self.cluster.nodes

    @property
    def redis(self):
        return self.cluster.redis

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        if self.load:
            self.load._on = False
        for peer in self.peers:
            await peer.abandon()
        if self.load:
            await asyncio.gather(*self.load._tasks, return_exceptions=True)
        for link in self.links:
            await link.close()
        if self.cluster:
            self.cluster.close()
        for redis in self.masters:
            redis.stop()

    # --- Waiting.

    async def acks(self, count):
        """So many more acks have come."""
        acked = self.history.count("acked")
        await faults.until(lambda: f"{count} acks: {self.state()}",
                           lambda: self.history.count("acked") >= acked + count)

    async def connected(self):
        """Every node says that Redis is there."""
        async def all_are():
            for node in self.nodes:
                if not await asyncio.to_thread(node.connected):
                    return False
            return True
        await faults.until(lambda: f"nodes to be connected: {self.state()}", all_are)

    def state(self):
        return "; ".join(f"node {node.number}: {node.lines()[-1:]}" for node in self.nodes)

    async def finish(self):
        """No more load; waits until all has come; judges. Returns the verdict."""
        await self.load.stop()
        await self.connected()
        with contextlib.suppress(AssertionError):
            await faults.until("all to be acked", lambda: not any(
                peer.unsettled for peer in self.peers))
        await faults.settle(self.peers, self.history)
        for peer in self.peers:
            await peer.stop()
        return await asyncio.to_thread(self.history.check, self.evicts, self.forgets,
                                       self.overtakes)

    async def judge(self, name):
        """finish(), and says what was counted. Raises where the history is not right; it is in a file then.
        Returns what clients were told of, counted."""
        verdict = await self.finish()
        print(f"{name}: {self.words(verdict)}", flush=True)
        if not verdict.clean:
            with tempfile.NamedTemporaryFile("w", prefix="history-", delete=False) as file:
                self.history.save(file.name)
            raise AssertionError(f"{verdict}\nThe history is in {file.name}")
        return self.history.told()

    def words(self, verdict):
        """What was counted, in one line."""
        counted = ", ".join(f"{kind} {self.history.count(kind)}" for kind in
                            ("sent", "acked", "received", "direct", "gap", "ended"))
        told = ", ".join(f"{reason} {count}" for reason, count in
                         sorted(self.history.told().items())) or "nothing"
        return (f"{counted}; told {told}; again {verdict.again}: "
                f"{str(verdict).splitlines()[0]}")

    # --- What can be done to it. Each undoes itself within a second or two.

    async def do(self, name):
        """One of FAULTS. Those of the same kind wait for each other."""
        async with self._locks[FAULTS[name]]:
            await getattr(self, name)()

    def _one(self):
        return self.chance.choice([node for node in self.nodes if node.up])

    async def _a_while(self, least, most):
        await asyncio.sleep(self.chance.uniform(least, most))

    async def kill_node(self):
        node = self._one()
        node.kill()
        await self._a_while(0, 0.5)
        await asyncio.to_thread(node.begin)

    async def restart_node(self):
        """As an operator does."""
        node = self._one()
        node.up = False
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(node.begin)

    async def stop_node(self):
        node = self._one()
        node.pause()
        await self._a_while(0.1, 2.5)
        node.resume()

    async def cut_node(self):
        """Half of the time, what was on its way is lost too."""
        link = self.chance.choice(self.links)
        loses = self.chance.random() < 0.5
        link.cut()
        await self._a_while(0.1, 2)
        if loses:
            link.lose()
        link.heal()

    async def break_link(self):
        self.chance.choice(self.links).lose()

    async def kill_clients(self):
        """Redis ends all connections of a kind."""
        self.redis.call("CLIENT", "KILL", "TYPE", self.chance.choice(["normal", "pubsub"]))

    async def stop_redis(self):
        self.redis.pause()
        await self._a_while(0.1, 1.5)
        self.redis.resume()

    async def empty_redis(self):
        self.forgets = True
        self.redis.kill()
        await self._a_while(0, 0.5)
        await asyncio.to_thread(self.redis.start)

    async def fill_redis(self):
        """It says OOM for a while."""
        self.redis.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.redis.call("CONFIG", "SET", "maxmemory", 1)
        await self._a_while(0.1, 1)
        self.redis.call("CONFIG", "SET", "maxmemory", 0)

    async def evict(self):
        self.evicts = True
        self.redis.call("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
        used = int(self.redis.info("used_memory"))
        for _ in range(self.chance.randint(1, 20)):
            # Something goes with each look at it.
            self.redis.call("CONFIG", "SET", "maxmemory", used - 1000)
            await self._a_while(0, 0.1)
            used = int(self.redis.info("used_memory"))
        self.redis.call("CONFIG", "SET", "maxmemory", 0)

    async def forget_scripts(self):
        self.overtakes = True
        for _ in range(self.chance.randint(1, 5)):
            self.redis.call("SCRIPT", "FLUSH")
            await self._a_while(0, 0.05)

    async def flush_redis(self):
        self.forgets = True
        self.redis.call("FLUSHALL")

    async def restore_redis(self):
        """It begins again with what it had saved a while ago."""
        self.forgets = True
        self.redis.call("SAVE")
        await self.acks(self.chance.randint(1, 60))
        self.redis.kill()
        await asyncio.to_thread(self.redis.start)
        self.redis.forget_data()

    async def fail_over(self):
        """To a replica that lags: it has not what came last. The address moves; nobody says a word."""
        self.forgets = True
        old = self.redis
        new = await asyncio.to_thread(Redis)
        new.call("REPLICAOF", "127.0.0.1", old.port)
        await faults.until("the replica", lambda: new.info("master_link_status") == "up")
        # What it has from now on is old.
        new.call("REPLICAOF", "NO", "ONE")
        await self.acks(self.chance.randint(1, 60))
        old.kill()
        self.cluster.redis = new
        self.masters.append(old)
        for link in self.links:
            link.target = new.port
            link.lose()


# And what they are of.
FAULTS = {
    "kill_node": "node", "restart_node": "node", "stop_node": "node",
    "cut_node": "link", "break_link": "link",
    "kill_clients": "redis", "stop_redis": "redis", "empty_redis": "redis", "fill_redis": "redis",
    "evict": "redis", "flush_redis": "redis", "forget_scripts": "redis", "restore_redis": "redis",
    "fail_over": "redis"}
