"""Sessions that only listen, by gRPC's Subscribe: one that watches, for room.py; and a crowd of them."""

import asyncio

import grpc

from model import messaging, v1

STREAMS = 500  # on one connection


def _subscribe(channel, topic, user, presence=False):
    return channel.unary_stream(
        "/crier.v1.Messaging/Subscribe",
        request_serializer=messaging.SubscribeRequest.SerializeToString,
        response_deserializer=v1.ServerFrame.FromString)(
            messaging.SubscribeRequest(topics=[topic], presence=presence),
            metadata=[("crier-user-id", user)])


def _channel(node):
    return grpc.aio.insecure_channel(
        node.grpc, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)])


class Listener:
    """It watches from its first moment on, and cannot say anything."""

    dialect = "gRPC's Subscribe"

    def __init__(self, node, user):
        self.user, self.events = user, []
        self._channel, self._call, self._task = _channel(node), None, None

    async def watch(self, topic):
        self._call = _subscribe(self._channel, topic, self.user, presence=True)
        self._task = asyncio.ensure_future(self._read())

    async def _read(self):
        async for frame in self._call:
            self.events.extend(frame.events)

    def check(self):
        if self._task and self._task.done():
            raise self._task.exception() or AssertionError("the call is over")

    async def close(self):
        if self._task:
            self._task.cancel()
            self._call.cancel()
        await self._channel.close()


class Crowd:
    """Many users in a topic at one node, with a session each. `names`: who is there."""

    @classmethod
    async def open(cls, node, topic, names):
        self = cls()
        self._gone = []
        names = list(names)
        self._channels = [_channel(node) for _ in range(0, len(names), STREAMS)]
        self._calls = {name: _subscribe(self._channels[number // STREAMS], topic, name)
                       for number, name in enumerate(names)}
        for call in self._calls.values():
            await call.read()  # welcome
        return self

    @property
    def names(self):
        return list(self._calls)

    def leave(self, names):
        for name in names:
            self._gone.append(self._calls.pop(name))
            self._gone[-1].cancel()

    async def close(self):
        self.leave(self.names)
        # Calls that end when their loop is gone complain.
        await asyncio.gather(*(call.code() for call in self._gone))
        for channel in self._channels:
            await channel.close()
