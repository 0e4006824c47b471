"""What docs/cluster.md says for who runs a cluster: the forms of the URL, and the rules for crier's user in
Redis. With these rules two nodes do all that a cluster does, and there is none that they do not use."""

import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import unittest

import cluster
import support
from admin_page_test import call

sys.path.insert(0, str(cluster.ROOT / "tests/faults"))
try:
    from dialects import LINKS
    from model import v1
except ImportError as error:
    print(f"skipped: no Python module {error.name} (scripts/setup --tests)")
    sys.exit(support.SKIPPED)

RUNS = itertools.count()  # no id is used twice
PAGE = (cluster.ROOT / "docs/cluster.md").read_text(encoding="utf-8")


def rules(prefix="crier:"):
    """As the page has them: a line of an ACL file, whose "\\" at an end continues it."""
    line = re.search(r"^    (user crier (?:.*\\\n)*.*)$", PAGE, re.M).group(1)
    words = line.replace("\\\n", " ").split()
    assert words[:2] == ["user", "crier"], words
    return [word.replace("crier:", prefix) for word in words[2:]]


class PageTest(unittest.TestCase):
    def check(self, *flags):
        return subprocess.run([os.environ["CRIERD"], "--check", *flags], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)

    def test_the_forms_of_the_url_are_right(self):
        table = PAGE.split("### The URL")[1].split("\n#")[0]
        urls = re.findall(r"^\| `(redis\S+)`", table, re.M)
        self.assertGreaterEqual(len(urls), 5)
        self.assertEqual(table.count("| `redis"), len(urls))
        for url in urls:
            for word, example in [("USER", "crier"), ("PASSWORD", "a%40b"), ("HOST", "10.0.0.5"),
                                  ("PORT", "6380"), ("DATABASE", "2"), ("MASTER", "mymaster")]:
                url = url.replace(word, example)
            # The second one of the same host.
            url = url.replace(",10.0.0.5", ",10.0.0.6")
            for text in [url, f"{url}?prefix=chat:"]:
                with self.subTest(text):
                    done = self.check(f"--cluster_url={text}")
                    self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_its_flags_are_there(self):
        known = set(re.findall(r"--(\w+)", self.help()))
        # Those of other programs.
        others = {"port", "save", "appendonly", "detach", "no", "force", "wait", "bind"}
        named = set(re.findall(r"--([a-z_]+)", PAGE))
        self.assertEqual(named - known - others, set())
        for name, default in re.findall(r"`--(\w+)` \((\d[\w.,]*)", PAGE):
            default = default.replace(",", "").rstrip(").")
            self.assertRegex(self.help(), rf"--{name}=\w+ +\(default: {default}")

    def help(self):
        return subprocess.run([os.environ["CRIERD"], "--help"], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=True).stdout


