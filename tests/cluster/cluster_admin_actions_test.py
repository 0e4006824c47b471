"""What an administrator does at one node is done on all of them, or on the one that he names; the log of each
node on which something is done says who did it."""

import asyncio
import itertools
import json
import os
import subprocess
import tempfile
from pathlib import Path

import nodes  # sets the paths of the next ones
import faults
from admin_calls import WAYS, actions
from admin_case import PLACES, AdminCase
from session import Session


class ActTest(AdminCase):
    async def test_disconnect_a_user_everywhere(self):
        stays = [await self.session(node, "json", "stays") for node in range(3)]
        for node, way in itertools.product(range(3), WAYS):
            with self.subTest(node=node, way=way):
                bobs = [await self.session(*place, "bob") for place in PLACES]
                answer = await self.ask(node, way, "Disconnect", userId=f"{self.mark}-bob",
                                        detail=f"maintenance {node}")
                self.assertEqual({"disconnected": "12"}, answer)
                await self.end(bobs, f"maintenance {node}")
                self.assertEqual({}, await self.ask(node, way, "Disconnect", userId=f"{self.mark}-bob"))
                # A line on each node, of what was done there.
                what = f'user "{self.mark}-bob": 4 sessions'
                for place in range(3):
                    by_way = "" if place == node else f" by way of {self.names[node]}"
                    await self.logged(place, f"Disconnect by local from 127.0.0.1{by_way}: {what}")
        await self.be_there(stays)

    async def test_disconnect_one_session_of_another_node(self):
        for (place, dialect), way in itertools.product(PLACES, WAYS):
            node = (place + 1) % 3
            bobs = [await self.session(place, dialect, "bob") for _ in range(2)]
            found = await self.list(node, way, filter={"userId": f"{self.mark}-bob"})
            answer = await self.ask(node, way, "Disconnect", sessionId=found[0]["sessionId"])
            self.assertEqual({"disconnected": "1"}, answer)
            await faults.until("one to end", lambda: any(bob.ended for bob in bobs))
            await self.end([bob for bob in bobs if bob.ended])
            await self.be_there([bob for bob in bobs if not bob.ended])
            self.assertEqual(1, sum(bob.ended for bob in bobs))
            for bob in bobs:
                await bob.close()
                self.sessions.remove(bob)

            async def gone():
                return not await self.list(node, way, filter={"userId": f"{self.mark}-bob"})
            await faults.until("both to be gone", gone)

    async def test_disconnect_on_one_node_only(self):
        for number, way in enumerate(WAYS):
            there = await self.at_all(["room"])
            for name, place in ((".", 0), (self.names[1], 1)):
                mine = [session for session in there if session.user.startswith(f"{self.mark}-{place}-")]
                answer = await self.ask(0, way, "Disconnect", node=name, detail=f"here {number}",
                                        filter={"topic": f"{self.mark}-room"})
                self.assertEqual({"disconnected": "4"}, answer)
                await self.end(mine, f"here {number}")
            last = [session for session in there if session.user.startswith(f"{self.mark}-2-")]
            await self.be_there(last)
            answer = await self.ask(1, way, "Disconnect", filter={"topic": f"{self.mark}-room"})
            self.assertEqual({"disconnected": "4"}, answer)
            await self.end(last)
        failed = await self.refused(0, "http", "Disconnect", node=self.names[1])
        self.assertEqual("invalid_argument", failed.code)

    async def test_the_advice_arrives_from_another_node(self):
        bob = await self.session(2, "plain", "bob")
        await self.ask(0, "http", "Disconnect", userId=bob.user, advice="RETRY_AFTER", retryAfter="30s")
        await self.end([bob], "retry_after_ms=30000")

    async def test_all(self):
        there = await self.at_all()

        async def only_these():
            return len(await self.list(0, "http")) == len(there)
        await faults.until("sessions of other tests to be gone", only_these)
        answer = await self.ask(1, "http", "Disconnect", all=True, node=self.names[2])
        self.assertEqual({"disconnected": "4"}, answer)
        await self.be_there(there[:8])
        answer = await self.ask(2, "grpc", "Disconnect", all=True)
        self.assertEqual({"disconnected": "8"}, answer)
        await self.end(there)

    async def test_what_is_of_one_node_is_passed_on(self):
        for node, way in itertools.product(range(3), WAYS):
            other = (node + 1) % 3
            info = await self.ask(node, way, "GetServerInfo", node=self.names[other])
            self.assertEqual((self.names[other], self.nodes[other].admin),
                             (info["node"], info["adminListen"]))
            for name in ("", ".", self.names[node]):
                info = await self.ask(node, way, "GetServerInfo", node=name)
                self.assertEqual(self.names[node], info["node"])
            answer = await self.ask(node, way, "SetLogLevel", level="debug", node=self.names[other])
            self.assertEqual({"previous": "info"}, answer)
            levels = [(await self.ask(place, way, "GetServerInfo"))["logLevel"] for place in range(3)]
            self.assertEqual(["debug" if place == other else "info" for place in range(3)], levels)
            await self.ask(node, way, "SetLogLevel", level="info", node=self.names[other])
            await self.logged(other, "SetLogLevel by local from 127.0.0.1 by way of "
                                     f"{self.names[node]}: debug to info")
            # What is wrong with a request, the other node says.
            failed = await self.refused(node, way, "SetLogLevel", level="loud", node=self.names[other])
            self.assertEqual("invalid_argument", failed.code)
            self.assertIn("level has to be", failed.text)

    async def test_a_node_that_is_not_there(self):
        requests = {"GetServerInfo": {}, "ListNodes": {}, "ListSessions": {}, "ListTopics": {},
                    "GetSession": {"sessionId": "1"}, "GetTopic": {"topic": "x"}, "Drain": {},
                    "Disconnect": {"userId": "x"}, "SetLogLevel": {"level": "debug"}}
        for (method, request), way in itertools.product(requests.items(), WAYS):
            for name in ("nobody", self.names[0] + "0", self.names[0][:-1], "..", "*"):
                with self.subTest(method=method, way=way, name=name):
                    failed = await self.refused(0, way, method, **request, node=name)
                    self.assertEqual("not_found", failed.code)
                    self.assertIn(name, failed.text)
                    if way == "http":
                        self.assertEqual(404, failed.status)

    async def test_the_tool(self):
        bob = await self.session(1, "proto", "bob")

        def crier(*arguments):
            done = subprocess.run([os.environ["CRIER"], "admin", f"--grpc={self.nodes[0].admin}", *arguments],
                                  capture_output=True, text=True, timeout=faults.DEADLINE, check=False)
            return done.returncode, json.loads(done.stdout or "null"), done.stderr
        code, answer, said = await asyncio.to_thread(crier, "ListNodes")
        self.assertEqual((0, sorted(self.names)),
                         (code, [info["node"] for info in (answer or {}).get("nodes", [])]), said)
        code, answer, said = await asyncio.to_thread(crier, "Disconnect", json.dumps({"user_id": bob.user}))
        self.assertEqual((0, {"disconnected": "1", "silent_nodes": 0}), (code, answer), said)
        await self.end([bob])
        code, _, said = await asyncio.to_thread(crier, "GetServerInfo", '{"node": "nobody"}')
        self.assertNotEqual(0, code)
        self.assertIn('there is no node "nobody"', said)



