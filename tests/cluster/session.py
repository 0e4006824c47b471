"""A session for tests that look at each event: in any dialect of tests/faults/dialects.py."""

import asyncio
import itertools
import json
import urllib.error
import urllib.request

import grpc

import faults
from dialects import LINKS
from model import messaging, v1


_numbers = itertools.count(1)  # of ids; a user may have several sessions, one after the other


class Session:
    """await Session.open(node, dialect, user). What came is in `events`, in order."""

    @classmethod
    async def open(cls, node, dialect, user="", resume=(), hello=True, token=None):
        """resume: (topic, epoch, offset) each. hello=False: the session's place waits for say_hello."""
        self = cls()
        self.dialect, self.user, self.events = dialect, user, []
        self._link = await LINKS[dialect].open(node, user, token)
        self._task = asyncio.ensure_future(self._read())
        if self._link.greets:
            if hello:
                await self.say_hello(resume)
            await self.event("welcome", lambda event: event.WhichOneof("event") == "welcome")
            if hello:
                await self.presence("")  # its hello was read
        else:
            # Nothing greets it: an answer says that it is there.
            await self.ask(v1.ClientFrame(presence=v1.PresenceQuery(topic="")))
            for topic, epoch, offset in resume:
                await self.follow(topic, epoch, offset)
        return self

    async def say_hello(self, resume=()):
        await self._link.send(v1.ClientFrame(hello=v1.Hello(resume=[
            v1.ResumePoint(topic=topic, epoch=epoch, offset=offset)
            for topic, epoch, offset in resume])))

    async def _read(self):
        while True:
            self.events.extend(await self._link.receive())

    async def close(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._link.close()

    def drop(self):
        """Ends without a word, as a lost network does. close() may follow."""
        self._task.cancel()
        self._link.drop()

    @property
    def ended(self):
        return self._task.done()

    def check(self):
        """Raises what has ended it, if something did."""
        if self._task.done() and not self._task.cancelled() and self._task.exception():
            raise self._task.exception()

    async def event(self, what, matches):
        """The first event for which this is true."""
        def find():
            self.check()
            return next((event for event in self.events if matches(event)), None)
        return await faults.until(
            lambda: f"{what} for {self.user} ({self.dialect}); it has {self.events[-5:]}", find)

    async def ask(self, frame):
        """Sends it with an id of its own, if it has none, and returns the answer."""
        inner = getattr(frame, frame.WhichOneof("frame"))
        inner.id = inner.id or f"id-{next(_numbers)}"
        known = sum(1 for event in self.events if _id(event) == inner.id)
        await self._link.send(frame)
        return getattr(*await self._answer(inner.id, known))

    async def _answer(self, name, known):
        def find():
            self.check()
            answers = [event for event in self.events if _id(event) == name]
            return answers[known] if len(answers) > known else None
        event = await faults.until(
            lambda: f"the answer to {name} ({self.dialect}); it has {self.events[-5:]}", find)
        return event, event.WhichOneof("event")

    async def follow(self, topic, epoch=None, offset=None):
        frame = v1.ClientFrame(subscribe=v1.Subscribe(topic=topic))
        if epoch is not None:
            frame.subscribe.resume.MergeFrom(
                v1.ResumePoint(topic=topic, epoch=epoch, offset=offset))
        return await self.ask(frame)

    async def watch(self, topic):
        """Follows it, and is told who comes and who goes (room.py)."""
        return await self.ask(v1.ClientFrame(subscribe=v1.Subscribe(topic=topic, presence=True)))

    async def unfollow(self, topic):
        return await self.ask(v1.ClientFrame(unsubscribe=v1.Unsubscribe(topic=topic)))

    async def publish(self, body, topic="", to=None, name=""):
        """The ack, or the error."""
        frame = v1.ClientFrame(publish=v1.Message(id=name, body=body, action_type=v1.BROADCAST))
        if to is None:
            frame.publish.topic = topic
        else:
            frame.publish.action_type, frame.publish.to = v1.DIRECT, to
        return await self.ask(frame)

    async def presence(self, topic):
        return await self.ask(v1.ClientFrame(presence=v1.PresenceQuery(topic=topic)))

    def messages(self, topic):
        """(epoch, offset, body) of what came of a topic."""
        return [(event.message.epoch, event.message.offset, event.message.body)
                for event in self.events if event.WhichOneof("event") == "message" and
                event.message.action_type == v1.BROADCAST and event.message.topic == topic]

    def directs(self):
        return [event.message.body for event in self.events
                if event.WhichOneof("event") == "message" and
                event.message.action_type == v1.DIRECT]

    def gaps(self, topic=None):
        return [event.gap for event in self.events if event.WhichOneof("event") == "gap" and
                (event.gap.mailbox if topic is None else
                 not event.gap.mailbox and event.gap.topic == topic)]

    async def bodies(self, topic, wanted):
        """Waits until these bodies, and nothing else, have come, in this order."""
        await faults.until(
            lambda: f"{len(wanted)} messages for {self.user} ({self.dialect}); it has "
                    f"{self.messages(topic)}, gaps {self.gaps(topic)}",
            lambda: len(self.messages(topic)) >= len(wanted))
        got = [body for _, _, body in self.messages(topic)]
        if got != wanted:
            raise AssertionError(f"{self.user} ({self.dialect}) got {got}, not {wanted}")


def _id(event):
    """Of what it answers; None: it answers nothing."""
    kind = event.WhichOneof("event")
    return getattr(event, kind).id if kind in ("ack", "error", "presence") else None


def call_http(node, method, request):
    """A unary call by HTTP: its status and its answer."""
    call = urllib.request.Request(
        f"http://{node.http}/crier.v1.Messaging/{method}", json.dumps(request).encode(),
        {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(call, timeout=faults.DEADLINE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def call_grpc(node, method, request):
    """The same by gRPC. Raises grpc.RpcError."""
    answers = {"Publish": messaging.PublishResponse, "History": messaging.HistoryResponse}
    with grpc.insecure_channel(node.grpc, options=[("grpc.enable_http_proxy", 0)]) as channel:
        return channel.unary_unary(
            f"/crier.v1.Messaging/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answers[method].FromString)(request, timeout=faults.DEADLINE)
