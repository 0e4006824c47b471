"""Nodes, links and Redis fail at exactly the wrong moment: one step after the other, with three nodes."""

import asyncio
import unittest

import nodes  # sets the paths of the next ones
from nodes import Cluster, Node
import faults
from dialects import DIALECTS
from link import Link, SlowLink
from model import v1
from redis_server import Calls, Redis, RedisError
from session import Session


class MomentsTest(unittest.IsolatedAsyncioTestCase):
    """Three nodes, each behind a link of its own; one thing after the other. The nodes wait long before
    they give a silent Redis up."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.sessions, self.links, self.cluster = [], [], None
        self.addAsyncCleanup(self.close)
        await self.begin(timeout_ms=60_000)

    async def begin(self, timeout_ms):
        if self.cluster:
            await self.close()

        redis = Redis()
        self.links = [await Link.open(redis.port) for _ in range(3)]
        self.cluster = await asyncio.to_thread(
            Cluster, 3, redis, [link.url for link in self.links],
            (f"--cluster_timeout={timeout_ms}ms",))
        self.nodes = self.cluster.nodes

    async def close(self):
        await asyncio.gather(*(session.close() for session in self.sessions))
        self.sessions.clear()
        for link in self.links:
            await link.close()
        if self.cluster:
            self.cluster.close()

    async def session(self, node, dialect, user, **more):
        self.sessions.append(await Session.open(self.nodes[node], dialect, user, **more))
        return self.sessions[-1]

    async def fill(self, session, first, last, topic="room"):
        return [await session.publish(str(number), topic) for number in range(first, last + 1)]

    async def connected(self):
        for node in self.nodes:
            async def there():
                return await asyncio.to_thread(node.connected)
            await faults.until(f"node {node.number} to be connected", there)

    async def test_resume_on_a_node_that_is_behind(self):
        """What the client has comes no second time, when the node has caught up."""
        for dialect in ("plain", "json", "proto", "grpc"):
            with self.subTest(dialect=dialect):
                topic = f"room-{dialect}"
                sender = await self.session(0, "proto", "sender")
                stays = await self.session(1, "json", "stays")
                await stays.follow(topic)
                await self.fill(sender, 1, 5, topic)
                await stays.bodies(topic, list("12345"))
                self.links[1].cut()
                acks = await self.fill(sender, 6, 9, topic)
                again = await self.session(1, dialect, "reader", hello=False)
                if again.dialect == "plain":
                    opening = asyncio.ensure_future(
                        again.follow(topic, acks[2].epoch, acks[2].offset))
                else:
                    await again.say_hello([(topic, acks[2].epoch, acks[2].offset)])
                    opening = asyncio.ensure_future(again.presence(""))
                await stays.presence("")  # the node goes round
                self.links[1].heal()
                await opening
                await self.fill(sender, 10, 10, topic)
                await stays.bodies(topic, [str(n) for n in range(1, 11)])
                await again.bodies(topic, ["9", "10"])

    async def test_resume_on_a_node_that_is_in_an_earlier_epoch(self):
        """It knows nothing yet of the epoch that the client comes from; the client does not go back."""
        for dialect in ("plain", "json", "proto", "grpc"):
            with self.subTest(dialect=dialect):
                topic = f"room-{dialect}"
                sender = await self.session(0, "proto", "sender")
                stays = await self.session(1, "json", "stays")
                await stays.follow(topic)
                await self.fill(sender, 1, 3, topic)
                await stays.bodies(topic, ["1", "2", "3"])
                self.links[1].cut()
                self.cluster.redis.kill()
                self.cluster.redis.start()

                async def published():
                    return (await sender.publish("new-1", topic, name=f"n-{topic}")
                            ).DESCRIPTOR.name == "Ack"
                await faults.until("Redis to be back", published)
                ack = await sender.publish("new-2", topic)
                again = await self.session(1, dialect, "reader", hello=False)
                if again.dialect == "plain":
                    opening = asyncio.ensure_future(again.follow(topic, ack.epoch, ack.offset))
                else:
                    await again.say_hello([(topic, ack.epoch, ack.offset)])
                    opening = asyncio.ensure_future(again.presence(""))
                await stays.presence("")  # the node goes round
                self.links[1].lose()
                self.links[1].heal()
                await self.connected()
                await opening
                await self.fill(sender, 3, 3, topic)
                await again.bodies(topic, ["3"])
                # At most that its epoch was not there when it came.
                self.assertLessEqual(
                    [gap.reason for gap in again.gaps(topic)], [v1.NEW_EPOCH])

    async def test_resume_on_a_node_that_is_in_an_earlier_epoch_and_then_on_another_one(self):
        """What the client has comes no second time either when it does not wait for that node."""
        dialects = ("plain", "json", "proto", "grpc")
        sender = await self.session(0, "proto", "sender")
        stays = await self.session(1, "json", "stays")
        for dialect in dialects:
            await stays.follow(f"room-{dialect}")
            await self.fill(sender, 1, 3, f"room-{dialect}")
            await stays.bodies(f"room-{dialect}", ["1", "2", "3"])
        self.links[1].cut()
        self.cluster.redis.kill()
        self.cluster.redis.start()

        async def published():
            return (await sender.publish("x", "other", name="x")).DESCRIPTOR.name == "Ack"
        await faults.until("Redis to be back", published)
        for dialect in dialects:
            with self.subTest(dialect=dialect):
                topic = f"room-{dialect}"
                place = (await self.fill(sender, 1, 2, topic))[1]
                reader = await self.session(1, dialect, "reader", hello=False)
                if dialect == "plain":
                    opening = asyncio.ensure_future(reader.follow(topic, place.epoch, place.offset))
                else:
                    await reader.say_hello([(topic, place.epoch, place.offset)])
                    opening = asyncio.ensure_future(reader.presence(""))
                await stays.presence("")  # the node goes round
                opening.cancel()
                # As clients do: after a gap it is where the gap says.
                for gap in reader.gaps(topic):
                    place = v1.ResumePoint(epoch=gap.epoch, offset=gap.last)
                again = await self.session(2, dialect, "reader", resume=[
                    (topic, place.epoch, place.offset)])
                await self.fill(sender, 3, 3, topic)
                await again.bodies(topic, ["3"])

    async def test_a_session_that_has_not_said_hello_yet(self):
        """Its welcome named a place in the topic without a name. The node loses its connection and finds a
        hole there; the session goes on from its place all the same."""
        for dialect in ("json", "proto", "grpc"):
            with self.subTest(dialect=dialect):
                sender = await self.session(0, "proto", "sender")
                before = await self.fill(sender, 1, 3, "")
                there = await self.session(1, "json", "there", resume=[
                    ("", before[0].epoch, before[0].offset)])
                await faults.until("what was before", lambda: len(there.messages("")) >= 2)
                late = await self.session(1, dialect, "late", hello=False)
                place = (await late.event("welcome", lambda event: event.HasField("welcome"))).welcome
                self.assertEqual(before[-1].offset, place.offset)
                self.links[1].cut()
                await self.fill(sender, 4, 6, "")
                self.links[1].lose()
                self.links[1].heal()
                await self.connected()
                after = await self.fill(sender, 7, 7, "")
                await faults.until("what came", lambda: there.messages("")[-1][1] == after[0].offset)
                await late.say_hello()
                await faults.until(
                    lambda: f"4 to 7; {late.messages('')}, gaps {late.gaps('')}",
                    lambda: late.messages("") and late.messages("")[-1][1] == after[0].offset)
                self.assertEqual(["4", "5", "6", "7"], [body for _, _, body in late.messages("")])

    async def test_a_hole_is_filled_when_the_topic_is_quiet(self):
        """Events are lost on their way to a node, and no other one shows it."""
        for dialect in ("plain", "json", "proto", "grpc"):
            reader = await self.session(1, dialect, f"reader-{dialect}")
            await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        await self.fill(sender, 1, 3)
        self.links[1].cut()
        await self.fill(sender, 4, 6)
        self.links[1].lose()
        self.links[1].heal()
        for reader in self.sessions[:4]:
            await reader.bodies("room", list("123456"))
            self.assertEqual([], reader.gaps("room"))
        holes = await asyncio.to_thread(self.nodes[1].metric, "crier_cluster_holes_total")
        self.assertGreater(holes, 0)

    async def test_a_hole_between_two_connections(self):
        """A node that comes back asks where a topic is. Then something is published; then it hears the
        topic's channel again; and then comes the answer, which is older than that."""
        link = await SlowLink.open(self.cluster.redis.port)
        self.links.append(link)
        node = await asyncio.to_thread(Node, 4, link.url, "--cluster_timeout=60s", "--shards=1")
        self.nodes.append(node)
        sender = await self.session(0, "proto", "sender")
        reader = await self.session(3, "json", "reader")
        await reader.follow("quiet")
        await self.fill(sender, 1, 3, "quiet")
        await reader.bodies("quiet", ["1", "2", "3"])
        link.slow(b"topic:quiet")
        link.lose()
        await asyncio.wait_for(link.asked.wait(), faults.DEADLINE)
        self.cluster.redis.call("PING")  # it has read the question
        await self.fill(sender, 4, 4, "quiet")
        link.subscribed.set()
        await faults.until("the channel", lambda: self.cluster.redis.call(
            "PUBSUB", "NUMSUB", "crier:follow:quiet")[1] == 1)
        await reader.presence("")  # the node has gone round
        link.answered.set()
        await reader.bodies("quiet", ["1", "2", "3", "4"])

    async def test_redis_refuses_calls_for_a_while(self):
        """Its connections stay, and each call is answered with an error: what was asked for is asked again."""
        old = await self.session(0, "json", "old")
        await old.follow("old")
        redis = self.cluster.redis
        redis.call("ACL", "SETUSER", "default", "-hmget", "-@scripting")
        error = await old.publish("1", "old", name="again")
        self.assertEqual("UNAVAILABLE", error.outcome)
        waiting = [asyncio.ensure_future(old.follow(topic)) for topic in ("new", "newer")]
        resumed = asyncio.ensure_future(self.session(1, "proto", "late", resume=[("old", 0, 0)]))
        await old.presence("")
        redis.call("ACL", "SETUSER", "default", "+@all")
        for answer in await asyncio.wait_for(asyncio.gather(*waiting), faults.DEADLINE):
            self.assertEqual("Ack", answer.DESCRIPTOR.name)
        late = await resumed
        self.assertEqual(1, (await old.publish("1", "old", name="again")).offset)
        await old.bodies("old", ["1"])
        await late.bodies("old", ["1"])

    async def test_redis_is_busy_with_a_script_of_others(self):
        old = await self.session(0, "json", "old")
        await old.follow("old")
        redis = self.cluster.redis
        redis.call("CONFIG", "SET", "busy-reply-threshold", 20)
        busy = Calls(redis.port)
        running = asyncio.create_task(asyncio.to_thread(busy.call, "EVAL", "while true do end", 0))

        def refuses():
            try:
                return redis.call("PING") == "BUSY"
            except RedisError as error:
                return "BUSY" in str(error)
        await faults.until("it to be busy", refuses)
        waiting = asyncio.ensure_future(old.follow("new"))
        error = await old.publish("1", "old", name="again")
        self.assertEqual("UNAVAILABLE", error.outcome)
        redis.call("SCRIPT", "KILL")
        with self.assertRaises(RedisError):
            await running
        busy.close()
        self.assertEqual("Ack", (await asyncio.wait_for(waiting, faults.DEADLINE)).DESCRIPTOR.name)

        async def published():
            return (await old.publish("1", "old", name="again")).DESCRIPTOR.name == "Ack"
        await faults.until("it to take publishes", published)
        await old.bodies("old", ["1"])

    async def test_a_direct_message_that_is_lost_is_told(self):
        bob = await self.session(1, "json", "bob")
        alice = await self.session(0, "proto", "alice")
        self.links[1].cut()
        ack = await alice.publish("lost", to="bob")
        self.assertEqual("Ack", ack.DESCRIPTOR.name)
        self.links[1].lose()
        self.links[1].heal()
        await self.connected()
        await faults.until("a gap of the mailbox", lambda: bob.gaps() or bob.directs())

    async def test_acked_while_its_node_is_dead(self):
        """A node is killed between Redis's answer and its client's ack: the message is sent again at
        another node, and is there once."""
        sender = await self.session(0, "proto", "sender")
        reader = await self.session(1, "json", "reader")
        await reader.follow("room")
        self.links[0].cut()  # both ways: nothing arrives
        lost = asyncio.ensure_future(sender.publish("1", "room", name="the-id"))
        await sender.presence("")
        self.links[0].heal()
        await reader.bodies("room", ["1"])
        self.nodes[0].kill()
        await asyncio.gather(lost, return_exceptions=True)
        again = await self.session(2, "grpc", "sender")
        ack = await again.publish("1", "room", name="the-id")
        self.assertEqual((1, True), (ack.offset, ack.duplicate))
        await self.fill(again, 2, 2)
        await reader.bodies("room", ["1", "2"])

    async def test_a_life_that_a_reader_never_saw(self):
        """Its node was cut off before anything was published, and came back when Redis had lost that."""
        reader = await self.session(1, "json", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        self.links[1].cut()
        self.links[1].lose()
        acks = await self.fill(sender, 1, 2)
        self.cluster.redis.kill()
        self.cluster.redis.start()
        other = await self.session(2, "proto", "other")

        async def published():
            return (await other.publish("new", "room", name="new")).DESCRIPTOR.name == "Ack"
        await faults.until("Redis to be back", published)
        self.links[1].heal()
        await reader.bodies("room", ["new"])
        self.assertNotEqual(acks[0].epoch, reader.messages("room")[0][0])
        self.assertEqual([v1.NEW_EPOCH], [gap.reason for gap in reader.gaps("room")])

    async def test_an_epoch_that_a_reader_never_saw(self):
        """A topic's first epoch in a life of Redis came and went while a node did not hear its channel. (Another
        node found that Redis has a new life: it has a replica now.) What it hears then is not all."""
        link = await SlowLink.open(self.cluster.redis.port)
        self.links.append(link)
        self.nodes.append(await asyncio.to_thread(
            Node, 4, link.url, "--cluster_timeout=60s", "--shards=1"))
        sender = await self.session(0, "proto", "sender")
        other = await self.session(2, "json", "other")
        await other.follow("room")
        readers = [await self.session(3, dialect, f"reader-{dialect}") for dialect in DIALECTS]
        for reader in readers:
            await reader.follow("room")
        link.slow(b"no call has this")
        self.cluster.redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        first = (await self.fill(sender, 1, 2))[0]
        await other.bodies("room", ["1", "2"])
        replica = await asyncio.to_thread(Redis)
        self.addCleanup(replica.stop)
        replica.call("REPLICAOF", "127.0.0.1", self.cluster.redis.port)
        await faults.until("the replica", lambda: replica.info("master_link_status") == "up")
        self.links[2].lose()
        await faults.until("a new epoch", lambda: [
            gap for gap in other.gaps("room") if gap.epoch > first.epoch])
        ack = await sender.publish("3", "room")
        self.assertGreater(ack.epoch, first.epoch)
        link.subscribed.set()
        for reader in readers:
            await faults.until(f"3 for {reader.dialect}", lambda: "3" in [
                body for _, _, body in reader.messages("room")])
            self.assertEqual([(ack.epoch, 0, v1.NEW_EPOCH)], [
                (gap.epoch, gap.last, gap.reason) for gap in reader.gaps("room")])

    async def test_it_is_told_when_redis_lost_a_quiet_topic(self):
        """Nobody publishes any more: the nodes themselves see that it is gone."""
        readers = [await self.session(node, dialect, f"reader-{node}")
                   for node, dialect in ((1, "plain"), (2, "grpc"))]
        for reader in readers:
            await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        await self.fill(sender, 1, 3)
        for reader in readers:
            await reader.bodies("room", list("123"))
        self.cluster.redis.kill()
        self.cluster.redis.start()
        for reader in readers:
            await faults.until("to be told", lambda: [
                gap for gap in reader.gaps("room") if gap.epoch > reader.messages("room")[0][0]])


if __name__ == "__main__":
    nodes.main()
