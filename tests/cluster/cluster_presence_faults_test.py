"""Who follows a topic over three nodes, while nodes and Redis fail: nobody stays for ever who is gone, nobody
is missing who is there, and watchers know it soon."""

import asyncio
import itertools
import time
import unittest

import nodes  # sets the paths of the next ones
from nodes import Cluster, Node
import faults
from dialects import DIALECTS
from link import Link
from listener import Crowd
from presence_case import PresenceCase
from redis_server import Redis

SOON = 10  # seconds in which what a node has missed is known to it
LEASE = 35  # what is not watched for so long, nobody reports any more
SILENCE = 16  # a node that says nothing for so long is gone
GONE = SILENCE + 5 + 5  # and this is how soon that is seen, on a busy machine


class FailingCase(PresenceCase):
    """Three nodes, each behind a link of its own."""

    timeout_ms = 500

    async def asyncSetUp(self):
        await super().asyncSetUp()
        redis = Redis()
        self.addCleanup(redis.stop)
        self.links = [await Link.open(redis.port) for _ in range(3)]
        for link in self.links:
            self.addAsyncCleanup(link.close)
        # Its start waits for an answer that passes through a link, which this loop has to serve.
        self.cluster = await asyncio.to_thread(
            Cluster, 3, redis, [link.url for link in self.links],
            (f"--cluster_timeout={self.timeout_ms}ms", "--drain_time=1s"))
        self.addCleanup(self.cluster.close)
        self.redis, self.nodes = redis, self.cluster.nodes
        self.rooms, self.there = [], set()

    async def begin(self):
        """A follower on each node, and a watcher of each dialect. `there`, `count`: users, sessions."""
        self.stays = [await self.follow(node, "json", f"stays-{node}") for node in range(3)]
        self.rooms = await asyncio.gather(*(
            self.watch(node, dialect, f"watcher-{node}-{dialect}")
            for node, dialect in itertools.product(range(3), DIALECTS)))
        self.there = {session.user for session in self.sessions}
        self.count = len(self.sessions)
        await self.all_become(self.rooms, self.there, self.count)

    def rooms_of(self, *places):
        return [room for node in places for room in self.rooms[4 * node:4 * node + 4]]

    async def connected(self):
        for node in self.nodes:
            async def there():
                return await asyncio.to_thread(node.connected)
            await faults.until(f"node {node.number} to be connected", there)

    async def disconnected(self):
        for node in self.nodes:
            async def away():
                return not await asyncio.to_thread(node.connected)
            await faults.until(f"node {node.number} to be disconnected", away)

    async def change(self):
        """On each node one comes, one goes, and one without a user comes; a user comes to all of them."""
        for node in range(3):
            await self.follow(node, "plain", f"comes-{node}")
            await self.follow(node, "grpc", "everywhere")
            await self.follow(node, "proto", "")
        await asyncio.gather(*(session.close() for session in self.stays))
        self.there |= {"everywhere"} | {f"comes-{node}" for node in range(3)}
        self.there -= {session.user for session in self.stays}
        self.count += 9 - len(self.stays)
        self.stays = []

    async def soon(self, what, rooms, seconds=SOON):
        """All know who is there, within so many seconds."""
        began = time.monotonic()
        await self.all_become(rooms, self.there, self.count)
        took = time.monotonic() - began
        print(f"{what}: known after {took:.1f} s", flush=True)
        self.assertLess(took, seconds)


class RedisFailsTest(FailingCase):
    async def test_redis_stands_still(self):
        await self.begin()
        self.redis.pause()
        await self.disconnected()
        await self.change()
        self.redis.resume()
        await self.connected()
        await self.soon("Redis stood still", self.rooms)

    async def test_redis_begins_again_empty(self):
        await self.begin()
        self.redis.kill()
        await self.disconnected()
        await self.change()
        self.redis.start()
        await self.connected()
        await self.soon("Redis began again", self.rooms)

    async def test_what_a_node_sees_itself_needs_no_redis(self):
        """While Redis is away, each watcher is told of those on its own node, and the others stay."""
        await self.begin()
        self.redis.pause()
        await self.disconnected()
        comer = await self.follow(1, "plain", "comer")
        await self.all_become(self.rooms_of(1), self.there | {"comer"}, self.count + 1)
        await comer.close()
        await self.all_become(self.rooms_of(1), self.there, self.count)
        await self.follow(1, "plain", "comer")
        # One who begins to watch is told who is here.
        late = await self.watch(2, "json", "late")
        self.there |= {"comer", "late"}
        self.count += 2
        self.redis.resume()
        await self.connected()
        await self.soon("Redis was away", [*self.rooms, late])

    async def test_who_begins_to_watch_while_redis_is_away(self):
        """It is told of its own node's followers, and of the others when Redis is back."""
        stays = [await self.follow(node, "json", f"stays-{node}") for node in range(3)]
        self.redis.kill()
        await self.disconnected()
        room = await self.watch(0, "json", "watcher")
        await room.becomes({"stays-0", "watcher"}, 2)
        self.redis.start()
        await self.connected()
        self.there, self.count = {session.user for session in stays} | {"watcher"}, 4
        await self.soon("Redis came", [room])

    async def test_nodes_connections_break(self):
        await self.begin()
        for _ in range(3):
            for link in self.links:
                link.lose()
            await self.change()
            await self.connected()
            await self.soon("connections broke", self.rooms)


