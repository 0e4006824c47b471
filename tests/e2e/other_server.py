"""A small WebSocket server that is not crier and speaks the same frames, for scripts/report --compare.

    other_server.py [--no-metrics]

Answers direct messages with a stamp, sends broadcasts to everyone, and has the study's metrics at
/metrics unless told otherwise. Prints its URL and its metrics' once it listens.
"""

import asyncio
import json
import os
import sys
import time
from http import HTTPStatus
from pathlib import Path

import websockets

BOUNDS = [0.0001, 0.0005, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5]


class Histogram:
    def __init__(self, name):
        self.name, self.sum, self.counts = name, 0.0, [0] * (len(BOUNDS) + 1)

    def observe(self, seconds):
        self.sum += seconds
        self.counts[sum(bound < seconds for bound in BOUNDS)] += 1

    def lines(self):
        total = 0
        for bound, count in zip([*BOUNDS, "+Inf"], self.counts):
            total += count
            yield f'{self.name}_bucket{{le="{bound}"}} {total}'
        yield f"{self.name}_sum {self.sum}"
        yield f"{self.name}_count {total}"


class Other:
    def __init__(self, metrics):
        self.metrics = metrics
        self.clients, self.accepted, self.errors = set(), 0, 0
        self.broadcast = Histogram("ws_broadcast_duration_seconds")
        self.handling = Histogram("ws_message_handling_duration_seconds")

    async def serve(self, socket, *_):
        self.clients.add(socket)
        self.accepted += 1
        try:
            async for text in socket:
                begin = time.monotonic()
                await self.handle(socket, json.loads(text))
                self.handling.observe(time.monotonic() - begin)
        except websockets.ConnectionClosedError:
            self.errors += 1
        finally:
            self.clients.discard(socket)

    async def handle(self, socket, message):
        if message["action_type"] == "direct":
            await socket.send(json.dumps({**message, "data": str(time.time_ns())}))
        else:
            # As such servers like to measure it: until it is queued, not until it is sent.
            begin = time.monotonic()
            websockets.broadcast(self.clients, json.dumps({**message, "data": "other"}))
            self.broadcast.observe(time.monotonic() - begin)

    def http(self, path, _):
        if path != "/metrics":
            return None
        if not self.metrics:
            return HTTPStatus.NOT_FOUND, [], b"none\n"
        resident = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        times = os.times()
        lines = [f"ws_connections {len(self.clients)}",
                 f"all_ws_connections_total {self.accepted}",
                 f"ws_conn_closed_errors_total {self.errors}",
                 f"process_cpu_seconds_total {times.user + times.system}",
                 f"process_resident_memory_bytes {resident * os.sysconf('SC_PAGE_SIZE')}",
                 *self.broadcast.lines(), *self.handling.lines()]
        return HTTPStatus.OK, [("Content-Type", "text/plain")], "\n".join([*lines, ""]).encode()


async def main():
    other = Other("--no-metrics" not in sys.argv[1:])
    async with websockets.serve(other.serve, "127.0.0.1", 0, process_request=other.http) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}/ws http://127.0.0.1:{port}/metrics", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
