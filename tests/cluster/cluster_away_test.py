"""While Redis is away: sessions stay, publishes are refused with advice, the probes, the metric and the
log say so; and afterwards all is as before."""

import asyncio
import json
import unittest
import urllib.error

import grpc

import nodes  # sets the paths of the next ones
from nodes import Cluster, Node
import faults
from dialects import DIALECTS
from model import messaging, v1
from redis_server import Redis
from session import Session, call_grpc, call_http


def status_of(node, path):
    try:
        node.get(path)
        return 200
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class AwayTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.cluster = Cluster(1, flags=("--cluster_timeout=300ms",))
        self.addCleanup(self.cluster.close)
        self.plain = self.cluster.nodes[0]
        self.strict = Node(2, self.plain.url, "--cluster_timeout=300ms", "--cluster_readiness")
        self.cluster.nodes.append(self.strict)
        self.sessions = []
        for node in self.cluster.nodes:
            for dialect in DIALECTS:
                session = await Session.open(node, dialect, f"user-{node.number}-{dialect}")
                self.sessions.append(session)
                self.assertEqual("Ack", (await session.follow("room")).DESCRIPTOR.name)

    async def asyncTearDown(self):
        await asyncio.gather(*(session.close() for session in self.sessions))

    async def become(self, connected):
        for node in self.cluster.nodes:
            await faults.until(f"node {node.number} to see it", lambda: node.connected() == connected)
        wanted = 200 if connected else 503
        await faults.until(f"/readyz {wanted}", lambda: status_of(self.strict, "/readyz") == wanted)
        self.assertEqual(200, status_of(self.plain, "/readyz"))
        self.assertEqual(200, status_of(self.strict, "/healthcheck"))

    async def be_refused(self):
        for session in self.sessions:
            for to in (None, self.sessions[0].user):
                error = await session.publish("refused", "room", to=to, name="again")
                self.assertEqual(("Error", "UNAVAILABLE"),
                                 (error.DESCRIPTOR.name, getattr(error, "outcome", error)))
                if session.dialect != "plain":
                    self.assertEqual("retry_with_same_id", error.advice)
            self.assertFalse(session.ended)
        for node in self.cluster.nodes:
            message = {"actionType": "BROADCAST", "topic": "room", "body": "x"}
            status, body = call_http(node, "Publish", {"message": message})
            self.assertEqual(503, status)
            self.assertIn("retry_with_same_id", json.dumps(body))
            status, _ = call_http(node, "History", {"topic": "room"})
            self.assertEqual(503, status)
            with self.assertRaises(grpc.RpcError) as failed:
                call_grpc(node, "Publish", messaging.PublishRequest(message=v1.Message(
                    action_type=v1.BROADCAST, topic="room", body="x")))
            self.assertEqual(grpc.StatusCode.UNAVAILABLE, failed.exception.code())

    async def be_well(self, first):
        """`first`: publishes that this session sent while it was away are published once."""
        acks = [await session.publish("again", "room", name="again") for session in self.sessions]
        self.assertEqual(["Ack"] * len(acks), [ack.DESCRIPTOR.name for ack in acks])
        wanted = list(range(first, first + len(acks)))
        self.assertEqual(wanted, [ack.offset for ack in acks])
        for session in self.sessions:
            await faults.until("all of them", lambda: [
                offset for _, offset, _ in session.messages("room")][-len(wanted):] == wanted)
            self.assertFalse(session.ended)

    def check_log(self, node):
        """A line for each change, and one for each reason why there is no connection."""
        lines = [line.split(" cluster: ", 1)[1] for line in node.lines() if " cluster: " in line]
        self.assertEqual(2, sum(line.startswith("connected to ") for line in lines), lines)
        self.assertEqual(1, sum("publishes are refused until" in line for line in lines), lines)
        reasons = [line for line in lines if not line.startswith("connected to ")]
        self.assertEqual(len(reasons), len(set(reasons)), lines)
        self.assertLessEqual(len(reasons), 3, lines)

    async def test_redis_is_killed_and_begins_again_empty(self):
        await self.become(True)
        self.cluster.redis.kill()
        await self.become(False)
        await self.be_refused()
        self.cluster.redis.start()
        await self.become(True)
        await self.be_well(1)
        for node in self.cluster.nodes:
            self.check_log(node)

    async def test_redis_stands_still(self):
        before = [await session.publish("before", "room") for session in self.sessions]
        self.assertEqual(list(range(1, len(before) + 1)), [ack.offset for ack in before])
        self.cluster.redis.pause()
        await self.become(False)
        await self.be_refused()
        self.cluster.redis.resume()
        await self.become(True)
        await self.be_well(len(before) + 1)
        for node in self.cluster.nodes:
            self.check_log(node)

    async def test_a_session_that_comes_meanwhile(self):
        """It may follow the topic without a name, and one that its node knows; another one waits."""
        self.cluster.redis.kill()
        await self.become(False)
        session = await Session.open(self.plain, "json", "late")
        self.sessions.append(session)
        self.assertEqual("Ack", (await session.follow("room")).DESCRIPTOR.name)
        waiting = asyncio.ensure_future(session.follow("unknown"))
        await session.presence("")
        self.assertFalse(waiting.done())
        self.cluster.redis.start()
        await self.become(True)
        self.assertEqual("Ack", (await waiting).DESCRIPTOR.name)
        ack = await self.sessions[-2].publish("x", "unknown")
        self.assertEqual("Ack", ack.DESCRIPTOR.name)
        await session.bodies("unknown", ["x"])