class CutOffTest(FailingCase):
    async def cut(self, loses):
        await self.begin()
        self.links[1].cut()
        await self.change()
        # The others know all but what is new on the node that is cut off.
        known = (self.there | {"stays-1"}) - {"comes-1"}
        await self.all_become(self.rooms_of(0, 2), known, self.count - 2)
        if loses:
            self.links[1].lose()
        self.links[1].heal()
        await self.connected()
        await self.soon("a node was cut off", self.rooms)

    async def test_for_a_moment(self):
        await self.cut(loses=False)

    async def test_for_a_moment_and_what_was_on_its_way_is_lost(self):
        await self.cut(loses=True)

    async def test_until_it_counts_as_gone(self):
        """Both sides see each other's users go, and come again."""
        await self.begin()
        inside = {user for user in self.there if user.startswith(("stays-1", "watcher-1"))}
        self.links[1].cut()
        began = time.monotonic()
        await asyncio.gather(
            self.all_become(self.rooms_of(0, 2), self.there - inside, 10),
            self.all_become(self.rooms_of(1), inside, 5))
        took = time.monotonic() - began
        print(f"gone after {took:.1f} s", flush=True)
        self.assertLess(took, GONE)
        self.links[1].lose()
        self.links[1].heal()
        await self.connected()
        await self.soon("a node was cut off until it was gone", self.rooms)


class NodeFailsTest(FailingCase):
    async def test_a_node_is_killed(self):
        await self.begin()
        await self.follow(2, "plain", "")
        both = [await self.follow(node, "grpc", "on-both") for node in (2, 0)]
        here = {user for user in self.there if not user.startswith(("stays-2", "watcher-2"))}
        await self.all_become(self.rooms, self.there | {"on-both"}, self.count + 3)
        self.nodes[2].kill()
        began = time.monotonic()
        await self.all_become(self.rooms_of(0, 1), here | {"on-both"}, 11)
        took = time.monotonic() - began
        print(f"gone after {took:.1f} s", flush=True)
        self.assertLess(took, GONE)
        for room in self.rooms_of(0, 1):
            gone = {user for event in room.told if event.DESCRIPTOR.name == "PresenceChange"
                    for user in event.left}
            self.assertEqual(self.there - here, gone)
        await both[1].close()
        await self.all_become(self.rooms_of(0, 1), here, 10)

    async def test_a_node_is_killed_and_another_one_begins_in_its_place(self):
        await self.begin()
        inside = {user for user in self.there if user.startswith(("stays-2", "watcher-2"))}
        self.nodes[2].kill()
        await asyncio.to_thread(self.nodes[2].begin)
        # Its users come back at once, and never were away.
        for user in inside:
            await self.follow(2, "proto", user)
        began = time.monotonic()
        await self.all_become(self.rooms_of(0, 1), self.there, self.count + len(inside))
        await self.all_become(self.rooms_of(0, 1), self.there, self.count)
        print(f"the old node is gone after {time.monotonic() - began:.1f} s", flush=True)
        self.assertLess(time.monotonic() - began, GONE)
        self.assertEqual([0] * 8, [room.count("left_count") for room in self.rooms_of(0, 1)])

    async def test_a_node_begins_later(self):
        await self.begin()
        link = await Link.open(self.redis.port)
        self.addAsyncCleanup(link.close)
        node = await asyncio.to_thread(Node, 4, link.url)
        self.addCleanup(node.close)
        self.nodes.append(node)
        for dialect in DIALECTS:
            await self.follow(3, dialect, f"new-{dialect}")
        late = [await self.watch(3, dialect, f"late-{dialect}") for dialect in DIALECTS]
        self.assert_complete(late[0], self.there)
        self.there |= {f"{what}-{dialect}" for what in ("new", "late") for dialect in DIALECTS}
        self.count += 8
        await self.soon("a node began", [*self.rooms, *late])

    async def test_a_node_is_stopped(self):
        """As an operator does: its users go as they go."""
        await self.begin()
        inside = {user for user in self.there if user.startswith(("stays-2", "watcher-2"))}
        self.there -= inside
        self.count -= len(inside)
        began = time.monotonic()
        await asyncio.to_thread(self.nodes[2].stop)
        await self.all_become(self.rooms_of(0, 1), self.there, self.count)
        took = time.monotonic() - began
        print(f"gone after {took:.1f} s", flush=True)
        self.assertLess(took, SOON)

    async def test_a_node_stands_still_for_a_moment(self):
        await self.begin()
        self.nodes[1].pause()
        for node in (0, 2):
            await self.follow(node, "plain", f"comes-{node}")
            await self.stays[node].close()
        self.there = (self.there | {"comes-0", "comes-2"}) - {"stays-0", "stays-2"}
        await self.all_become(self.rooms_of(0, 2), self.there, self.count)
        self.nodes[1].resume()
        await self.connected()
        await self.soon("a node stood still", self.rooms)


