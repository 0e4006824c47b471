"""What scripts/flood connects: WebSocket clients whose round trips are timed, and floods of every kind.
They bind to an address of loopback each, so that the server's limits for an address tell them apart."""

import base64
import json
import os
import select
import selectors
import socket
import ssl
import struct
import time

HANDSHAKE_TIMEOUT = 20  # seconds
LINGER = 2  # seconds for the last answers
FLOOD_SESSIONS = 20
BATCH = 64  # frames or connections between two looks at the clock


class FloodError(Exception):
    """There was no measurement, and why."""


def connect(source, port, context=None):
    plain = socket.create_connection(("127.0.0.1", port), HANDSHAKE_TIMEOUT, (source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="127.0.0.1") if context else plain


def upgrade(connected, port):
    """Asks for a WebSocket. The bytes behind the answer; None: it was refused."""
    key = base64.b64encode(os.urandom(16)).decode()
    connected.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                      f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        more = connected.recv(4096)
        if not more:
            return None
        received += more
    return received.split(b"\r\n\r\n", 1)[1] if b" 101 " in received else None


def masked(opcode, payload):
    """A frame of a client's; masked with zeros, so that it is its payload."""
    length = len(payload)
    head = bytes([0x80 | opcode, 0x80 | length]) if length < 126 else (
        bytes([0x80 | opcode, 0x80 | 126]) + struct.pack(">H", length))
    return head + b"\0\0\0\0" + payload


def frames(buffer):
    """Takes the whole frames of a server off the bytearray: (opcode, payload)."""
    while len(buffer) >= 2:
        length, head = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return
            length, head = struct.unpack_from(">H", buffer, 2)[0], 4
        if len(buffer) < head + length:
            return
        payload = bytes(buffer[head:head + length])
        opcode = buffer[0] & 0x0F
        del buffer[:head + length]
        yield opcode, payload


class Bystanders:
    """WebSocket sessions that send themselves direct messages by the clock. Use with `with`."""

    def __init__(self, source, port, clients, context):
        self._source, self._port, self._context = source, port, context
        self._sockets, self._buffers = [], {}
        self._selector = selectors.DefaultSelector()
        self._clients = clients

    def __enter__(self):
        for _ in range(self._clients):
            connected = connect(self._source, self._port, self._context)
            rest = upgrade(connected, self._port)
            if rest is None:
                raise FloodError("a client that was to be measured was refused")
            connected.setblocking(False)
            self._sockets.append(connected)
            self._buffers[connected] = bytearray(rest)
            self._selector.register(connected, selectors.EVENT_READ)
        return self

    def __exit__(self, *_):
        self._selector.close()
        for connected in self._sockets:
            connected.close()

    def run(self, seconds, rate):
        """Round trips of `seconds`, `rate` in a second of each client, spread evenly. In seconds, from
        when each message was due, so that a pause of the sender does not hide one of the server."""
        begin = time.monotonic()
        total = int(seconds * rate * len(self._sockets))
        interval = seconds / total
        times, sent = [], 0
        end = begin + seconds + LINGER
        while len(times) < total and time.monotonic() < end:
            now = time.monotonic()
            while sent < total and begin + sent * interval <= now:
                due = begin + sent * interval
                text = json.dumps({"action_type": "direct", "body": f"{due:.9f}"})
                self._sockets[sent % len(self._sockets)].send(masked(1, text.encode()))
                sent += 1
            wait = begin + sent * interval - time.monotonic() if sent < total else LINGER
            for key, _ in self._selector.select(max(0, wait)):
                times += self._receive(key.fileobj, begin)
        if len(times) < total:
            raise FloodError(f"{total - len(times)} of {total} round trips did not come back")
        return times

    def _receive(self, connected, begin):
        buffer, times = self._buffers[connected], []
        try:
            while True:
                received = connected.recv(16384)
                if not received:
                    raise FloodError("the server has closed a client that was measured")
                buffer += received
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        now = time.monotonic()
        for opcode, payload in frames(buffer):
            if opcode == 9:
                connected.send(masked(10, payload))
            elif opcode == 8:
                raise FloodError(f"a client that was measured was closed: {payload[2:].decode()}")
            elif opcode == 1:
                message = json.loads(payload)
                if message["action_type"] != "direct":
                    raise FloodError(f"a client that was measured was told {payload.decode()}")
                due = float(message["body"])
                if due >= begin:
                    times.append(now - due)
        return times


# --- Floods. Each goes on until `stop`, and counts in `tried` what it has tried.


def flood(name, source, ports, stop, tried):
    http, grpc = ports
    if name == "connections":
        _connections(source, ports, stop, tried)
    elif name == "handshakes":
        _handshakes(source, http, stop, tried)
    elif name == "messages":
        text = json.dumps({"action_type": "direct", "body": "x" * 1000})
        _sessions(lambda: _websocket(source, http), masked(1, text.encode()), stop, tried)
    else:
        _sessions(lambda: _websocket(source, http), masked(9, b"ping"), stop, tried,
                  lambda: _http2(source, grpc), b"\0\0\x08\x06\0\0\0\0\0" + b"pingping")


def _start(source, port):
    """A connection that may still be on its way."""
    started = socket.socket()
    started.setblocking(False)
    # With a reset no port stays behind that the next ones would lack.
    started.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    started.bind((source, 0))
    started.connect_ex(("127.0.0.1", port))
    return started


def _connections(source, ports, stop, tried):
    while not stop.is_set():
        started = [_start(source, ports[i % len(ports)]) for i in range(BATCH)]
        for connected in started:
            connected.close()
        tried.value += len(started)


def _handshakes(source, port, stop, tried):
    """The first message of a handshake, the same each time: it costs the server its key exchange and
    its signature, and the flood nothing."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    while not stop.is_set():
        started = [_start(source, port) for _ in range(BATCH // 4)]
        for connected in started:
            try:
                connected.send(hello)
            except OSError:
                pass  # it was refused already
        # Until the answers are there, so that they are made.
        select.select(started, [], [], 0.05)
        for connected in started:
            connected.close()
        tried.value += len(started)


def _websocket(source, port):
    connected = connect(source, port)
    if upgrade(connected, port) is None:
        connected.close()
        return None
    return connected


def _http2(source, port):
    connected = connect(source, port)
    connected.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0")
    return connected


def _sessions(make, frame, stop, tried, make_other=None, other_frame=b""):
    """As many sessions as there may be, each sending as fast as it is read from. One that was closed
    comes again, as soon as it may."""
    open_ones = {}
    again_at = 0
    while not stop.is_set():
        if len(open_ones) < FLOOD_SESSIONS and time.monotonic() >= again_at:
            other = make_other is not None and len(open_ones) % 2 == 1
            connected = _try(make_other if other else make)
            if connected is None:
                again_at = time.monotonic() + 0.1
            else:
                connected.setblocking(False)
                open_ones[connected] = [(other_frame if other else frame), 0]
        for connected, state in list(open_ones.items()):
            one, sent = state
            try:
                # From where the last one was cut.
                now = connected.send((one * BATCH)[sent:])
                state[1] = (sent + now) % len(one)
                tried.value += (sent + now) // len(one)
                while connected.recv(65536):
                    pass
                raise ConnectionError
            except BlockingIOError:
                pass
            except OSError:
                connected.close()
                del open_ones[connected]
        if not open_ones:
            stop.wait(0.01)
    for connected in open_ones:
        connected.close()


def _try(make):
    try:
        return make()
    except OSError:
        return None
