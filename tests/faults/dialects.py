"""One session in each dialect, all with the same three functions: send(ClientFrame), receive() (a list of
Events), close(). What ends a session is raised as SessionEnded.

A server has `http` and `grpc`, its addresses, and with TLS `trust`, the file with its certificate."""

import asyncio
import json
import ssl
import urllib.parse
from pathlib import Path

import grpc
import websockets
from google.protobuf import json_format

from model import v1

DIALECTS = ("plain", "json", "proto", "grpc")


class SessionEnded(Exception):
    """Says in words how."""


class WebSocketLink:
    """The dialect of a subprotocol of the model."""

    subprotocol = None
    greets = True  # the first event is welcome, and a hello may say where to go on

    @classmethod
    async def open(cls, server, user, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        link = cls()
        try:
            # No pings of its own, no limit: what a session holds is what is tested.
            trust = getattr(server, "trust", None)
            link.socket = await websockets.connect(
                f"{'wss' if trust else 'ws'}://{server.http}/ws?user_id={urllib.parse.quote(user)}",
                ssl=ssl.create_default_context(cafile=trust) if trust else None,
                subprotocols=[cls.subprotocol] if cls.subprotocol else None, extra_headers=headers,
                ping_interval=None, open_timeout=4, max_size=None, max_queue=None,
                compression=None, close_timeout=1)
        except (OSError, EOFError, asyncio.TimeoutError, websockets.WebSocketException) as error:
            raise SessionEnded(repr(error)) from error
        return link

    async def send(self, frame):
        try:
            await self.socket.send(self.encode(frame))
        except (OSError, websockets.ConnectionClosed) as error:
            raise SessionEnded(repr(error)) from error

    async def receive(self):
        try:
            return self.decode(await self.socket.recv())
        except (OSError, websockets.ConnectionClosed) as error:
            raise SessionEnded(repr(error)) from error

    async def close(self):
        await self.socket.close()

    def drop(self):
        """Without a word of closing."""
        self.socket.transport.abort()


class ProtoLink(WebSocketLink):
    subprotocol = "crier.v1.proto"

    def encode(self, frame):
        return frame.SerializeToString()

    def decode(self, message):
        return v1.ServerFrame.FromString(message).events


class JsonLink(WebSocketLink):
    subprotocol = "crier.v1.json"

    def encode(self, frame):
        return json_format.MessageToJson(frame)

    def decode(self, message):
        return json_format.Parse(message, v1.ServerFrame()).events


class PlainLink(WebSocketLink):
    greets = False

    def encode(self, frame):
        kind = frame.WhichOneof("frame")
        message = getattr(frame, kind)
        keys = {}
        if kind == "publish":
            keys = {"action_type": v1.ActionType.Name(message.action_type).lower(),
                    "body": message.body, "id": message.id}
            if message.to:
                keys["to"] = message.to
        elif kind in ("subscribe", "unsubscribe", "presence"):
            keys = {"action_type": kind, "id": message.id}
            if kind == "subscribe" and message.HasField("resume"):
                keys |= {"epoch": message.resume.epoch, "offset": message.resume.offset}
            if kind == "subscribe" and message.presence:
                keys["presence"] = True
        elif kind == "auth":
            keys = {"action_type": "auth", "body": message.token, "id": message.id}
        else:
            raise ValueError(f"the plain dialect has no {kind}")
        keys["topic"] = getattr(message, "topic", "")
        # The empty topic has to be named where it is followed.
        needed = ("body",) if kind == "publish" else ("topic",)
        return json.dumps({key: value for key, value in keys.items() if value != "" or key in needed})

    def decode(self, message):
        keys = json.loads(message)
        get = lambda key: keys.get(key) or ""
        number = lambda key: keys.get(key) or 0
        event, kind = v1.Event(), keys["action_type"]
        if kind in ("direct", "broadcast"):
            event.message.MergeFrom(v1.Message(
                id=get("id"), user_id=get("user_id"), action_type=kind.upper(), topic=get("topic"),
                body=get("body"), offset=number("offset"), epoch=number("epoch")))
        elif kind == "ack":
            event.ack.MergeFrom(v1.Ack(
                id=get("id"), topic=get("topic"), epoch=number("epoch"), offset=number("offset"),
                recipients=number("recipients"), duplicate=get("data") == "duplicate"))
        elif kind == "error":
            event.error.MergeFrom(v1.Error(outcome=get("data"), message=get("body"), id=get("id")))
        elif kind == "gap":
            first, last = get("body").split("-")
            event.gap.MergeFrom(v1.Gap(
                topic=get("topic"), epoch=number("epoch"), first=int(first), last=int(last),
                reason=get("data"), mailbox="epoch" not in keys, presence=keys.get("presence", False)))
        elif kind == "presence":
            event.presence.MergeFrom(v1.Presence(
                topic=get("topic"), id=get("id"), sessions=int(get("body")), users=keys["users"],
                version=number("version"), user_count=number("user_count")))
        elif kind == "presence_change":
            event.presence_change.MergeFrom(v1.PresenceChange(
                topic=get("topic"), joined=keys["joined"], left=keys["left"],
                joined_count=keys["joined_count"], left_count=keys["left_count"],
                sessions=int(get("body")), user_count=keys["user_count"], version=keys["version"]))
        elif kind == "drain":
            event.drain.SetInParent()
        else:
            raise ValueError(f"the plain dialect has no {kind}: {message}")
        return [event]


class GrpcLink:
    """A stream with a connection of its own."""

    greets = True

    @classmethod
    async def open(cls, server, user, token=None, window=None):
        """window: bytes that the library takes ahead; None: as many as it likes."""
        link = cls()
        link.writing = asyncio.Lock()  # gRPC's library loses one of two writes at once
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0),
                   ("grpc.max_receive_message_length", -1)]
        if window:
            options += [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", window)]
        trust = getattr(server, "trust", None)
        if trust:
            link.channel = grpc.aio.secure_channel(server.grpc, grpc.ssl_channel_credentials(
                Path(trust).read_bytes()), options=options)
        else:
            link.channel = grpc.aio.insecure_channel(server.grpc, options=options)
        metadata = [("crier-user-id", user)]
        if token:
            metadata = [("authorization", f"Bearer {token}")]
        link.call = link.channel.stream_stream(
            "/crier.v1.Messaging/Connect", request_serializer=v1.ClientFrame.SerializeToString,
            response_deserializer=v1.ServerFrame.FromString)(metadata=metadata)
        return link

    async def send(self, frame):
        try:
            async with self.writing:
                await self.call.write(frame)
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise SessionEnded(str(error)) from error

    async def receive(self):
        try:
            frame = await self.call.read()
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            raise SessionEnded(str(error)) from error
        if frame is grpc.aio.EOF:
            raise SessionEnded(f"{await self.call.code()}: {await self.call.details()}")
        return frame.events

    async def close(self):
        self.call.cancel()
        await self.channel.close()

    def drop(self):
        self.call.cancel()
        self.closing = asyncio.ensure_future(self.channel.close())


LINKS = {"plain": PlainLink, "json": JsonLink, "proto": ProtoLink, "grpc": GrpcLink}
