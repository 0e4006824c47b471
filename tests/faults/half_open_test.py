"""Clients that are gone without a word, in the middle of traffic: their process is stopped, or the link to
their network is cut. The server ends their sessions by its pings, nobody sees a ghost, and when they come
back, they are told of everything that they missed.

The link is between two network namespaces of the test's own. The whole test runs in the first of them, so
nothing of the machine's network changes, and nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import faults
import support
from history import History

TOPIC = "room"
FLAGS = ["--ping_interval=1s", "--ping_timeout=3s", "--idle_timeout=5s", "--heartbeat_interval=1s",
         "--log_level=off"]
FAR_USERS = ["far-grpc", "far-json", "far-plain", "far-proto"]
NEAR_USERS = ["near-grpc", "near-plain"]
IN_NAMESPACE = "FAULTS_IN_NAMESPACE"  # set in the test's own namespace
NEAR, FAR = "10.9.8.1", "10.9.8.2"


class Link:
    """Another network namespace and a link to it. Its programs run with `enter` before them."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        pid = self.holder.pid
        support.wait_for("the other namespace", lambda: os.readlink(f"/proc/{pid}/ns/net") !=
                         os.readlink("/proc/self/ns/net"))
        self.enter = ["nsenter", "-t", str(pid), "-n"]
        self.ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        self.ip("link", "set", "far", "netns", str(pid))
        self.ip("addr", "add", f"{NEAR}/24", "dev", "near")
        self.ip("link", "set", "near", "up")
        self.far("addr", "add", f"{FAR}/24", "dev", "far")
        self.far("link", "set", "far", "up")

    def ip(self, *arguments, before=()):
        subprocess.run([*before, "ip", *arguments], check=True)

    def far(self, *arguments):
        self.ip(*arguments, before=self.enter)

    def close(self):
        self.ip("link", "del", "near")
        self.holder.kill()
        self.holder.wait()


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


def enter_namespace():
    """Begins again in a network namespace. An ordinary user is root there (-Ur)."""
    tried = []
    for options in (["-n"], ["-Urn"]):
        done = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True,
                              check=False)
        if done.returncode == 0:
            os.environ[IN_NAMESPACE] = "1"
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
        tried.append(f"unshare {' '.join(options)}: {done.stderr.strip()}")
    sys.exit("FAILED: this machine lets neither root nor an ordinary user make a network namespace, so "
             "links that are cut cannot be tested here. Run it as root, or allow user namespaces "
             f"(sysctl kernel.unprivileged_userns_clone=1). {'; '.join(tried)}")


if __name__ == "__main__":
    if IN_NAMESPACE not in os.environ:
        enter_namespace()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    unittest.main(verbosity=2)