class AclTest(unittest.TestCase):
    def setUp(self):
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]

    def redis(self, words):
        """One whose default user may do nothing without a password, and which has crier's user."""
        redis = self.enterContext(cluster.Redis(password="operator"))
        redis.command("ACL", "SETUSER", "crier", *words)
        return redis

    def nodes(self, redis, query="", database=""):
        url = f"redis://crier:{self.password()}@127.0.0.1:{redis.port}{database}{query}"
        nodes = [self.enterContext(cluster.Node(
            "--log_level=warning", "--shards=1", f"--cluster_url={url}", "--topic_log_events=8",
            "--cluster_readiness")) for _ in range(2)]
        for node in nodes:
            support.wait_for("a ready node", node.ready)
        return nodes

    @staticmethod
    def password():
        return next(word for word in rules() if word.startswith(">"))[1:]

    async def event(self, link, kind, condition=lambda _: True):
        async def look():
            while True:
                for event in await link.receive():
                    if event.WhichOneof("event") == kind and condition(getattr(event, kind)):
                        return getattr(event, kind)
        return await asyncio.wait_for(look(), support.DEADLINE)

    async def converse(self, nodes):
        """All that nodes ask of Redis: following, publishing with and without an id, a log that is
        trimmed, the past, users; and what they say to each other: questions, changes of presence."""
        run = next(RUNS)
        one = await LINKS["json"].open(nodes[0], "alice")
        two = await LINKS["proto"].open(nodes[1], "bob")
        for link in (one, two):
            await link.send(v1.ClientFrame(hello=v1.Hello()))
            await link.send(v1.ClientFrame(subscribe=v1.Subscribe(topic="news", id="s")))
            await self.event(link, "ack")
        acks = []
        for number in range(20):
            await one.send(v1.ClientFrame(publish=v1.Message(
                action_type=v1.BROADCAST, topic="news", body=f"{number}", id=f"{run} {number}")))
            acks.append(await self.event(one, "ack"))
            got = await self.event(two, "message")
            self.assertEqual((got.body, got.offset), (f"{number}", acks[-1].offset))
        await one.send(v1.ClientFrame(publish=v1.Message(
            action_type=v1.BROADCAST, topic="news", body="19", id=f"{run} 19")))
        again = await self.event(one, "ack")
        self.assertEqual((again.offset, again.duplicate), (acks[-1].offset, True))
        await two.send(v1.ClientFrame(unsubscribe=v1.Unsubscribe(topic="news", id="u")))
        await self.event(two, "ack", lambda ack: ack.id == "u")
        resume = v1.ResumePoint(topic="news", epoch=acks[-5].epoch, offset=acks[-5].offset)
        await two.send(v1.ClientFrame(subscribe=v1.Subscribe(topic="news", id="r", resume=resume)))
        for number in range(16, 20):
            self.assertEqual((await self.event(two, "message")).body, f"{number}")
        await two.send(v1.ClientFrame(publish=v1.Message(
            action_type=v1.DIRECT, to="alice", body="to alice", id=f"{run} d")))
        self.assertEqual((await self.event(two, "ack", lambda ack: ack.id == f"{run} d")).recipients, 1)
        self.assertEqual((await self.event(
            one, "message", lambda message: message.action_type == v1.DIRECT)).body, "to alice")
        await two.send(v1.ClientFrame(publish=v1.Message(
            action_type=v1.DIRECT, to="nobody", body="x", id="n")))
        self.assertEqual((await self.event(two, "error")).outcome, "NO_RECIPIENT")
        await one.send(v1.ClientFrame(presence=v1.PresenceQuery(topic="news", id="p")))
        present = await self.event(one, "presence")
        self.assertEqual((present.sessions, sorted(present.users)), (2, ["alice", "bob"]))
        await one.send(v1.ClientFrame(subscribe=v1.Subscribe(topic=f"room {run}", id="w", presence=True)))
        self.assertEqual((await self.event(one, "presence")).users, ["alice"])
        await two.send(v1.ClientFrame(subscribe=v1.Subscribe(topic=f"room {run}", id="j")))
        self.assertEqual((await self.event(one, "presence_change")).joined, ["bob"])
        status, body = call(nodes[0].crierd.admin, "ListNodes", {})
        self.assertEqual((status, len(json.loads(body)["nodes"])), (200, 2))
        for link in (one, two):
            await link.close()
        return acks[-1]

    def test_the_rules_are_enough(self):
        redis = self.redis(rules())
        nodes = self.nodes(redis)
        before = asyncio.run(self.converse(nodes))
        # An epoch that is renewed: the topic's end is lost, and a publish finds that out.
        redis.command("DEL", "crier:topic:news")
        after = asyncio.run(self.converse(nodes))
        self.assertGreater(after.epoch, before.epoch)
        # What Redis has lost with all else, scripts too, nodes give it again.
        redis.command("SCRIPT", "FLUSH")
        asyncio.run(self.converse(nodes))
        self.assertEqual(redis.command("ACL", "LOG"), [])
        for key in redis.command("KEYS", "*"):
            self.assertRegex(key, r"^crier:(life$|topic:|events:|id:)")

    def test_another_database_and_prefix(self):
        redis = self.redis(rules("chat/"))
        asyncio.run(self.converse(self.nodes(redis, query="?prefix=chat/", database="/3")))
        self.assertEqual(redis.command("ACL", "LOG"), [])
        self.assertEqual(redis.command("KEYS", "*"), [])

    def test_no_rule_is_too_much(self):
        """Each command that the rules allow is called."""
        allowed = {word[1:].lower() for word in rules() if word.startswith("+")}
        redis = self.redis(rules())
        redis.command("CONFIG", "RESETSTAT")
        nodes = self.nodes(redis, database="/2")
        asyncio.run(self.converse(nodes))
        redis.command("SELECT", 0)
        used = set()
        for line in redis.command("INFO", "commandstats").splitlines():
            match = re.match(r"cmdstat_([^:]+):", line)
            if match:
                used.add(match.group(1))
        # Where nothing comes for a second.
        support.wait_for("PING", lambda: "cmdstat_ping:" in redis.command("INFO", "commandstats"))
        # Of a sentinel's master, and where somebody throws away scripts again and again.
        rest = {"role", "eval"}
        self.assertEqual(allowed - used - rest, set())

    def test_others_may_not(self):
        redis = self.redis(rules())
        for command in [("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"),
                        ("PUBLISH", "other", "x"), ("ACL", "LIST"), ("MONITOR",)]:
            with self.subTest(command):
                other = cluster.Redis.__new__(cluster.Redis)
                other.port, other.password = redis.port, None
                with self.assertRaisesRegex(ValueError, "NOAUTH"):
                    other.command(*command)
                verdict = redis.command("ACL", "DRYRUN", "crier", *command)
                self.assertIn("permissions to", verdict)

    def test_a_wrong_password_is_said_and_not_shown(self):
        redis = self.redis(rules())
        done = subprocess.run(
            [os.environ["CRIERD"], "--http_listen=127.0.0.1:0", "--grpc_listen=127.0.0.1:0",
             "--admin_listen=127.0.0.1:0",
             f"--cluster_url=redis://crier:a-wrong-one@127.0.0.1:{redis.port}"],
            capture_output=True, text=True, timeout=support.DEADLINE + 20, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("WRONGPASS", done.stderr)
        self.assertNotIn("a-wrong-one", done.stderr)


if __name__ == "__main__":
    cluster.require()
    support.main()
