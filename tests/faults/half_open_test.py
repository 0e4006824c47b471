"""Clients that are gone without a word, in the middle of traffic: their process is stopped, or the link to
their network is cut. The server ends their sessions by its pings, nobody sees a ghost, and when they come
back, they are told of everything that they missed.

The link is between two network namespaces of the test's own."""

import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import faults
import support
import namespaces
from history import History
from namespaces import Namespace, ip

TOPIC = "room"
FLAGS = ["--ping_interval=1s", "--ping_timeout=3s", "--idle_timeout=5s", "--heartbeat_interval=1s",
         "--log_level=off"]
FAR_USERS = ["far-grpc", "far-json", "far-plain", "far-proto"]
NEAR_USERS = ["near-grpc", "near-plain"]
NEAR, FAR = "10.9.8.1", "10.9.8.2"


class Link:
    """A link to another network namespace. Its programs run with `enter` before them."""

    def __init__(self):
        self.there = Namespace()
        self.enter = self.there.enter
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "netns", self.there.pid)
        ip("addr", "add", f"{NEAR}/24", "dev", "near")
        ip("link", "set", "near", "up")
        self.far("addr", "add", f"{FAR}/24", "dev", "far")
        self.far("link", "set", "far", "up")

    def far(self, *arguments):
        self.there.ip(*arguments)

    def close(self):
        ip("link", "del", "near")
        self.there.close()


class HalfOpenTest(faults.FaultCase):
    async def check(self, flags, enter, cut, mend):
        """cut and mend take the far process."""
        history = History()
        with support.Crierd(*FLAGS, *flags) as server, \
                tempfile.TemporaryDirectory() as folder:
            near = [self.peer(user, user.split("-")[1], server, history, [TOPIC]) for user in NEAR_USERS]
            await faults.ready(near)
            load = faults.Load(near, 15, faults.chance("half-open"))
            descriptors = faults.descriptors(server)
            far = subprocess.Popen(
                [*enter, sys.executable, Path(__file__).with_name("far.py"), server.http,
                 server.grpc, TOPIC], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                end = time.monotonic() + faults.SECONDS
                while True:
                    await self.cut_once(server, near, descriptors, lambda: cut(far),
                                        lambda: mend(far))
                    if time.monotonic() >= end:
                        break
                await load.stop()
                await faults.settle(near, history)
                far.stdin.write(f"reach {' '.join(map(str, near[0].places[TOPIC]))}\n")
                far.stdin.flush()
                self.assertEqual(await asyncio.to_thread(far.stdout.readline), "reached\n")
                # stop() waits for a closing handshake, in which the server takes part.
                far.stdin.write(f"save {folder}/far\n")
                far.stdin.flush()
                self.assertEqual(await asyncio.to_thread(far.wait, faults.DEADLINE), 0)
            finally:
                far.kill()
                far.communicate()
            for peer in near:
                self.assertEqual(peer.sessions, 1, f"{peer.name} lost its session: {peer.last_end}")
                await peer.stop()
            self.assert_right(History.merged([history, History.load(f"{folder}/far")]))

    async def cut_once(self, server, near, descriptors, cut, mend):
        everybody, only_near = sorted(NEAR_USERS + FAR_USERS), sorted(NEAR_USERS)
        await self.until_there("everybody to be there", near[0], everybody)
        ended = self.ended(server)
        cut()
        begin = time.monotonic()
        await self.until_there("no ghost", near[0], only_near)
        # On the other transport too, and in every other way.
        await self.until_there("no ghost over gRPC", near[1], only_near)
        print(f"no ghost after {time.monotonic() - begin:.1f} s", flush=True)
        await faults.until("their descriptors back",
                           lambda: faults.descriptors(server) <= descriptors)
        self.assertEqual(self.ended(server) - ended, len(FAR_USERS), "ended by another outcome")
        refused = near[0].history.count("refused")
        for user in FAR_USERS:
            await near[0].publish(to=user)
        await faults.until("NO_RECIPIENT for each",
                           lambda: near[0].history.count("refused") == refused + len(FAR_USERS))
        mend()
        await self.until_there("everybody to be back", near[0], everybody)

    @staticmethod
    async def until_there(what, peer, users):
        """Each of them follows the topic, with one session."""
        seen = None

        async def there():
            nonlocal seen
            seen = await peer.presence(TOPIC)
            return seen == (len(users), users)
        await faults.until(lambda: f"{what}; there are {seen}, and {peer.name} has "
                                   f"{peer.problem or 'no problem'}", there)

    @staticmethod
    def ended(server):
        return sum(server.metric(
            f'crier_sessions_ended_total{{transport="{transport}",outcome="idle_timeout"}}')
            for transport in ("websocket", "grpc"))

    async def test_a_process_that_is_stopped(self):
        await self.check([], [], lambda far: far.send_signal(signal.SIGSTOP),
                         lambda far: far.send_signal(signal.SIGCONT))

    async def test_a_link_that_is_cut(self):
        link = Link()
        self.addCleanup(link.close)
        await self.check(
            ["--insecure", f"--http_listen={NEAR}:0", f"--grpc_listen={NEAR}:0"], link.enter,
            lambda far: link.far("link", "set", "far", "down"),
            lambda far: link.far("link", "set", "far", "up"))


if __name__ == "__main__":
    namespaces.enter()
    unittest.main(verbosity=2)