class OneOfTwoTest(unittest.IsolatedAsyncioTestCase):
    async def test_one_of_two_servers_is_away(self):
        """What is on the other one goes on."""
        asyncio.get_running_loop().set_debug(False)
        one, other = Redis(), Redis()
        self.addCleanup(other.stop)
        cluster = Cluster(2, one, [f"redis://{one.address},redis://{other.address}"] * 2,
                          ("--cluster_timeout=300ms", "--cluster_readiness"))
        self.addCleanup(cluster.close)
        topics = [f"room-{number}" for number in range(40)]
        sender = await Session.open(cluster.nodes[0], "proto", "sender")
        self.addAsyncCleanup(sender.close)
        reader = await Session.open(cluster.nodes[1], "grpc", "reader")
        self.addAsyncCleanup(reader.close)
        for topic in topics:
            await reader.follow(topic)

        async def publish(body):
            answers = await asyncio.gather(*(sender.publish(body, topic) for topic in topics))
            return [topic for topic, answer in zip(topics, answers)
                    if answer.DESCRIPTOR.name == "Ack"]
        self.assertEqual(topics, await publish("1"))
        for server in (one, other):
            self.assertGreater(int(server.call("DBSIZE")), 10)
        other.kill()

        def servers():
            return [line[-1] for line in cluster.nodes[0].get("/metrics").splitlines()
                    if line.startswith("crier_cluster_connected{")]
        await faults.until("one to be away", lambda: sorted(servers()) == ["0", "1"])
        await faults.until("/readyz", lambda: status_of(cluster.nodes[0], "/readyz") == 503)
        there = await publish("2")
        self.assertTrue(5 < len(there) < 35, there)
        for topic in there:
            await reader.bodies(topic, ["1", "2"])
        other.start()
        await faults.until("both", lambda: servers() == ["1", "1"])
        await faults.until("both at the other node", lambda: status_of(
            cluster.nodes[1], "/readyz") == 200)
        self.assertEqual(topics, await publish("3"))
        for topic in topics:
            await reader.bodies(topic, ["1", "2", "3"] if topic in there else ["1", "3"])
            self.assertEqual(topic not in there, bool(reader.gaps(topic)))


if __name__ == "__main__":
    nodes.main()