@unittest.skipUnless(faults.FULL, "it takes minutes: scripts/faults cluster --full")
class LongTest(FailingCase):
    """What happens only after half a minute."""

    async def test_a_node_stands_still_until_it_counts_as_gone(self):
        await self.begin()
        inside = {user for user in self.there if user.startswith(("stays-1", "watcher-1"))}
        self.nodes[1].pause()
        await self.all_become(self.rooms_of(0, 2), self.there - inside, 10)
        for node in (0, 2):
            await self.follow(node, "plain", f"comes-{node}")
            await self.stays[node].close()
        self.there = (self.there | {"comes-0", "comes-2"}) - {"stays-0", "stays-2"}
        await self.all_become(self.rooms_of(0, 2), self.there - inside, 10)
        await asyncio.sleep(LEASE)
        self.nodes[1].resume()
        await self.connected()
        await self.soon("a node stood still for long", self.rooms)

    async def test_a_watchers_node_is_away_for_so_long_that_the_others_have_forgotten_it(self):
        await self.begin()
        self.links[1].cut()
        await self.change()
        await asyncio.sleep(LEASE)
        self.links[1].heal()
        await self.connected()
        await self.soon("a node was cut off for long", self.rooms)

    async def test_nobody_watches_for_so_long_that_nodes_have_forgotten_it(self):
        await self.begin()
        for room in self.rooms:
            await room.leave()
        await self.change()
        await asyncio.sleep(2 * LEASE)
        await asyncio.gather(*(room.again() for room in self.rooms))
        for room in self.rooms:
            self.assert_complete(room, {"everywhere", "comes-0", "comes-1", "comes-2"}, room.told[-1])
        await self.soon("watched again", self.rooms)

    async def test_memory_comes_back(self):
        """What nodes keep of each other's users goes with these, and with their node."""
        def memory(node):
            return sum(int(node.metric(f'crier_memory_bytes{{kind="{kind}"}}')) for kind in
                       ("cluster", "topics", "logs"))
        before = [memory(node) for node in self.nodes[:2]]

        async def comes_back():
            left = []

            def back():
                left[:] = [memory(node) - was for node, was in zip(self.nodes, before)]
                return all(abs(more) < 20_000 for more in left)
            await faults.until(lambda: f"{before} again; there are more by {left}", back)
        names = [f"user-{number:04}-{'x' * 100}" for number in range(2000)]
        for ends in ("leave", "kill"):
            rooms = [await self.watch(0, "json", "watcher"), await self.watch(1, "grpc", "other")]
            crowd = await Crowd.open(self.nodes[2], self.topic, names)
            there = set(names) | {"watcher", "other"}
            await self.all_become(rooms, there, len(there))
            for node, was in zip(self.nodes, before):
                self.assertGreater(memory(node), was + 200_000)
            if ends == "kill":
                self.nodes[2].kill()
            await crowd.close()
            await self.all_become(rooms, {"watcher", "other"}, 2)
            for session in self.sessions:
                await session.close()
            await asyncio.sleep(LEASE)
            await comes_back()


if __name__ == "__main__":
    nodes.main()
