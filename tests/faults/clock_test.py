"""The machine's clock jumps, an hour ahead and two hours back, by libfaketime (only the clock that tells the
date; the one that measures intervals goes on, as on a real machine). No session ends but the one whose
token has ended by the new time; no log expires by the jump, and each still expires by its age; offsets and
epochs go on."""

import asyncio
import glob
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import faults
import support
from dialects import DIALECTS, LINKS, SessionEnded
from history import History
from model import v1

TOPIC = "room"
HOUR = 3600
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


class Clock:
    """The date of one server: the machine's, and so much more."""

    def __init__(self, folder):
        self.file = Path(folder) / "faketime"
        self.add(0)
        self.environment = {
            "LD_PRELOAD": LIBRARIES[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1"}

    def add(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n", encoding="utf-8")
        os.replace(new, self.file)


class ClockTest(faults.FaultCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.secret = Path(self.folder) / "secret"
        self.secret.write_bytes(b"a secret of more than the 32 bytes that HS256 asks for")
        self.clock = Clock(self.folder)

    def token(self, user, seconds):
        return subprocess.run(
            [os.environ["CRIER"], "token", "make", f"--key={self.secret}", f"--sub={user}",
             f"--ttl={seconds}s", "--publish=,**", "--subscribe=,**", "--direct", "--presence",
             "--history"],
            capture_output=True, text=True, check=True, timeout=faults.DEADLINE).stdout.strip()

    def history_of(self, server, token):
        request = urllib.request.Request(
            f"http://{server.http}/crier.v1.Messaging/History",
            json.dumps({"topic": TOPIC}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=faults.DEADLINE) as answer:
            return json.loads(answer.read())

    async def jump(self, link, seconds):
        """Returns when the server's date has jumped: it dates direct messages."""
        self.clock.add(seconds)

        async def jumped():
            frame = v1.ClientFrame(publish=v1.Message(action_type=v1.DIRECT, body="what time is it"))
            await link.send(frame)
            while True:
                for event in await asyncio.wait_for(link.receive(), faults.DEADLINE):
                    if event.message.action_type == v1.DIRECT:
                        return abs(event.message.received_at / 1e9 - time.time() - seconds) < 60
        await faults.until(f"the server's clock to jump by {seconds} s", jumped)

    async def refusal(self, server, dialect, user, token):
        """How a session that brings this token ends; None: it is welcome."""
        try:
            link = await LINKS[dialect].open(server, user, token)
            try:
                await link.send(v1.ClientFrame(hello=v1.Hello()))
                await asyncio.wait_for(link.receive(), faults.DEADLINE)
            finally:
                await link.close()
        except SessionEnded as end:
            return str(end)
        return None

    async def test_sessions_tokens_and_logs(self):
        history = History()
        server = self.enterContext(support.Crierd(
            f"--auth_keys={self.secret}", "--log_level=off", "--ping_interval=1s",
            "--ping_timeout=20s", "--handshake_timeout=20s", env=self.clock.environment))
        peers = [self.peer(f"{dialect}-{number}", dialect, server, history, [TOPIC],
                      self.token(f"{dialect}-{number}", 10 * HOUR))
                 for dialect in DIALECTS for number in (1, 2)]
        # Tokens that end in ten minutes: by the clock that jumps, at once.
        brief = {dialect: self.token(f"brief-{dialect}", 600) for dialect in DIALECTS}
        leaving = [self.peer(f"brief-{dialect}", dialect, server, history, [TOPIC], brief[dialect])
                   for dialect in DIALECTS]
        await faults.ready(peers + leaving)
        watch = await LINKS["proto"].open(server, "watch", self.token("watch", 10 * HOUR))
        self.addAsyncCleanup(watch.close)
        await watch.send(v1.ClientFrame(hello=v1.Hello()))
        load = faults.Load(peers, 10, faults.chance("clock"))
        await faults.until("some messages", lambda: history.count("acked") > 50)
        head = self.history_of(server, peers[0].token)

        await self.jump(watch, HOUR)
        for peer in leaving:
            await faults.until(f"{peer.name}'s token to end its session",
                               lambda peer=peer: peer.last_end is not None)
        for transport in ("websocket", "grpc"):
            name = f'crier_sessions_ended_total{{transport="{transport}",outcome="token_expired"}}'
            await faults.until(name, lambda name=name: server.metric(name) > 0)
        for peer in leaving:
            await peer.stop()
        for dialect in ("json", "proto", "grpc"):
            words = await self.refusal(server, dialect, "brief", brief[dialect])
            self.assertIsNotNone(words, "an ended token was let in")
            self.assertRegex(words, "401|UNAUTHENTICATED")
            self.assertIsNone(await self.refusal(server, dialect, "late",
                                                 self.token("late", 2 * HOUR)))
        # The log is an hour old by the date, and keeps events for five minutes.
        now = self.history_of(server, peers[0].token)
        self.assertEqual((now["epoch"], now["tail"]), (head["epoch"], "1"))
        await self.goes_on(peers, history, "ahead")

        await self.jump(watch, -HOUR)
        await self.goes_on(peers, history, "back")
        # By now a token of ten minutes is right again, whatever that says of its maker's clock.
        for dialect in ("json", "proto", "grpc"):
            self.assertIsNone(await self.refusal(server, dialect, f"brief-{dialect}",
                                                 self.token(f"brief-{dialect}", 600)))
        now = self.history_of(server, peers[0].token)
        self.assertEqual((now["epoch"], now["tail"]), (head["epoch"], "1"))
        self.assertGreater(int(now["head"]), int(head["head"]))

        await load.stop()
        await faults.settle(peers, history)
        for peer in peers:
            self.assertEqual(peer.sessions, 1, f"{peer.name} lost its session: {peer.last_end}")
            await peer.stop()
        self.assert_right(history)

    async def goes_on(self, peers, history, where):
        """Messages, also after as many pings as an idle client would be ended for."""
        acked = history.count("acked")
        await faults.until(f"answers after the jump {where}",
                           lambda: history.count("acked") > acked + 50)
        await faults.ready(peers)

    async def test_a_log_still_expires_by_its_age(self):
        history = History()
        server = self.enterContext(support.Crierd("--topic_log_age=2s", "--log_level=off",
                                                  env=self.clock.environment))
        peer = self.peer("a", "proto", server, history, [TOPIC])
        await faults.ready([peer])
        watch = await LINKS["proto"].open(server, "watch")
        self.addAsyncCleanup(watch.close)
        await watch.send(v1.ClientFrame(hello=v1.Hello()))
        for seconds in (-HOUR, HOUR):
            await peer.publish(TOPIC)
            await faults.until("an ack", lambda: not peer.open)
            await self.jump(watch, seconds)

            def expired():
                now = self.history_of(server, "")
                return int(now["tail"]) == int(now["head"]) + 1
            await faults.until(f"the log to expire after a jump by {seconds} s", expired)
        await faults.settle([peer], history)
        await peer.stop()
        self.assert_right(history)


if __name__ == "__main__":
    if not LIBRARIES:
        print("skipped: there is no libfaketime (scripts/setup --tests)")
        sys.exit(support.SKIPPED)
    unittest.main(verbosity=2)
