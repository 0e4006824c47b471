"""One node answers administrators for all: what it lists and shows of three nodes, by gRPC and by HTTP alike.
cluster_admin_actions_test.py has what it does, cluster_admin_faults_test.py nodes that are silent or gone."""

import asyncio
import itertools

import nodes  # sets the paths of the next ones
import faults
from admin_calls import WAYS, Failed
from admin_case import PLACES, AdminCase
from dialects import DIALECTS
from session import Session


class ListTest(AdminCase):
    async def test_nodes(self):
        await self.session(1, "grpc", "one")
        self.assertEqual(3, len(set(self.names)))
        for node, way in itertools.product(range(3), WAYS):
            with self.subTest(node=node, way=way):
                answer = await self.ask(node, way, "ListNodes")
                self.assertEqual(0, answer.get("silentNodes", 0))
                infos = answer["nodes"]
                self.assertEqual(sorted(self.names), [info["node"] for info in infos])
                by_name = {info["node"]: info for info in infos}
                for name, place in zip(self.names, self.nodes):
                    info = by_name[name]
                    self.assertEqual(name == self.names[node], info.get("asked", False))
                    self.assertEqual(
                        (place.http, place.grpc, place.admin, False),
                        (info["httpListen"], info["grpcListen"], info["adminListen"],
                         info.get("draining", False)))
                    own = await self.ask(self.nodes.index(place), way, "GetServerInfo")
                    self.assertEqual((own["version"], own["startedAt"], name),
                                     (info["version"], info["startedAt"], own["node"]))

                async def counted():
                    infos = (await self.ask(node, way, "ListNodes"))["nodes"]
                    return {info["node"]: int(info["stats"].get("grpcSessions", 0)) for info in infos} == {
                        name: int(place == 1) for place, name in enumerate(self.names)}
                await faults.until("each node's own numbers", counted)

    async def test_one_node_of_them(self):
        for node, way in itertools.product(range(3), WAYS):
            here = await self.ask(node, way, "ListNodes", node=".")
            self.assertEqual([(self.names[node], True)],
                             [(info["node"], info["asked"]) for info in here["nodes"]])
            there = await self.ask(node, way, "ListNodes", node=self.names[(node + 1) % 3])
            self.assertEqual([self.names[(node + 1) % 3]], [info["node"] for info in there["nodes"]])
            self.assertFalse(there["nodes"][0].get("asked", False))  # another one was asked

    async def test_sessions_of_all_nodes(self):
        sessions = await self.at_all(["room"])
        users = sorted(session.user for session in sessions)
        for node, way in itertools.product(range(3), WAYS):
            with self.subTest(node=node, way=way):
                entries = await self.list(node, way)
                self.assertEqual(users, self.users_in(entries))
                of_node = {entry["userId"]: entry["node"] for entry in entries if "userId" in entry}
                for place, dialect in PLACES:
                    self.assertEqual(self.names[place], of_node[f"{self.mark}-{place}-{dialect}"])
                # The filter goes to all of them.
                for transport, dialects in (("GRPC", {"grpc"}), ("WEBSOCKET", {"plain", "json", "proto"})):
                    found = await self.list(node, way, filter={
                        "topic": f"{self.mark}-room", "transport": transport})
                    self.assertEqual(sorted(f"{self.mark}-{place}-{dialect}" for place, dialect in PLACES
                                            if dialect in dialects), self.users_in(found))
                found = await self.list(node, way, filter={"userId": f"{self.mark}-2-json"})
                self.assertEqual([(self.names[2], "WEBSOCKET", 1)],
                                 [(one["node"], one["transport"], one["topics"]) for one in found])

    async def test_sessions_of_one_node(self):
        await self.at_all()
        for node, way in itertools.product(range(3), WAYS):
            other = (node + 1) % 3
            for name, place in ((".", node), (self.names[node], node), (self.names[other], other)):
                with self.subTest(node=node, way=way, name=name):
                    entries = await self.list(node, way, node=name)
                    self.assertEqual(sorted(f"{self.mark}-{place}-{dialect}" for dialect in DIALECTS),
                                     self.users_in(entries))
                    self.assertEqual({self.names[place]}, {entry["node"] for entry in entries})
                    entries = await self.list(node, way, node=name, pageSize=1)
                    self.assertEqual(sorted(f"{self.mark}-{place}-{dialect}" for dialect in DIALECTS),
                                     self.users_in(entries))

    async def test_pages_while_others_come_and_go(self):
        """Whoever is there all the time is on one page, once."""
        stay = [await self.session(node, dialect, f"stays-{node}-{dialect}-{number}")
                for number in range(3) for node, dialect in PLACES]
        users = sorted(session.user for session in stay)
        going = True

        async def come_and_go(node):
            while going:
                for dialect in DIALECTS:
                    comer = await Session.open(self.nodes[node], dialect, f"other-{node}")
                    await comer.close()
        others = [asyncio.ensure_future(come_and_go(node)) for node in range(3)]
        try:
            for node, (way, size) in enumerate([("grpc", 1), ("http", 2), ("grpc", 5), ("http", 7)]):
                found = []
                token = ""
                while True:
                    page = await self.ask(node % 3, way, "ListSessions", pageSize=size, pageToken=token)
                    self.assertLessEqual(len(page.get("sessions", [])), size)
                    found += page.get("sessions", [])
                    token = page.get("nextPageToken", "")
                    if not token:
                        break
                self.assertEqual(users, self.users_in(found))
            ids = [entry["sessionId"] for entry in found]
            self.assertEqual(len(ids), len(set(ids)))
        finally:
            going = False
            await asyncio.gather(*others)

    async def test_a_page_token_that_none_has_given(self):
        for way, token in itertools.product(WAYS, ("x", "/", f"{self.names[1]}/x", "1.2", "zzz/")):
            for method in ("ListSessions", "ListTopics"):
                try:
                    page = await self.ask(0, way, method, pageToken=token)
                except Failed as failed:
                    self.assertEqual("invalid_argument", failed.code)
                    self.assertIn("page_token", failed.text)
                else:  # the first page, and one behind the last node
                    self.assertIn(token, ("/", "zzz/"))
                    if token == "zzz/":
                        self.assertEqual({}, page)

    async def test_one_session_of_another_node(self):
        sessions = await self.at_all(["room"])
        ids = {}
        for entry in await self.list(0, "http"):
            ids[entry.get("userId")] = entry["sessionId"]
        self.assertEqual(len(PLACES), len({ids[session.user] for session in sessions}))
        for place, dialect in PLACES:
            user = f"{self.mark}-{place}-{dialect}"
            for node, way in itertools.product(range(3), WAYS):
                for name in ("", self.names[place]) + ((".",) if node == place else ()):
                    details = await self.ask(node, way, "GetSession", sessionId=ids[user], node=name)
                    self.assertEqual((ids[user], user, self.names[place]), tuple(
                        details["session"][key] for key in ("sessionId", "userId", "node")))
                    self.assertEqual([f"{self.mark}-room"],
                                     [topic["topic"] for topic in details["topics"] if "topic" in topic])
                wrong = [self.names[(place + 1) % 3]] + (["."] if node != place else [])
                for name in wrong:
                    failed = await self.refused(node, way, "GetSession", sessionId=ids[user], node=name)
                    self.assertEqual("not_found", failed.code)
        for way in WAYS:
            failed = await self.refused(0, way, "GetSession", sessionId="1")
            self.assertEqual("not_found", failed.code)

    # --- Topics.

    async def test_a_topic_of_several_nodes_is_listed_once(self):
        places = {"first": [0], "second": [1, 2], "third": [0, 1, 2], "last": [2]}
        for topic, where in places.items():
            for node in where:
                for number in range(node + 1):
                    await self.session(node, DIALECTS[number], f"reader-{topic}", [topic])
        wanted = {f"{self.mark}-{topic}": (sum(node + 1 for node in where), len(where))
                  for topic, where in places.items()}
        sender = await self.session(0, "proto", "sender")
        for number in range(5):
            ack = await sender.publish(f"{number}", f"{self.mark}-second")
        for reader in self.sessions:
            if reader.user.endswith("second"):
                await reader.bodies(f"{self.mark}-second", list("01234"))
        for node, way, size in itertools.product(range(3), WAYS, (0, 1, 2)):
            with self.subTest(node=node, way=way, size=size):
                found = await self.list(node, way, "ListTopics", "topics", prefix=f"{self.mark}-",
                                        pageSize=size)
                self.assertEqual(wanted, {topic["topic"]: (int(topic["followers"]), topic["nodes"])
                                          for topic in found})
                self.assertEqual(len(wanted), len(found))
                second = next(topic for topic in found if topic["topic"].endswith("second"))
                self.assertEqual((str(ack.epoch), "1", "5"),
                                 tuple(second[key] for key in ("epoch", "tail", "head")))
                for topic, (followers, count) in wanted.items():
                    one = await self.ask(node, way, "GetTopic", topic=topic)
                    self.assertEqual((topic, str(followers), count),
                                     (one["topic"], one["followers"], one["nodes"]))

    async def test_a_topic_on_one_node(self):
        for node in range(3):
            for number in range(node + 1):
                await self.session(node, DIALECTS[number], "reader", ["room"])
        topic = f"{self.mark}-room"
        for node, way in itertools.product(range(3), WAYS):
            for name, place in ((".", node), (self.names[(node + 1) % 3], (node + 1) % 3)):
                one = await self.ask(node, way, "GetTopic", topic=topic, node=name)
                self.assertEqual((str(place + 1), 1), (one["followers"], one["nodes"]))
                found = await self.list(node, way, "ListTopics", "topics", prefix=topic, node=name)
                self.assertEqual([(topic, str(place + 1), 1)],
                                 [(info["topic"], info["followers"], info["nodes"]) for info in found])

    async def test_a_topic_that_is_not_there(self):
        for node, way, name in itertools.product(range(3), WAYS, ("", ".", self.names[1])):
            self.assertEqual({"topic": f"{self.mark}-none"}, await self.ask(
                node, way, "GetTopic", topic=f"{self.mark}-none", node=name))
            self.assertEqual([], await self.list(node, way, "ListTopics", "topics",
                                                 prefix=f"{self.mark}-none", node=name))

    async def test_pages_of_topics_while_others_come_and_go(self):
        for number in range(12):
            for node in {number % 3, (number + number // 3) % 3}:
                await self.session(node, DIALECTS[number % 4], "reader", [f"room-{number:02}"])
        wanted = {f"{self.mark}-room-{number:02}": len({number % 3, (number + number // 3) % 3})
                  for number in range(12)}
        others = [await self.session(node, "proto", "other") for node in range(3)]
        going = True

        async def come_and_go(session, node):
            for number in itertools.count():
                if not going:
                    return
                topic = f"{self.mark}-other-{node}-{number % 7}"
                await session.follow(topic)
                await session.unfollow(topic)
        tasks = [asyncio.ensure_future(come_and_go(*each)) for each in zip(others, range(3))]
        try:
            for node, (way, size) in enumerate([("grpc", 1), ("http", 2), ("grpc", 3), ("http", 4)]):
                found = await self.list(node % 3, way, "ListTopics", "topics", prefix=f"{self.mark}-",
                                        pageSize=size)
                rooms = [info for info in found if "-room-" in info["topic"]]
                self.assertEqual(sorted(wanted), sorted(info["topic"] for info in rooms))
                self.assertEqual(wanted, {info["topic"]: info["nodes"] for info in rooms})
        finally:
            going = False
            await asyncio.gather(*tasks)

    async def test_a_topic_that_nodes_come_to_and_leave_between_two_pages(self):
        """What stays where it is comes once. What nodes come to, or leave, between two pages may be missing, or
        come twice (docs/admin.md), and disturbs nothing else."""
        first, _, last = sorted(range(3), key=self.names.__getitem__)
        for way, asked in itertools.product(WAYS, (first, last)):
            with self.subTest(way=way, asked=asked):
                self.mark = f"m{next(self.numbers)}"
                await self.session(last, "json", "reader", ["comes", "leaves", "stays"])
                leaves = await self.session(first, "proto", "leaves", ["leaves", "stays"])
                comes = await self.session(first, "grpc", "comes", ["stays"])
                found, token = [], ""
                while True:
                    page = await self.ask(asked, way, "ListTopics", prefix=f"{self.mark}-", pageSize=1,
                                          pageToken=token)
                    found += [info["topic"] for info in page.get("topics", [])]
                    token = page.get("nextPageToken", "")
                    if not token:
                        break
                    if token == f"{self.names[last]}/":
                        await comes.follow(f"{self.mark}-comes")
                        await leaves.unfollow(f"{self.mark}-leaves")
                self.assertEqual(found.count(f"{self.mark}-stays"), 1)
                self.assertLessEqual(set(found), {f"{self.mark}-{topic}"
                                                  for topic in ("comes", "leaves", "stays")})
                self.assertLessEqual(len(found), 4)


if __name__ == "__main__":
    nodes.main()
