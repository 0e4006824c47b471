"""A client that comes back: it publishes unique messages, follows topics, resumes after each lost session
where it had been, and writes everything down in a history."""

import asyncio
import itertools
import traceback

from dialects import LINKS, SessionEnded
from model import v1

PAUSE = 0.05  # seconds between two tries to connect


class Peer:
    """Belongs to one event loop.

    server: as in dialects.py; its addresses may change between two sessions.
    history: where it writes what it sees; its name stands for it, and is its user.
    silence: seconds without an event after which it drops its session; None: never. For networks that
    fail without a word.
    """

    def __init__(self, name, dialect, server, history, topics=("",), token=None, silence=None):
        self.name, self.dialect, self.server, self.history = name, dialect, server, history
        self.topics, self.token, self.silence = list(topics), token, silence
        self.places = {}  # topic -> (epoch, offset) that it has come to
        self.ready = asyncio.Event()  # it follows all its topics
        self.open = set()  # messages that wait for an answer
        self.sessions = 0
        self.last_end = None
        self.problem = None  # what ended the peer itself: a mistake in the test, or a server's nonsense
        self._numbers = itertools.count(1)
        self._asked = {}  # id of a question -> Future
        self._subscriptions = set()  # ids
        self._waits_for = set()  # topics whose subscription has not been answered
        self._link = None
        self._stopping = False
        self._task = asyncio.create_task(self._run())

    # --- What a test asks of it.

    async def publish(self, topic="", to=None, repeat=1, padding=0):
        """False: there was no session, and nothing was sent. repeat: how often it is sent."""
        if not self.ready.is_set():
            return False
        link = self._link
        message = f"{self.name}-{next(self._numbers)}"
        frame = v1.ClientFrame()
        frame.publish.id = message
        frame.publish.body = message + " " * padding
        if to is None:
            frame.publish.action_type, frame.publish.topic = v1.BROADCAST, topic
        else:
            frame.publish.action_type, frame.publish.to = v1.DIRECT, to
        try:
            for _ in range(repeat):
                self.history.sent(self.name, message, topic, to)
                self.open.add(message)
                await link.send(frame)
        except SessionEnded:
            pass  # the reader notices, and it is not known what has become of the message
        return True

    async def presence(self, topic):
        """The number of sessions and their users, sorted."""
        if self._link is None:
            raise SessionEnded("it has no session")
        question = self._new_id()
        future = self._asked[question] = asyncio.get_running_loop().create_future()
        await self._link.send(v1.ClientFrame(presence=v1.PresenceQuery(topic=topic, id=question)))
        answer = await future
        return answer.sessions, sorted(answer.users)

    async def round_trip(self):
        """Something that has to be answered."""
        await self.presence(self.topics[0])

    def reconnect(self):
        """Drops the session as a lost network would."""
        if self._link:
            self._link.drop()

    async def stop(self):
        """Leaves. Raises what went wrong."""
        self._stopping = True
        if self._link:
            await self._link.close()
        await self.abandon()
        if self.problem:
            raise self.problem

    async def abandon(self):
        """Ends at once, without a word. A second time it does nothing."""
        self._stopping = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._link:
            self._link.drop()

    def finish(self):
        """Tells the history that it had the time to get everything."""
        self.history.finished(self.name)

    # --- A session.

    async def _run(self):
        try:
            while not self._stopping:
                try:
                    self._link = await LINKS[self.dialect].open(self.server, self.name, self.token)
                    self.sessions += 1
                    await self._subscribe()
                    while True:
                        for event in await asyncio.wait_for(self._link.receive(), self.silence):
                            self._take(event)
                except (SessionEnded, asyncio.TimeoutError) as error:
                    self.last_end = error
                    self._over(error)
                if not self._stopping:
                    await asyncio.sleep(PAUSE)
        except Exception as error:  # pylint: disable=broad-except
            self.problem = error
            traceback.print_exc()
            self._over(error)

    def _over(self, error):
        self.ready.clear()
        if self._link:
            self.history.ended(self.name)
        self.open.clear()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(SessionEnded(str(error)))
        self._asked.clear()
        self._subscriptions.clear()
        if self._link:
            self._link.drop()
        self._link = None

    async def _subscribe(self):
        """Follows everything, from where it had been. A resume is a hello where the dialect has one."""
        self._waits_for = set()
        greeted = self._link.greets
        if greeted:
            hello = v1.ClientFrame(hello=v1.Hello(resume=[
                v1.ResumePoint(topic=topic, epoch=epoch, offset=offset)
                for topic, (epoch, offset) in self.places.items()]))
            await self._link.send(hello)
        for topic in self.topics:
            resumes = topic in self.places and not greeted
            if topic == "" and not resumes:
                continue  # everybody follows it
            frame = v1.ClientFrame(subscribe=v1.Subscribe(topic=topic, id=self._new_id()))
            self._subscriptions.add(frame.subscribe.id)
            if resumes:
                epoch, offset = self.places[topic]
                frame.subscribe.resume.MergeFrom(
                    v1.ResumePoint(topic=topic, epoch=epoch, offset=offset))
            self._waits_for.add(topic)
            await self._link.send(frame)
        if greeted:
            self._waits_for.add(None)  # welcome
        elif not self._waits_for:
            self.ready.set()

    def _take(self, event):
        kind = event.WhichOneof("event")
        getattr(self, "_take_" + kind)(getattr(event, kind))

    def _follows(self, topic, epoch, offset):
        self.history.follows(self.name, topic, epoch, offset)
        self.places.setdefault(topic, (epoch, offset))

    def _came(self, topic):
        self._waits_for.discard(topic)
        if not self._waits_for:
            self.ready.set()

    def _take_welcome(self, welcome):
        if "" in self.topics:
            self._follows("", welcome.epoch, welcome.offset)
        self._came(None)

    def _take_message(self, message):
        name = message.body.rstrip(" ")
        if message.id != name:
            name = f"{name} (with the id {message.id})"  # nobody sent that
        if message.action_type == v1.DIRECT:
            self.history.received_direct(self.name, name)
        elif message.topic in self.topics and not self._too_early(message.topic):
            self.history.received(self.name, message.topic, message.epoch, message.offset, name)
            self.places[message.topic] = (message.epoch, message.offset)

    def _too_early(self, topic):
        """In the plain dialect a session follows the empty topic at once, and is moved to where it had been
        by its first frame. Messages that came before that come again. (A gap that the move tells of comes
        before its ack.)"""
        return topic == "" and not self._link.greets and topic in self._waits_for

    def _take_gap(self, gap):
        if gap.mailbox:
            self.history.mailbox_gap(self.name)
            self.open.clear()  # which answers were dropped, nobody says
        elif gap.topic in self.topics and not (self._too_early(gap.topic) and
                                                gap.reason == v1.SLOW_CONSUMER):
            self.history.gap(self.name, gap.topic, gap.epoch, gap.first, gap.last,
                             v1.GapReason.Name(gap.reason))
            self.places[gap.topic] = (gap.epoch, gap.last)

    def _take_ack(self, ack):
        if ack.id in self._subscriptions:
            self._subscriptions.remove(ack.id)
            self._follows(ack.topic, ack.epoch, ack.offset)
            self._came(ack.topic)
        else:
            self.open.discard(ack.id)
            self.history.acked(self.name, ack.id, ack.topic, ack.epoch, ack.offset, ack.recipients)

    def _take_error(self, error):
        if not error.id or error.id in self._subscriptions or error.id in self._asked:
            raise AssertionError(f"{self.name}: {error.outcome}: {error.message}")
        self.open.discard(error.id)
        self.history.refused(self.name, error.id, error.outcome)

    def _take_presence(self, presence):
        future = self._asked.pop(presence.id)
        if not future.done():
            future.set_result(presence)

    def _take_pong(self, _):
        pass

    def _take_drain(self, _):
        pass

    def _new_id(self):
        return f"question-{next(self._numbers)}"