class TokensTest(AdminCase):
    """Nodes with keys: who calls, his own node knows; the others believe it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="crier-keys-")
        cls.addClassCleanup(cls.folder.cleanup)
        secret = Path(cls.folder.name, "secret")
        secret.write_text("s" * 64, encoding="utf-8")
        cls.flags = (f"--auth_keys={secret}",)
        cls.tokens = {user: subprocess.run(
            [os.environ["CRIER"], "token", "make", "--key", secret, "--alg", "HS256", "--sub", user, *claims],
            capture_output=True, text=True, check=True).stdout.strip()
            for user, claims in (("ann", ["--admin"]), ("bob", ["--direct"]))}
        cls.token = cls.tokens["ann"]
        super().setUpClass()

    async def bobs(self):
        for node in self.nodes:
            self.sessions.append(await Session.open(node, "json", "bob", token=self.tokens["bob"]))
        return self.sessions[-3:]

    async def test_the_log_has_the_callers_name_on_each_node(self):
        for node, way in itertools.product(range(3), WAYS):
            bobs = await self.bobs()
            answer = await self.ask(node, way, "Disconnect", userId="bob", token=self.token)
            self.assertEqual({"disconnected": "3"}, answer)
            await self.end(bobs)
            for place in range(3):
                by_way = "" if place == node else f" by way of {self.names[node]}"
                await self.logged(
                    place, f'Disconnect by "ann" from 127.0.0.1{by_way}: user "bob": 1 session')
            other = (node + 1) % 3
            await self.ask(node, way, "SetLogLevel", level="info", node=self.names[other], token=self.token)
            await self.logged(other, f'SetLogLevel by "ann" from 127.0.0.1 by way of {self.names[node]}: '
                                     'info to info')

    async def test_who_may_not_reaches_no_other_node(self):
        """Nothing of it is said to other nodes: Redis passes on nothing while such calls come."""
        bobs = await self.bobs()
        requests = {"GetServerInfo": {}, "ListNodes": {}, "ListSessions": {}, "ListTopics": {},
                    "GetSession": {"sessionId": "1"}, "GetTopic": {"topic": "x"}, "Drain": {},
                    "Disconnect": {"userId": "bob"}, "SetLogLevel": {"level": "debug"}}
        before = [actions(node) for node in self.nodes]
        passed_on = self.passed_on()
        for (method, request), way in itertools.product(requests.items(), WAYS):
            for name in ("", self.names[1], "nobody"):
                for token, code in ((self.tokens["bob"], "permission_denied"), (None, "unauthenticated")):
                    with self.subTest(method=method, way=way, name=name, code=code):
                        failed = await self.refused(0, way, method, **request, node=name, token=token)
                        self.assertEqual(code, failed.code)
        self.assertEqual(passed_on, self.passed_on())
        self.assertEqual(before, [actions(node) for node in self.nodes])
        await self.be_there(bobs)
        # Calls of who may are what it would have seen.
        passed_on = self.passed_on()
        await self.ask(0, "http", "ListNodes", token=self.token)
        self.assertGreater(self.passed_on(), passed_on)

    def passed_on(self):
        """How many messages Redis was told to pass on."""
        calls = self.cluster.redis.info("cmdstat_publish")
        return int(calls.split("calls=")[1].split(",")[0])


if __name__ == "__main__":
    nodes.main()
