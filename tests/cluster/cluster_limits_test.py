"""What a topic keeps where nodes share it: by number, by bytes, by age. What is gone is told."""

import asyncio
import itertools
import unittest

import nodes  # sets the paths of the next ones
from nodes import Cluster
import faults
from dialects import DIALECTS
from model import v1
from session import Session, call_http


class LimitsTest(unittest.IsolatedAsyncioTestCase):
    async def begin(self, *flags):
        asyncio.get_running_loop().set_debug(False)
        self.cluster = await asyncio.to_thread(Cluster, 2, flags=flags)
        self.addCleanup(self.cluster.close)
        self.nodes = self.cluster.nodes
        self.sender = await self.session(0, "proto", "sender")

    async def session(self, node, dialect, user, **more):
        session = await Session.open(self.nodes[node], dialect, user, **more)
        self.addAsyncCleanup(session.close)
        return session

    async def page(self, node, topic, first=0):
        status, page = await asyncio.to_thread(
            call_http, self.nodes[node], "History", {"topic": topic, "from": str(first)})
        self.assertEqual(200, status, page)
        return {"tail": int(page.get("tail", 0)), "head": int(page.get("head", 0)),
                "bodies": [event["message"]["body"] for event in page.get("events", [])]}

    async def resume_everywhere(self, topic, ack, wanted, gap):
        """Each dialect on each node, from this ack on: these bodies, behind a gap from and to there."""
        for node, dialect in itertools.product(range(2), DIALECTS):
            with self.subTest(node=node, dialect=dialect):
                reader = await self.session(node, dialect, "reader",
                                            resume=[(topic, ack.epoch, ack.offset)])
                await reader.bodies(topic, wanted)
                await faults.until("the gap", lambda: reader.gaps(topic))
                self.assertEqual([(ack.epoch, *gap, v1.EXPIRED)],
                                 [(one.epoch, one.first, one.last, one.reason)
                                  for one in reader.gaps(topic)])

    async def test_by_number(self):
        await self.begin("--topic_log_events=16")
        acks = [await self.sender.publish(str(n), "room") for n in range(1, 41)]
        page = await self.page(1, "room")
        self.assertEqual(40, page["head"])
        self.assertTrue(14 <= len(page["bodies"]) <= 16, page)
        self.assertEqual([str(n) for n in range(page["tail"], 41)], page["bodies"])
        await self.resume_everywhere("room", acks[0], page["bodies"], (2, page["tail"] - 1))

    async def test_by_bytes(self):
        await self.begin("--topic_log_bytes=10000", "--max_body_bytes=4096")
        bodies = [f"{n}-" + "x" * 1000 for n in range(1, 31)]
        acks = [await self.sender.publish(body, "room") for body in bodies]
        page = await self.page(1, "room")
        self.assertTrue(6 <= len(page["bodies"]) <= 10, page["tail"])
        self.assertEqual(bodies[page["tail"] - 1:], page["bodies"])
        await self.resume_everywhere("room", acks[0], page["bodies"], (2, page["tail"] - 1))

    async def test_by_age(self):
        """Also where a node that follows has them still, or not any more."""
        await self.begin("--topic_log_age=1500ms")
        stays = await self.session(1, "json", "stays")
        await stays.follow("room")
        acks = [await self.sender.publish(str(n), "room") for n in (1, 2, 3)]
        await stays.bodies("room", ["1", "2", "3"])

        async def gone():
            return (await self.page(0, "room"))["tail"] == 4
        await faults.until("them to be past their age", gone)
        self.assertEqual({"tail": 4, "head": 3, "bodies": []}, await self.page(1, "room"))
        late = await self.session(0, "grpc", "late", resume=[("room", acks[0].epoch, 1)])
        await faults.until("the gap", lambda: late.gaps("room"))
        self.assertEqual([(2, 3, v1.EXPIRED)], [(gap.first, gap.last, gap.reason)
                                                for gap in late.gaps("room")])
        ack = await self.sender.publish("4", "room")
        self.assertEqual((acks[0].epoch, 4), (ack.epoch, ack.offset))
        await late.bodies("room", ["4"])
        await stays.bodies("room", ["1", "2", "3", "4"])

    async def test_a_long_past_is_read_in_pieces(self):
        """More than one slice, and more than one page."""
        await self.begin()
        bodies = [f"{n}-" + "y" * (n % 500) for n in range(1, 1501)]
        acks = await asyncio.gather(*(self.sender.publish(body, "room") for body in bodies))
        self.assertEqual(list(range(1, 1501)), [ack.offset for ack in acks])
        for node, dialect in itertools.product(range(2), DIALECTS):
            reader = await self.session(node, dialect, "reader",
                                        resume=[("room", acks[0].epoch, 1)])
            await reader.bodies("room", bodies[1:])
            self.assertEqual([], reader.gaps("room"))
        paged = []
        while len(paged) < len(bodies):
            page = await self.page(1, "room", len(paged) + 1)
            self.assertGreater(len(page["bodies"]), 0)
            paged += page["bodies"]
        self.assertEqual(bodies, paged)

    async def test_a_resume_while_it_is_published_to(self):
        """The past from Redis and what comes join without a seam."""
        await self.begin()
        for number in range(8):
            topic = f"room-{number}"
            first = [await self.sender.publish(str(n), topic) for n in range(1, 51)]
            more = asyncio.gather(*(self.sender.publish(str(n), topic) for n in range(51, 301)))
            readers = await asyncio.gather(*(
                self.session(node, dialect, "reader", resume=[(topic, first[0].epoch, 25)])
                for node, dialect in itertools.product(range(2), DIALECTS)))
            acks = await more
            self.assertEqual(list(range(51, 301)), [ack.offset for ack in acks])
            for reader in readers:
                await reader.bodies(topic, [str(n) for n in range(26, 301)])
                self.assertEqual([], reader.gaps(topic))


if __name__ == "__main__":
    nodes.main()
