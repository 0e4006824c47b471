"""Who comes to a topic and who goes, over three nodes: a watcher on any of them, in any dialect, is told of
all. cluster_presence_faults_test.py has what happens when nodes and Redis fail."""

import asyncio
import itertools

import nodes  # sets the paths of the next ones
from nodes import Cluster
import faults
from dialects import DIALECTS
from listener import Crowd, Listener
from presence_case import PATIENCE, PresenceCase
from room import MOST_NAMES, MOST_USERS, Room

PLACES = list(itertools.product(range(3), DIALECTS))


class WatchTest(PresenceCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3)
        cls.nodes = cls.cluster.nodes

    @classmethod
    def tearDownClass(cls):
        for node in cls.nodes:
            node.stop()
        cls.cluster.close()

    async def watchers(self, topic=None):
        """A room for each node and each dialect, and the names of those who watch."""
        rooms = await asyncio.gather(*(
            self.watch(node, dialect, f"watcher-{node}-{dialect}", topic) for node, dialect in PLACES))
        return rooms, {room.session.user for room in rooms}

    async def test_the_first_presence_names_those_on_all_nodes(self):
        async def look(node, dialect):
            topic, there = self.new_topic(), {"here", "next", "last"}
            for number, user in enumerate(sorted(there)):
                await self.follow((node + number) % 3, dialect, user, topic)
            await self.follow((node + 1) % 3, dialect, "", topic)
            room = await self.watch(node, dialect, "watcher", topic)
            complete = self.assert_complete(room, there | {"watcher"})
            if complete:
                self.assertEqual((5, 4), (room.told[0].sessions, room.told[0].user_count))
            await room.becomes(there | {"watcher"}, 5)
            return complete
        self.assertTrue(any(await asyncio.gather(*(look(*place) for place in PLACES))))

    async def test_they_come_and_go_on_every_node_and_in_every_way(self):
        rooms, there = await self.watchers()
        await self.all_become(rooms, there, 12)
        comers = [await self.follow(node, dialect, f"comer-{node}-{dialect}") for node, dialect in PLACES]
        names = {comer.user for comer in comers}
        await self.all_become(rooms, there | names, 24)
        for comer in comers[0::3]:
            await comer.unfollow(self.topic)
        for comer in comers[1::3]:
            await comer.close()
        for comer in comers[2::3]:
            comer.drop()
        await self.all_become(rooms, there, 12)
        # They come back, some to another node.
        for number, comer in enumerate(comers):
            await self.follow((number + number % 2) % 3, comer.dialect, comer.user)
        await self.all_become(rooms, there | names, 24)

    async def test_a_user_on_several_nodes_comes_once_and_goes_with_the_last(self):
        async def look(order):
            topic = self.new_topic()
            rooms = [await self.watch(node, dialect, f"watcher-{node}", topic)
                     for node, dialect in enumerate(("plain", "grpc", "json"))]
            there = {room.session.user for room in rooms}
            await self.all_become(rooms, there, 3)
            before = [room.count("joined_count") for room in rooms]
            bobs = {}
            for number, node in enumerate(order):
                bobs[node] = await self.follow(node, DIALECTS[number], "bob", topic)
                await self.all_become(rooms, there | {"bob"}, 4 + number)
            second = await self.follow(order[0], "proto", "bob", topic)
            await self.all_become(rooms, there | {"bob"}, 7)
            await second.close()
            await self.all_become(rooms, there | {"bob"}, 6)
            for number, node in enumerate(order[1:] + order[:1]):
                self.assertEqual([0] * 3, [room.count("left_count") for room in rooms])
                await bobs[node].close()
                await self.all_become(rooms, there | ({"bob"} if number < 2 else set()), 5 - number)
            self.assertEqual([1] * 3, [room.count("left_count") for room in rooms])
            self.assertEqual([count + 1 for count in before],
                             [room.count("joined_count") for room in rooms])
        await asyncio.gather(*map(look, itertools.permutations(range(3))))

    async def test_a_user_who_goes_to_another_node_was_there_all_the_time(self):
        rooms, there = await self.watchers()
        session = await self.follow(0, "json", "bob")
        await self.all_become(rooms, there | {"bob"}, 13)
        for node, dialect in ((1, "plain"), (2, "proto"), (0, "grpc")):
            new = await self.follow(node, dialect, "bob")
            await self.all_become(rooms, there | {"bob"}, 14)
            await session.close()
            session = new
            await self.all_become(rooms, there | {"bob"}, 13)
        self.assertEqual([0] * 12, [room.count("left_count") for room in rooms])

    async def test_sessions_without_a_user_are_counted(self):
        rooms, there = await self.watchers()
        await self.all_become(rooms, there, 12)
        known = [room.count("joined_count") for room in rooms]
        nobodies = [await self.follow(node, dialect, "") for node, dialect in PLACES]
        await self.all_become(rooms, there, 24)
        for nobody in nobodies[:7]:
            await nobody.close()
        await self.all_become(rooms, there, 17)
        self.assertEqual(known, [room.count("joined_count") for room in rooms])
        self.assertEqual([0] * 12, [room.count("left_count") for room in rooms])

    async def test_a_crowd_on_another_node(self):
        """More names than a frame between nodes takes, than a Presence names, and than a change names."""
        first = await self.watch(0, "plain", "first")
        names = [f"user-{number:04}-{'x' * 60}" for number in range(MOST_USERS + 200)]
        crowd = await Crowd.open(self.nodes[2], self.topic, names)
        self.addAsyncCleanup(crowd.close)
        there = set(names) | {"first"}
        await first.becomes(there, len(there))
        self.assertFalse(first.all_named)
        in_time = 0
        for node, dialect in ((1, "json"), (2, "grpc"), (0, "proto")):
            late = await self.watch(node, dialect, f"late-{node}")
            there.add(late.session.user)
            if late.took < PATIENCE:
                in_time += 1
                self.assertEqual((MOST_USERS, len(there), len(there)),
                                 (len(late.told[0].users), late.told[0].user_count, late.told[0].sessions))
                self.assertLessEqual(set(late.told[0].users), there)
            await late.becomes(there, len(there))
        self.assertGreater(in_time, 0)
        gone = names[:MOST_USERS]
        crowd.leave(gone)
        there -= set(gone)
        await first.becomes(there, len(there))
        most = max(event.left_count for event in first.told[1:]
                   if event.DESCRIPTOR.name == "PresenceChange")
        self.assertGreater(most, MOST_NAMES)
        # Asked again, it has all names, and is told of all from then on.
        await first.again()
        self.assertEqual((True, there), (first.all_named, first.users))
        crowd.leave(crowd.names[:MOST_NAMES // 2])
        there = set(crowd.names) | (there - set(names))
        await first.becomes(there, len(there))
        self.assertTrue(first.all_named)

    async def test_it_watches_again(self):
        """What it is told at once is right, whatever has changed while it did not watch."""
        rooms, there = await self.watchers()
        stays = [await self.follow(node, "plain", f"stays-{node}") for node in range(3)]
        leaves = [await self.follow(node, "grpc", f"leaves-{node}") for node in range(3)]
        known = there | {session.user for session in stays + leaves}
        await self.all_become(rooms, known, 18)
        for room in rooms:
            await room.leave()
        # Nobody watches now, and nothing has changed.
        again = [await room.again() for room in rooms]
        known_users = known - there
        for presence in again:
            self.assertLessEqual(known_users, set(presence.users))
        await self.all_become(rooms, known, 18)
        for room in rooms:
            await room.leave()
        for session in leaves:
            await session.close()
        for node in range(3):
            await self.follow(node, "json", f"comes-{node}")
            await self.follow(node, "proto", "stays-0")
        for room in rooms:
            self.assertEqual(0, room.version)
        await asyncio.gather(*(room.again() for room in rooms))
        known = there | {session.user for session in stays} | {f"comes-{node}" for node in range(3)}
        await self.all_become(rooms, known, 21)

    async def test_it_goes_on_without_presence(self):
        """A subscription without `presence` ends the changes, for this session only."""
        rooms, there = await self.watchers()
        await self.all_become(rooms, there, 12)
        silent, told = rooms[0::2], rooms[1::2]
        for room in silent:
            await room.session.follow(self.topic)
            room.look()
            room.version = 0  # nothing may come
        await self.follow(1, "plain", "comer")
        await self.all_become(told, there | {"comer"}, 13)
        for room in silent:
            room.look()
            await room.again()
        await self.all_become(rooms, there | {"comer"}, 13)

    async def test_the_topic_that_everybody_follows(self):
        rooms, there = await self.watchers("")
        await self.all_become(rooms, there, 12)
        comers = [await self.session(node, dialect, f"comer-{node}") for node, dialect in PLACES[::2]]
        names = there | {comer.user for comer in comers}
        await self.all_become(rooms, names, 18)
        await self.session(2, "grpc", "")
        await self.all_become(rooms, names, 19)
        for number, comer in enumerate(comers):
            if number % 2:
                await comer.close()
            else:
                comer.drop()
        await self.all_become(rooms, there, 13)

    async def test_grpcs_subscribe_watches_too(self):
        await self.follow(1, "json", "there")
        listener = Listener(self.nodes[0], "listener")
        self.addAsyncCleanup(listener.close)
        room = await Room.watch(listener, self.topic)
        self.assert_complete(room, {"there", "listener"})
        comer = await self.follow(2, "plain", "comer")
        await room.becomes({"there", "listener", "comer"}, 3)
        await comer.close()
        await room.becomes({"there", "listener"}, 2)

    async def test_many_topics_of_one_session(self):
        """Each is at home on a shard of its own choice, on each node."""
        topics = [self.new_topic() for _ in range(60)]
        watcher = await self.session(0, "proto", "watcher")
        rooms = await asyncio.gather(*(Room.watch(watcher, topic) for topic in topics))
        comers = {node: await self.session(node, "json", f"comer-{node}") for node in range(3)}
        for comer in comers.values():
            await asyncio.gather(*map(comer.follow, topics))
        everybody = {"watcher", "comer-0", "comer-1", "comer-2"}
        await self.all_become(rooms, everybody, 4)
        await asyncio.gather(*map(comers[1].unfollow, topics[::2]))
        await comers[2].close()
        await self.all_become(rooms[1::2], everybody - {"comer-2"}, 3)
        await self.all_become(rooms[::2], everybody - {"comer-1", "comer-2"}, 2)

    async def test_by_chance(self):
        """Some hundred steps, and after each fifty all watchers know who is there."""
        chance = faults.chance("presence")
        rooms, there = await self.watchers()
        users = [f"user-{number}" for number in range(8)] + [""]
        sessions = []
        for node, dialect in PLACES * 2:
            sessions.append(await self.session(node, dialect, chance.choice(users)))
        following = set()
        for _ in range(6):
            for _ in range(50):
                place = chance.randrange(len(sessions))
                session = sessions[place]
                if session in following:
                    following.discard(session)
                    await chance.choice([session.close, lambda: session.unfollow(self.topic)])()
                    if session.ended:
                        self.sessions.remove(session)
                        sessions[place] = await self.session(
                            chance.randrange(3), chance.choice(DIALECTS), chance.choice(users))
                else:
                    following.add(session)
                    await session.follow(self.topic)
            names = {session.user for session in following if session.user}
            await self.all_become(rooms, there | names, 12 + len(following))


if __name__ == "__main__":
    nodes.main()
