"""A client of a cluster: a Peer (tests/faults/peer.py) that sends again, with the same id, what was not
acked: after UNAVAILABLE, after OVERLOADED, and after its session was lost. It comes back wherever its
server says, also to another node."""

import asyncio

from dialects import SessionEnded
from model import v1
from peer import Peer

AGAIN = ("UNAVAILABLE", "OVERLOADED", "NO_RECIPIENT")
PAUSE = 0.05  # seconds before it sends again; twice as many each time, up to the next one
LONGEST_PAUSE = 0.4
MOST_UNSETTLED = 50  # messages. So those that wait for a server that is away do not keep it busy for ever


class ClusterPeer(Peer):
    def __init__(self, *arguments, **more):
        self._pauses = {}  # message -> the next one
        self.unsettled = {}  # message -> (topic, to, padding): sent, and neither acked nor given up
        self._repeats = set()  # tasks
        super().__init__(*arguments, **more)

    async def publish(self, topic="", to=None, repeat=1, padding=0):
        if not self.ready.is_set() or len(self.unsettled) >= MOST_UNSETTLED:
            return False
        message = f"{self.name}-{next(self._numbers)}"
        self.unsettled[message] = content = (topic, to, padding)
        for _ in range(repeat):
            await self._send(message, *content)
        return True

    async def _send(self, message, topic, to, padding):
        frame = v1.ClientFrame()
        frame.publish.id = message
        frame.publish.body = message + " " * padding
        if to is None:
            frame.publish.action_type, frame.publish.topic = v1.BROADCAST, topic
        else:
            frame.publish.action_type, frame.publish.to = v1.DIRECT, to
        link = self._link
        if link is None:
            return
        self.history.sent(self.name, message, topic, to)
        self.open.add(message)
        try:
            await link.send(frame)
        except SessionEnded:
            pass  # the reader notices

    def _later(self, message):
        session, pause = self.sessions, self._pauses.get(message, PAUSE)
        self._pauses[message] = min(2 * pause, LONGEST_PAUSE)

        async def repeat():
            await asyncio.sleep(pause)
            # Another session has sent it already.
            if session == self.sessions and message in self.unsettled and self.ready.is_set():
                await self._send(message, *self.unsettled[message])
        task = asyncio.ensure_future(repeat())
        self._repeats.add(task)
        task.add_done_callback(self._repeats.discard)

    def _settle(self, message):
        self.unsettled.pop(message, None)
        self._pauses.pop(message, None)

    def _came(self, topic):
        was = self.ready.is_set()
        super()._came(topic)
        if self.ready.is_set() and not was:
            self._pauses.clear()
            for message in list(self.unsettled):
                self._later(message)

    def _take_ack(self, ack):
        if ack.id not in self._subscriptions:
            self._settle(ack.id)
        super()._take_ack(ack)

    def _take_error(self, error):
        if error.outcome == "UNAVAILABLE" and error.id in self._subscriptions:
            raise SessionEnded("not now")
        super()._take_error(error)
        if error.outcome not in AGAIN:
            raise AssertionError(f"{self.name}: {error.outcome}: {error.message}")
        if error.outcome == "NO_RECIPIENT":
            self._settle(error.id)  # who is gone may not come back
        else:
            self._later(error.id)

    def _take_gap(self, gap):
        super()._take_gap(gap)
        if gap.mailbox:  # answers may be among it
            for message in list(self.unsettled):
                self._later(message)

    async def abandon(self):
        for task in list(self._repeats):
            task.cancel()
        await super().abandon()
