"""Redis fails over to a replica that has not everything: what it lost was acked, and has to be told to
everybody who had it, was to get it, or comes back with it."""

import asyncio
import itertools
import unittest

import nodes  # sets the paths of the next ones
from nodes import Cluster, Node
import faults
from cluster_history import ClusterHistory
from cluster_peer import ClusterPeer
from dialects import DIALECTS
from link import Link
from model import v1
from redis_server import Redis, sentinel_for
from session import Session

TIMEOUT = "--cluster_timeout=300ms"


async def replica_of(master):
    replica = await asyncio.to_thread(Redis, "--replicaof", "127.0.0.1", str(master.port))
    await faults.until("the replica", lambda: replica.info("master_link_status") == "up")
    return replica


async def caught_up(master, replica):
    await faults.until("the replica to have it all", lambda: replica.info("slave_repl_offset") ==
                       master.info("master_repl_offset"))


class LagTest(unittest.IsolatedAsyncioTestCase):
    """The exact way: nodes behind links, which lead to the master; then to its replica, which has not the
    last two messages."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.sessions = []
        self.master = await asyncio.to_thread(Redis)
        self.addCleanup(self.master.stop)
        self.replica = await replica_of(self.master)
        self.addCleanup(self.replica.stop)
        self.links = [await Link.open(self.master.port) for _ in range(3)]
        self.cluster = await asyncio.to_thread(
            Cluster, 3, self.master, [link.url for link in self.links], (TIMEOUT,))
        self.nodes = self.cluster.nodes

    async def asyncTearDown(self):
        await asyncio.gather(*(session.close() for session in self.sessions),
                             return_exceptions=True)
        for link in self.links:
            await link.close()
        self.cluster.close()

    async def session(self, node, dialect, user, **more):
        self.sessions.append(await Session.open(self.nodes[node], dialect, user, **more))
        return self.sessions[-1]

    async def publish_more_than_the_replica_has(self, sender):
        """1 to 8; the replica has 1 to 6."""
        acks = [await sender.publish(str(n), "room") for n in range(1, 7)]
        await caught_up(self.master, self.replica)
        self.replica.call("REPLICAOF", "NO", "ONE")
        return acks + [await sender.publish(str(n), "room") for n in (7, 8)]

    async def move(self, *links):
        """These find the other one; the rest is cut off until later."""
        self.master.kill()
        for number, link in enumerate(self.links):
            link.target = self.replica.port
            if number not in links:
                link.cut()
            link.lose()
        await self.heal(*links)

    async def heal(self, *links):
        for number in links:
            self.links[number].heal()

            async def there():
                return await asyncio.to_thread(self.nodes[number].connected)
            await faults.until(f"node {number} to be connected", there)

    def assert_told(self, session, acks, bodies):
        """It came out of the old epoch by a gap, and has got these in the new one."""
        old = acks[0].epoch
        new = {epoch for epoch, _, _ in session.messages("room")} - {old}
        self.assertEqual(1, len(new), session.messages("room"))
        self.assertEqual(new, {gap.epoch for gap in session.gaps("room")
                               if gap.reason == v1.NEW_EPOCH})
        self.assertEqual(bodies, [body for epoch, _, body in session.messages("room")
                                  if epoch != old])

    async def publish_three(self, node, user="other"):
        other = await self.session(node, "proto", user)
        acks = [await other.publish(f"new-{n}", "room") for n in (1, 2, 3)]
        self.assertEqual(["Ack"] * 3, [ack.DESCRIPTOR.name for ack in acks])
        return acks

    async def check_late_reader(self, dialect, publishes_itself):
        """Its node comes back when another one has published more than was lost."""
        reader = await self.session(1, dialect, "reader")
        await reader.follow("room")
        sender = await self.session(1 if publishes_itself else 0, "proto", "sender")
        acks = await self.publish_more_than_the_replica_has(sender)
        await reader.bodies("room", list("12345678"))
        await self.move(2)
        await self.publish_three(2)
        await self.heal(0, 1)
        await faults.until(lambda: f"the last; {reader.messages('room')}", lambda: [
            body for _, _, body in reader.messages("room")][-1] == "new-3")
        self.assert_told(reader, acks, ["new-1", "new-2", "new-3"])

    async def test_a_reader_whose_node_comes_back_late(self):
        await self.check_late_reader("json", publishes_itself=False)

    async def test_a_reader_whose_node_had_published_what_was_lost(self):
        await self.check_late_reader("grpc", publishes_itself=True)

    async def test_a_reader_that_resumes_on_a_node_that_knows_nothing(self):
        """Its own node, which knows better, is dead."""
        reader = await self.session(0, "plain", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        acks = await self.publish_more_than_the_replica_has(sender)
        await reader.bodies("room", list("12345678"))
        self.nodes[0].kill()
        await self.move(1, 2)
        await self.publish_three(2)
        again = await self.session(1, "json", "reader",
                                   resume=[("room", acks[-1].epoch, acks[-1].offset)])
        await faults.until(lambda: f"the last; {again.messages('room')}, {again.gaps('room')}",
                           lambda: [body for _, _, body in again.messages("room")][-1:] == ["new-3"])
        self.assert_told(again, acks, ["new-1", "new-2", "new-3"])

    async def test_redis_begins_again_with_what_it_saved_before(self):
        """As a restart from a snapshot, or from a log of its own that is not written at once."""
        reader = await self.session(1, "json", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        acks = [await sender.publish(str(n), "room") for n in range(1, 7)]
        self.master.call("SAVE")
        acks += [await sender.publish(str(n), "room") for n in (7, 8)]
        await reader.bodies("room", list("12345678"))
        self.master.kill()
        for link in self.links[:2]:
            link.cut()
            link.lose()
        self.master.start()
        await self.heal(2)
        await self.publish_three(2)
        await self.heal(0, 1)
        await faults.until("the last", lambda: [
            body for _, _, body in reader.messages("room")][-1] == "new-3")
        self.assert_told(reader, acks, ["new-1", "new-2", "new-3"])

    async def test_a_reader_that_had_not_got_what_was_acked(self):
        """7 and 8 were acked by a node that is dead; the reader's node had lost its connection before."""
        reader = await self.session(1, "proto", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        first = [await sender.publish(str(n), "room") for n in range(1, 7)]
        await reader.bodies("room", list("123456"))
        await caught_up(self.master, self.replica)
        self.replica.call("REPLICAOF", "NO", "ONE")
        self.links[1].cut()
        for n in (7, 8):
            self.assertEqual("Ack", (await sender.publish(str(n), "room")).DESCRIPTOR.name)
        self.nodes[0].kill()
        await self.move(1, 2)
        await self.publish_three(2)
        await faults.until("the last", lambda: [
            body for _, _, body in reader.messages("room")][-1] == "new-3")
        self.assert_told(reader, first, ["new-1", "new-2", "new-3"])

    async def test_a_quiet_topic(self):
        """Nobody publishes to it any more: who has 8 and who has 6 are both told."""
        reader = await self.session(1, "json", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        await self.publish_more_than_the_replica_has(sender)
        await reader.bodies("room", list("12345678"))
        await self.move(0, 1, 2)
        await faults.until("to be told", lambda: [
            gap for gap in reader.gaps("room") if gap.epoch > reader.messages("room")[0][0]])

    async def test_a_replica_that_has_everything(self):
        """Nothing is lost, so a reader gets all that comes, whatever it is told."""
        reader = await self.session(1, "json", "reader")
        await reader.follow("room")
        sender = await self.session(0, "proto", "sender")
        for n in range(1, 9):
            await sender.publish(str(n), "room")
        await reader.bodies("room", list("12345678"))
        await caught_up(self.master, self.replica)
        self.replica.call("REPLICAOF", "NO", "ONE")
        await self.move(0, 1, 2)
        again = await sender.publish("8", "room", name="new")
        self.assertEqual("Ack", again.DESCRIPTOR.name)
        await reader.bodies("room", list("123456788"))


class SentinelTest(unittest.IsolatedAsyncioTestCase):
    """With load, and a Sentinel that decides."""

    async def test_it_fails_over_to_a_replica_that_stands_still(self):
        asyncio.get_running_loop().set_debug(False)
        chance, history = faults.chance("sentinel"), ClusterHistory()
        master = await asyncio.to_thread(Redis)
        self.addCleanup(master.stop)
        replica = await replica_of(master)
        self.addCleanup(replica.stop)
        sentinel = await asyncio.to_thread(sentinel_for, master)
        self.addCleanup(sentinel.stop)
        await faults.until("Sentinel to know the replica", lambda: len(
            sentinel.call("SENTINEL", "replicas", "crier")) == 1)
        url = f"redis+sentinel://{sentinel.address}/crier"
        there = []
        for number in (1, 2, 3):
            there.append(await asyncio.to_thread(Node, number, url, TIMEOUT))
            self.addCleanup(there[-1].close)
        peers = [ClusterPeer(f"{dialect}-{number}", dialect, node, history, ["", "room"])
                 for number, (node, dialect) in enumerate(itertools.product(there, DIALECTS))]
        for peer in peers:
            self.addAsyncCleanup(peer.abandon)
        await faults.ready(peers)
        load = faults.Load(peers, 10, chance)
        self.addAsyncCleanup(load.stop)

        async def acks(count):
            acked = history.count("acked")
            await faults.until("acks", lambda: history.count("acked") >= acked + count)
        await acks(100)
        # What it has not read when the master dies never comes to it: the sockets' buffers hold little.
        replica.call("CONFIG", "SET", "repl-timeout", 3600)
        master.call("CLIENT", "KILL", "TYPE", "replica")
        replica.call("REPLICAOF", "127.0.0.1", 1)  # it looks for its master where nobody is
        lagging = replica.info("slave_repl_offset")
        await acks(100)
        self.assertLess(int(lagging), int(master.info("master_repl_offset")))
        master.kill()
        await faults.until("the replica to be the master", lambda: sentinel.call(
            "SENTINEL", "get-master-addr-by-name", "crier")[1] == str(replica.port) and
            replica.info("role") == "master")

        async def connected():
            for node in there:
                if not await asyncio.to_thread(node.connected):
                    return False
            return True
        await faults.until("there to be connected", connected)
        await acks(200)
        await load.stop()
        await faults.until("all to be acked", lambda: not any(peer.unsettled for peer in peers))
        await faults.settle(peers, history)
        for peer in peers:
            await peer.stop()
        verdict = await asyncio.to_thread(history.check)
        print(f"acked {history.count('acked')}, received {history.count('received')}, told "
              f"{dict(history.told())}, again {verdict.again}", flush=True)
        if not verdict.clean:
            history.save("/tmp/history-sentinel")
        self.assertTrue(verdict.clean, f"{verdict}\nThe history is in /tmp/history-sentinel")
        self.assertGreater(history.told()["NEW_EPOCH"], 0)


if __name__ == "__main__":
    nodes.main()
