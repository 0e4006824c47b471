"""What the tests of presence share: sessions that follow or watch a topic of each test's own."""

import asyncio
import itertools
import unittest

from room import Room
from session import Session

# Nodes wait so long for each other before they tell who is there (server/cluster/presence_watch.cc). A first
# Presence that took less has everybody.
PATIENCE = 0.9  # seconds

_topics = (f"topic-{number}" for number in itertools.count(1))


class PresenceCase(unittest.IsolatedAsyncioTestCase):
    """self.nodes: where its sessions go."""

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.topic, self.sessions = next(_topics), []

    async def asyncTearDown(self):
        await asyncio.gather(*(session.close() for session in self.sessions))

    @staticmethod
    def new_topic():
        return next(_topics)

    async def session(self, node, dialect, user):
        self.sessions.append(await Session.open(self.nodes[node], dialect, user))
        return self.sessions[-1]

    async def follow(self, node, dialect, user, topic=None):
        session = await self.session(node, dialect, user)
        await session.follow(self.topic if topic is None else topic)
        return session

    async def watch(self, node, dialect, user, topic=None):
        session = await self.session(node, dialect, user)
        return await Room.watch(session, self.topic if topic is None else topic)

    async def all_become(self, rooms, users, sessions):
        await asyncio.gather(*(room.becomes(users, sessions) for room in rooms))

    def assert_complete(self, room, users, presence=None):
        """The first Presence that it was told has all of these. True: nobody was waited for too long, so that
        this was looked at."""
        if room.took >= PATIENCE:
            return False
        presence = presence or room.told[0]
        self.assertLessEqual(set(users), set(presence.users), f"after {room.took:.2f} s, for {room}")
        return True
