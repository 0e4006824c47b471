"""One node answers administrators for all, while others are silent or gone, or Redis is away: what is missing
is said, and nobody waits for long."""

import asyncio
import time
import unittest

import nodes  # sets the paths of the next ones
from nodes import Cluster, Node
import faults
from admin_calls import WAYS, Failed, actions, call, listed, name_of
from session import Session

PATIENCE = 2  # seconds that a node may take for its answer
AT_MOST = 10  # and that a call may take, on a busy machine

# Calls about all nodes.
ABOUT_ALL = {"ListNodes": {}, "ListSessions": {}, "ListTopics": {"prefix": "room"},
             "GetTopic": {"topic": "room"}, "GetSession": {"sessionId": "1"}}


class FaultsTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.cluster = await asyncio.to_thread(
            Cluster, 3, flags=("--cluster_timeout=500ms", "--drain_time=500ms"))
        self.addCleanup(self.cluster.close)
        self.nodes, self.sessions = self.cluster.nodes, []
        self.names = [name_of(node) for node in self.nodes]
        for node in self.nodes:
            session = await Session.open(node, "json", f"user-{node.number}")
            self.addAsyncCleanup(session.close)
            await session.follow("room")
            self.sessions.append(session)

    async def ask(self, place, way, method, **request):
        return await asyncio.to_thread(call, self.nodes[place], way, method, **request)

    async def refused(self, place, way, method, **request):
        with self.assertRaises(Failed) as failed:
            await self.ask(place, way, method, **request)
        return failed.exception

    async def users(self, place, way="http", **request):
        entries = await asyncio.to_thread(
            listed, self.nodes[place], way, "ListSessions", "sessions", **request)
        return sorted(entry["userId"] for entry in entries)

    async def gone(self, number):
        async def left():
            answer = await self.ask(0, "http", "ListNodes")
            return len(answer["nodes"]) == number and not answer.get("silentNodes")
        await faults.until(f"{number} nodes", left)

    # --- A node that is silent.

    async def test_a_node_stands_still(self):
        self.nodes[2].pause()

        async def nodes_are(way):
            began = time.monotonic()
            answer = await self.ask(0, way, "ListNodes")
            took = time.monotonic() - began
            self.assertTrue(PATIENCE - 0.1 <= took < AT_MOST, took)
            self.assertEqual(1, answer["silentNodes"])
            self.assertEqual(sorted(self.names[:2]), [info["node"] for info in answer["nodes"]])

        async def sessions_are(way):
            users, token = [], ""
            while True:
                page = await self.ask(0, way, "ListSessions", pageSize=1, pageToken=token)
                self.assertEqual(1, page["silentNodes"])
                users += [entry["userId"] for entry in page.get("sessions", [])]
                token = page.get("nextPageToken", "")
                if not token:
                    break
            self.assertEqual(["user-1", "user-2"], sorted(users))

        async def topics_are(way):
            found, token = [], ""
            while True:
                page = await self.ask(0, way, "ListTopics", prefix="room", pageToken=token)
                self.assertEqual(1, page["silentNodes"])
                found += page.get("topics", [])
                token = page.get("nextPageToken", "")
                if not token:
                    break
            one = await self.ask(0, way, "GetTopic", topic="room")
            self.assertEqual(1, one.pop("silentNodes"))
            for info in found + [one]:
                self.assertEqual(("room", "2", 2), (info["topic"], info["followers"], info["nodes"]))
            self.assertEqual(1, len(found))

        async def alone(way, method, **request):
            failed = await self.refused(0, way, method, **request)
            self.assertEqual("unavailable", failed.code)
            self.assertIn("1 node has not answered within two seconds", failed.text)
        methods = ("GetServerInfo", "ListNodes", "ListSessions", "ListTopics", "SetLogLevel")
        await asyncio.gather(*(
            check(way) for way in WAYS for check in (nodes_are, sessions_are, topics_are)), *(
            alone(way, method, node=self.names[2]) for way in WAYS for method in methods), *(
            # A session that is nowhere else may be there.
            alone(way, "GetSession", sessionId="1") for way in WAYS))

    async def test_it_goes_on(self):
        self.nodes[2].pause()
        answer = await self.ask(0, "http", "Disconnect", userId="user-1")
        self.assertEqual({"disconnected": "1", "silentNodes": 1}, answer)
        self.nodes[2].resume()

        async def answers():
            # Each of those that are asked below.
            lists = [await self.ask(place, "grpc", "ListNodes") for place in (0, 2)]
            return all("silentNodes" not in nodes and len(nodes["nodes"]) == 3 for nodes in lists)
        await faults.until("all nodes to answer", answers)
        self.assertEqual(["user-2", "user-3"], await self.users(0))
        self.assertEqual(["user-2", "user-3"], await self.users(2, "grpc"))

    async def test_disconnect_counts_who_does_not_answer(self):
        twins = [await Session.open(node, "proto", "twin") for node in self.nodes]
        for twin in twins:
            self.addAsyncCleanup(twin.close)
        self.nodes[1].pause()
        answer = await self.ask(2, "grpc", "Disconnect", userId="twin")
        self.assertEqual({"disconnected": "2", "silentNodes": 1}, answer)
        self.assertFalse(twins[1].ended)
        self.nodes[1].resume()
        # It was told: when it goes on, it does so.
        await faults.until("the third to end", lambda: twins[1].ended)
        self.assertTrue(all(not session.ended for session in self.sessions))

    # --- A node that goes.

    async def test_a_page_of_a_node_that_has_gone(self):
        order = sorted(range(3), key=self.names.__getitem__)
        asked = order[2]  # its own sessions come last
        for going in (order[0], order[1]):
            for place in (going, going, asked):
                session = await Session.open(self.nodes[place], "json", f"more-{len(self.sessions)}")
                self.addAsyncCleanup(session.close)
                self.sessions.append(session)
            before = await self.users(asked)
            page = await self.ask(asked, "http", "ListSessions", pageSize=1)
            found = [entry["userId"] for entry in page["sessions"]]
            # It is the first one in the list, and has more.
            self.assertTrue(page["nextPageToken"].startswith(self.names[going] + "/"), page)
            of_it = await self.users(asked, node=self.names[going])
            self.nodes[going].kill()

            async def known():
                return self.names[going] not in [
                    info["node"] for info in (await self.ask(asked, "http", "ListNodes"))["nodes"]]
            await faults.until("it to be known", known)
            while page.get("nextPageToken"):
                page = await self.ask(asked, "grpc", "ListSessions", pageSize=1,
                                      pageToken=page["nextPageToken"])
                found += [entry["userId"] for entry in page.get("sessions", [])]
            self.assertEqual([user for user in before if user not in of_it],
                             sorted(user for user in found if user not in of_it))
            failed = await self.refused(asked, "http", "GetServerInfo", node=self.names[going])
            self.assertEqual("not_found", failed.code)

    async def test_a_node_is_drained_by_name(self):
        failed = await self.refused(0, "http", "Drain", node="nobody")
        self.assertEqual("not_found", failed.code)
        answer = await self.ask(0, "grpc", "Drain", node=self.names[1])
        self.assertEqual({"drainTime": "0.500s"}, answer)
        await faults.until("it to end", lambda: self.nodes[1].crierd.process.poll() is not None)
        self.nodes[1].up = False
        self.assertEqual(0, self.nodes[1].crierd.process.returncode)
        self.assertIn(f"Drain by local from 127.0.0.1 by way of {self.names[0]}: over 500 ms",
                      actions(self.nodes[1]))
        self.assertTrue([event for event in self.sessions[1].events if event.HasField("drain")])
        await self.gone(2)
        for place in (0, 2):
            self.assertEqual([], actions(self.nodes[place]))
            self.assertEqual("Ack", (await self.sessions[place].publish("x", "room")).DESCRIPTOR.name)
        # Without a name: the one that is asked.
        await self.ask(2, "http", "Drain")
        await faults.until("the other one to end", lambda: self.nodes[2].crierd.process.poll() is not None)
        await self.gone(1)
        self.assertEqual("Ack", (await self.sessions[0].publish("x", "room")).DESCRIPTOR.name)

    async def test_a_node_that_has_just_begun(self):
        node = Node(4, self.nodes[0].url)
        self.addCleanup(node.close)
        self.nodes.append(node)
        for way in WAYS:
            self.assertEqual(sorted(self.names + [name_of(node)]),
                             [info["node"] for info in (await self.ask(3, way, "ListNodes"))["nodes"]])
            self.assertEqual(["user-1", "user-2", "user-3"], await self.users(3, way))

        async def known():
            return len((await self.ask(0, "http", "ListNodes"))["nodes"]) == 4
        await faults.until("it to be known", known)

    # --- Redis is away.

    async def about_all_fails(self):
        for way in WAYS:
            for method, request in ABOUT_ALL.items():
                with self.subTest(way=way, method=method):
                    began = time.monotonic()
                    failed = await self.refused(0, way, method, **request)
                    self.assertLess(time.monotonic() - began, AT_MOST)
                    self.assertEqual("unavailable", failed.code)
                    self.assertIn("Redis is away", failed.text)
                    self.assertIn('node "."', failed.text)
                    if way == "http":
                        self.assertEqual(503, failed.status)
            for method in ("GetServerInfo", "ListSessions", "Drain"):
                failed = await self.refused(0, way, method, node=self.names[1])
                self.assertEqual("unavailable", failed.code)
                self.assertIn("Redis is away", failed.text)

    async def here_answers(self):
        for way in WAYS:
            for name in (".", self.names[0]):
                with self.subTest(way=way, name=name):
                    answer = await self.ask(0, way, "ListNodes", node=name)
                    self.assertEqual([self.names[0]], [info["node"] for info in answer["nodes"]])
                    self.assertEqual(["user-1"], await self.users(0, way, node=name))
                    one = await self.ask(0, way, "GetTopic", topic="room", node=name)
                    self.assertEqual(("1", 1), (one["followers"], one["nodes"]))
                    topics = await self.ask(0, way, "ListTopics", prefix="room", node=name)
                    self.assertEqual(["room"], [topic["topic"] for topic in topics["topics"]])
            self.assertEqual(self.names[0], (await self.ask(0, way, "GetServerInfo"))["node"])
            self.assertEqual({"previous": "info"}, await self.ask(0, way, "SetLogLevel", level="info"))

    async def be_well(self):
        async def well():
            try:
                answer = await self.ask(0, "http", "ListNodes")
            except Failed:
                return False
            return sorted(self.names) == [info["node"] for info in answer["nodes"]]
        await faults.until("all to be well", well)
        self.assertTrue(all(not session.ended for session in self.sessions[1:]))

    async def test_redis_is_killed(self):
        self.cluster.redis.kill()
        # At once, and when the node has seen it.
        for _ in range(2):
            await self.about_all_fails()
            await self.here_answers()
            await faults.until("it to be seen", lambda: not self.nodes[0].connected())
        for way in WAYS:
            twin = await Session.open(self.nodes[0], "json", "twin")
            self.addAsyncCleanup(twin.close)
            failed = await self.refused(0, way, "Disconnect", userId="twin")
            self.assertEqual("unavailable", failed.code)
            self.assertIn("sessions that were told here: 1", failed.text)
            await faults.until("it to end", lambda: twin.ended)
        self.assertEqual({"disconnected": "1"},
                         await self.ask(0, "http", "Disconnect", userId="user-1", node="."))
        self.cluster.redis.start()
        await self.be_well()

    async def test_redis_stands_still(self):
        self.cluster.redis.pause()
        await self.about_all_fails()
        await self.here_answers()
        self.cluster.redis.resume()
        await self.be_well()


class WithoutClusterTest(unittest.TestCase):
    """One server, without Redis: all of it is there, about itself."""

    def test_the_same_calls(self):
        with nodes.support.Crierd() as crierd:
            for way in WAYS:
                info = call(crierd, way, "GetServerInfo")
                self.assertEqual("", info.get("node", ""))
                answer = call(crierd, way, "ListNodes")
                self.assertEqual([(crierd.admin, True)], [
                    (node["adminListen"], node["asked"]) for node in answer["nodes"]])
                for method in ("ListNodes", "ListSessions", "ListTopics", "GetServerInfo"):
                    call(crierd, way, method, node=".")
                    with self.assertRaises(Failed) as failed:
                        call(crierd, way, method, node="other")
                    self.assertEqual("not_found", failed.exception.code)


if __name__ == "__main__":
    nodes.main()
