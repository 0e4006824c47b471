"""What three nodes on one Redis promise, in every dialect: one order, one offset for an id, resume
anywhere, users everywhere."""

import asyncio
import itertools
import unittest

import grpc

import nodes  # sets the paths of the next ones
from nodes import Cluster
import faults
from dialects import DIALECTS
from model import messaging, v1
from session import Session, call_grpc, call_http

KEPT = 50  # events that a topic keeps here


class SemanticsTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, flags=(f"--topic_log_events={KEPT}",))
        cls.names = (f"topic-{number}" for number in itertools.count(1))

    @classmethod
    def tearDownClass(cls):
        for node in cls.cluster.nodes:
            node.stop()
        cls.cluster.close()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.nodes, self.topic = self.cluster.nodes, next(self.names)
        self.sessions = []

    async def asyncTearDown(self):
        await asyncio.gather(*(session.close() for session in self.sessions))

    async def session(self, node, dialect, user, **more):
        self.sessions.append(await Session.open(self.nodes[node], dialect, user, **more))
        return self.sessions[-1]

    async def fill(self, node, first, last, dialect="proto"):
        """Publishes "first" to "last" in order; returns their acks."""
        sender = await self.session(node, dialect, f"filler-{node}")
        return [await sender.publish(str(number), self.topic) for number in range(first, last + 1)]

    # --- One order.

    async def test_one_order_on_all_nodes_and_in_all_dialects(self):
        for topic in (self.topic, ""):
            with self.subTest(topic=topic):
                readers = [await self.session(node, dialect, f"reader-{node}-{dialect}")
                           for node in range(3) for dialect in DIALECTS]
                if topic:
                    for reader in readers:
                        await reader.follow(topic)
                writers = [await self.session(node, dialect, f"writer-{node}-{dialect}")
                           for node in range(3) for dialect in DIALECTS]
                before = {reader: len(reader.messages(topic)) for reader in readers}

                async def write(writer):
                    return [await writer.publish(f"{topic} {writer.user} {number}", topic)
                            for number in range(20)]
                acks = await asyncio.gather(*map(write, writers))
                count = len(writers) * 20
                await faults.until("all of it", lambda: all(
                    len(reader.messages(topic)) - before[reader] >= count for reader in readers))
                # A slow reader may have gaps in general; these have none.
                orders = [reader.messages(topic)[before[reader]:] for reader in readers]
                for reader, order in zip(readers, orders):
                    self.assertEqual(order, orders[0], reader.user)
                    self.assertEqual([], reader.gaps(topic))
                offsets = [offset for _, offset, _ in orders[0]]
                self.assertEqual(offsets, list(range(offsets[0], offsets[0] + count)))
                self.assertEqual(1, len({epoch for epoch, _, _ in orders[0]}))
                at = {body: (epoch, offset) for epoch, offset, body in orders[0]}
                for writer, mine in zip(writers, acks):
                    places = [at[f"{topic} {writer.user} {number}"] for number in range(20)]
                    self.assertEqual(places, [(ack.epoch, ack.offset) for ack in mine])
                    self.assertEqual(places, sorted(places))

    # --- Resume.

    async def test_resume_on_another_node_from_another_dialect(self):
        for followed in (True, False):
            for dialect, other in zip(DIALECTS, DIALECTS[1:] + DIALECTS[:1]):
                with self.subTest(followed=followed, dialect=dialect, other=other):
                    self.topic = next(self.names)
                    if followed:  # on the node that is resumed on, before and behind the events
                        stays = await self.session(1, "json", "stays")
                        await stays.follow(self.topic)
                    reader = await self.session(0, dialect, "reader")
                    await reader.follow(self.topic)
                    await self.fill(2, 1, 5)
                    await reader.bodies(self.topic, [str(n) for n in range(1, 6)])
                    epoch, offset, _ = reader.messages(self.topic)[2]
                    await reader.close()
                    self.sessions.remove(reader)
                    await self.fill(2, 6, 10)
                    again = await self.session(1, other, "reader",
                                               resume=[(self.topic, epoch, offset)])
                    await again.bodies(self.topic, [str(n) for n in range(4, 11)])
                    await self.fill(0, 11, 12)
                    await again.bodies(self.topic, [str(n) for n in range(4, 13)])
                    self.assertEqual([], again.gaps(self.topic))

    async def test_resume_of_the_empty_topic(self):
        for dialect, other in zip(DIALECTS, DIALECTS[2:] + DIALECTS[:2]):
            with self.subTest(dialect=dialect, other=other):
                self.topic = ""
                acks = await self.fill(0, 1, 8)
                again = await self.session(1, other, "reader",
                                           resume=[("", acks[2].epoch, acks[2].offset)])
                await faults.until("the rest", lambda: [
                    body for _, offset, body in again.messages("") if offset > acks[2].offset][:5]
                    == ["4", "5", "6", "7", "8"])
                offsets = [offset for _, offset, _ in again.messages("")]
                self.assertEqual(offsets, list(range(acks[2].offset + 1, acks[-1].offset + 1)))

    async def test_resume_from_the_beginning(self):
        await self.fill(0, 1, 7)
        for node, dialect in ((1, "plain"), (2, "grpc")):
            reader = await self.session(node, dialect, "reader", resume=[(self.topic, 0, 0)])
            await reader.bodies(self.topic, [str(n) for n in range(1, 8)])

    async def test_what_the_log_has_not_any_more_is_told(self):
        acks = await self.fill(0, 1, 3 * KEPT)
        status, page = call_http(self.nodes[2], "History", {"topic": self.topic, "from": "1"})
        self.assertEqual(200, status)
        tail = int(page["tail"])
        self.assertGreater(tail, 1)
        for node, dialect in itertools.product(range(3), DIALECTS):
            with self.subTest(node=node, dialect=dialect):
                reader = await self.session(node, dialect, "reader",
                                            resume=[(self.topic, acks[1].epoch, 2)])
                await reader.bodies(self.topic, [str(n) for n in range(tail, 3 * KEPT + 1)])
                gaps = [(gap.epoch, gap.first, gap.last, gap.reason)
                        for gap in reader.gaps(self.topic)]
                self.assertEqual([(acks[1].epoch, 3, tail - 1, v1.EXPIRED)], gaps)

    async def test_a_resume_point_behind_the_head(self):
        """Its node may be behind, so what the client has is not sent again. One that lies hurts nobody else."""
        for followed, dialect in itertools.product((True, False), DIALECTS):
            with self.subTest(followed=followed, dialect=dialect):
                self.topic = next(self.names)
                stays = await self.session(1 if followed else 2, "json", "stays")
                await stays.follow(self.topic)
                epoch = (await self.fill(0, 1, 3))[0].epoch
                reader = await self.session(1, dialect, "reader", resume=[(self.topic, epoch, 5)])
                liar = await self.session(1, dialect, "liar",
                                          resume=[(self.topic, epoch, 2**62)])
                await self.fill(2, 4, 7)
                await reader.bodies(self.topic, ["6", "7"])
                self.assertEqual([], reader.gaps(self.topic))
                await stays.bodies(self.topic, [str(n) for n in range(1, 8)])
                self.assertEqual("Ack", (await liar.publish("8", self.topic)).DESCRIPTOR.name)
                await reader.bodies(self.topic, ["6", "7", "8"])

    async def test_another_epoch_is_told(self):
        acks = await self.fill(0, 1, 5)
        reader = await self.session(1, "json", "reader",
                                    resume=[(self.topic, acks[0].epoch - 1000, 3)])
        await reader.bodies(self.topic, ["1", "2", "3", "4", "5"])
        self.assertEqual([(acks[0].epoch, 0, v1.NEW_EPOCH)],
                         [(gap.epoch, gap.last, gap.reason) for gap in reader.gaps(self.topic)])

    # --- Users.

    async def test_direct_to_a_user_with_sessions_on_several_nodes(self):
        for dialect in DIALECTS:
            with self.subTest(dialect=dialect):
                bob = f"bob-{self.topic}-{dialect}"
                bobs = [await self.session(node, other, bob)
                        for node, other in ((0, "plain"), (1, "grpc"), (1, "json"), (2, "proto"))]
                alice = await self.session(2, dialect, "alice")
                acks = [await alice.publish(str(n), to=bob) for n in range(10)]
                self.assertTrue(all(ack.recipients > 0 for ack in acks))
                wanted = [str(n) for n in range(10)]
                for one in bobs:
                    await faults.until(lambda: f"directs; {one.directs()}",
                                       lambda: len(one.directs()) >= 10)
                    self.assertEqual(wanted, one.directs())
                self.assertEqual([], alice.directs())

    async def test_no_recipient_only_where_there_is_none_anywhere(self):
        for node, dialect in itertools.product(range(3), DIALECTS):
            with self.subTest(node=node, dialect=dialect):
                carol = f"carol-{self.topic}-{node}-{dialect}"
                alice = await self.session(node, dialect, "alice")
                self.assertEqual("NO_RECIPIENT", (await alice.publish("x", to=carol)).outcome)
                one = await self.session((node + 1) % 3, "proto", carol)
                two = await self.session((node + 2) % 3, "grpc", carol)

                async def arrives():
                    answer = await alice.publish("y", to=carol)
                    return answer.DESCRIPTOR.name == "Ack"
                await faults.until("a recipient", arrives)
                await one.close()
                self.sessions.remove(one)
                await faults.until("a recipient still", arrives)
                await two.close()
                self.sessions.remove(two)

                async def none():
                    answer = await alice.publish("z", to=carol)
                    return answer.DESCRIPTOR.name == "Error" and answer.outcome == "NO_RECIPIENT"
                await faults.until("no recipient any more", none)

    # --- Ids.

    async def test_an_id_sent_to_two_nodes_is_published_once(self):
        for dialect, other in zip(DIALECTS, DIALECTS[1:] + DIALECTS[:1]):
            with self.subTest(dialect=dialect, other=other):
                self.topic = next(self.names)
                reader = await self.session(2, "json", "reader")
                await reader.follow(self.topic)
                first = await self.session(0, dialect, "alice")
                second = await self.session(1, other, "alice")
                one = await first.publish("once", self.topic, name="the-id")
                two = await second.publish("once", self.topic, name="the-id")
                self.assertEqual((one.epoch, one.offset), (two.epoch, two.offset))
                self.assertEqual((False, True), (one.duplicate, two.duplicate))
                both = await asyncio.gather(first.publish("both", self.topic, name="both-id"),
                                            second.publish("both", self.topic, name="both-id"))
                self.assertEqual({(one.epoch, 2)}, {(ack.epoch, ack.offset) for ack in both})
                self.assertEqual([False, True], sorted(ack.duplicate for ack in both))
                # Another user's, another topic's, are others.
                stranger = await self.session(1, other, "stranger")
                self.assertEqual(3, (await stranger.publish("3", self.topic, name="the-id")).offset)
                elsewhere = await second.publish("x", self.topic + "-other", name="the-id")
                self.assertEqual((1, False), (elsewhere.offset, elsewhere.duplicate))
                await reader.bodies(self.topic, ["once", "both", "3"])

    async def test_a_direct_id_sent_to_two_nodes_is_delivered_once(self):
        bob = await self.session(2, "json", f"bob-{self.topic}")
        first = await self.session(0, "plain", "alice")
        second = await self.session(1, "grpc", "alice")
        one = await first.publish("once", to=bob.user, name="direct-id")
        two = await second.publish("once", to=bob.user, name="direct-id")
        self.assertEqual((False, True), (one.duplicate, two.duplicate))
        self.assertEqual(one.recipients, two.recipients)
        await second.publish("then", to=bob.user)
        await faults.until("both", lambda: len(bob.directs()) >= 2)
        self.assertEqual(["once", "then"], bob.directs())

    async def test_ids_of_sessions_without_a_user_are_each_sessions_own(self):
        for dialect in DIALECTS:
            one = await self.session(0, dialect, "")
            two = await self.session(1, dialect, "")
            acks = [await each.publish("x", self.topic, name="same") for each in (one, two)]
            self.assertEqual([False, False], [ack.duplicate for ack in acks])

    # --- Unary calls.

    async def test_history_on_a_node_where_nobody_follows(self):
        acks = await self.fill(0, 1, 9)
        status, page = await asyncio.to_thread(
            call_http, self.nodes[1], "History", {"topic": self.topic, "from": "3", "maxEvents": 4})
        self.assertEqual(200, status)
        self.assertEqual((str(acks[0].epoch), "1", "9"), (page["epoch"], page["tail"], page["head"]))
        self.assertEqual([(str(n), str(n)) for n in range(3, 7)],
                         [(event["message"]["offset"], event["message"]["body"])
                          for event in page["events"]])
        answer = await asyncio.to_thread(call_grpc, self.nodes[2], "History",
                                         messaging.HistoryRequest(topic=self.topic))
        self.assertEqual([(acks[0].epoch, n, str(n)) for n in range(1, 10)],
                         [(event.message.epoch, event.message.offset, event.message.body)
                          for event in answer.events])
        self.assertEqual((1, 9), (answer.tail, answer.head))

    async def test_unary_publish_reaches_followers_on_other_nodes(self):
        readers = [await self.session(node, dialect, f"reader-{node}")
                   for node, dialect in ((1, "plain"), (1, "grpc"), (2, "json"))]
        for reader in readers:
            await reader.follow(self.topic)
        message = {"actionType": "BROADCAST", "topic": self.topic, "body": "1", "id": "m",
                   "userId": "alice"}
        status, answer = await asyncio.to_thread(
            call_http, self.nodes[0], "Publish", {"message": message})
        self.assertEqual(200, status, answer)
        again = await asyncio.to_thread(
            call_grpc, self.nodes[2], "Publish", messaging.PublishRequest(message=v1.Message(
                action_type=v1.BROADCAST, topic=self.topic, body="1", id="m", user_id="alice")))
        self.assertEqual((int(answer["epoch"]), int(answer["offset"]), True),
                         (again.epoch, again.offset, again.duplicate))
        await asyncio.to_thread(
            call_grpc, self.nodes[0], "Publish", messaging.PublishRequest(message=v1.Message(
                action_type=v1.BROADCAST, topic=self.topic, body="2")))
        for reader in readers:
            await reader.bodies(self.topic, ["1", "2"])
        with self.assertRaises(grpc.RpcError) as failed:
            await asyncio.to_thread(
                call_grpc, self.nodes[0], "Publish", messaging.PublishRequest(message=v1.Message(
                    action_type=v1.DIRECT, to="nobody-at-all", body="2")))
        self.assertEqual(grpc.StatusCode.NOT_FOUND, failed.exception.code())


if __name__ == "__main__":
    nodes.main()
