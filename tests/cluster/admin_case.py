"""What the tests of administration over nodes share."""

import asyncio
import itertools
import unittest

from nodes import Cluster  # sets the paths of the next ones
import faults
from admin_calls import Failed, actions, call, listed, name_of
from dialects import DIALECTS
from session import Session

PLACES = list(itertools.product(range(3), DIALECTS))


class AdminCase(unittest.IsolatedAsyncioTestCase):
    """Three nodes with `flags`; sessions of a test's own users and topics on them."""

    flags = ()
    token = None  # of calls, where nothing else is said
    numbers = itertools.count(1)

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(3, flags=cls.flags)
        cls.nodes = cls.cluster.nodes
        cls.names = [name_of(node, cls.token) for node in cls.nodes]

    @classmethod
    def tearDownClass(cls):
        for node in cls.nodes:
            node.stop()
        cls.cluster.close()

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)
        self.mark = f"m{next(self.numbers)}"  # names of this test begin so
        self.sessions = []

    async def asyncTearDown(self):
        await asyncio.gather(*(session.close() for session in self.sessions))

    async def session(self, node, dialect, user, topics=()):
        self.sessions.append(await Session.open(self.nodes[node], dialect, f"{self.mark}-{user}"))
        for topic in topics:
            await self.sessions[-1].follow(f"{self.mark}-{topic}")
        return self.sessions[-1]

    async def at_all(self, topics=()):
        """A session of a user of its own at each place."""
        return [await self.session(node, dialect, f"{node}-{dialect}", topics) for node, dialect in PLACES]

    async def ask(self, place, way, method, **request):
        request.setdefault("token", self.token)
        return await asyncio.to_thread(call, self.nodes[place], way, method, **request)

    async def list(self, place, way, method="ListSessions", field="sessions", **request):
        return await asyncio.to_thread(listed, self.nodes[place], way, method, field, **request)

    async def refused(self, place, way, method, **request):
        with self.assertRaises(Failed) as failed:
            await self.ask(place, way, method, **request)
        return failed.exception

    def users_in(self, sessions):
        """Of a list: this test's, each as often as it is there, sorted."""
        return sorted(session["userId"] for session in sessions
                      if session.get("userId", "").startswith(f"{self.mark}-"))

    async def logged(self, node, line):
        await faults.until(lambda: f"{line!r}; there are {actions(self.nodes[node])[-5:]}",
                           lambda: line in actions(self.nodes[node]))

    async def end(self, sessions, text=""):
        """Waits until all of these were ended by an administrator, and were told this."""
        for session in sessions:
            await faults.until(f"the end of {session.user} ({session.dialect})", lambda: session.ended)
            with self.assertRaises(Exception) as ended:
                session.check()
            said = str(ended.exception)
            self.assertIn("ABORTED" if session.dialect == "grpc" else "4410", said)
            self.assertIn(text, said)

    async def be_there(self, sessions):
        for session in sessions:
            await session.presence("")
