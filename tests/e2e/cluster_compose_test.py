"""docker/cluster: the compose file, without a Docker engine; and its HAProxy, with its own file, in front of
three real nodes and a real redis-server."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import cluster
import support

# Clients of every dialect.
sys.path.insert(0, str(cluster.ROOT / "tests/faults"))
try:
    import yaml
    from dialects import DIALECTS, LINKS, SessionEnded
    from model import v1
except ImportError as error:
    print(f"skipped: no Python module {error.name} (scripts/setup --tests)")
    sys.exit(support.SKIPPED)

FOLDER = cluster.ROOT / "docker/cluster"
NODES = ["crier1", "crier2", "crier3"]
NO_PROXY = {name: "" for name in os.environ if name.lower().endswith("_proxy")}


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
        cls.services = cls.compose["services"]

    def test_services(self):
        self.assertEqual(set(self.services), {*NODES, "redis", "haproxy"})
        for service in self.services.values():
            for other, how in service.get("depends_on", {}).items():
                self.assertEqual(how, {"condition": "service_healthy"})
                self.assertIn("healthcheck", self.services[other])

    def test_images_are_pinned_and_name_no_host(self):
        for name in ["redis", "haproxy"]:
            self.assertRegex(self.services[name]["image"], rf"^{name}:\d+\.\d+\.\d+$")

    def test_no_service_has_more_rights_than_it_needs(self):
        for name, service in self.services.items():
            with self.subTest(name):
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertIs(service["read_only"], True)
                self.assertNotIn("privileged", service)

    def test_only_the_balancer_is_published_and_on_loopback_only(self):
        for name, service in self.services.items():
            self.assertEqual("ports" in service, name == "haproxy", name)
        for port in self.services["haproxy"]["ports"]:
            self.assertRegex(port, r"^127\.0\.0\.1:\d+:\d+$")

    def test_only_the_nodes_reach_redis(self):
        self.assertIs(self.compose["networks"]["redis"]["internal"], True)
        reach = {name for name, service in self.services.items() if "redis" in service["networks"]}
        self.assertEqual(reach, {*NODES, "redis"})

    def test_the_nodes_are_alike_and_find_redis(self):
        for name in NODES:
            node = self.services[name]
            self.assertEqual(node, self.services["crier1"])
            self.assertIn("--cluster_url=redis://redis:6379", node["command"])
            self.assertIn("--cluster_readiness", node["command"])
            subnet = self.compose["networks"]["front"]["ipam"]["config"][0]["subnet"]
            self.assertIn(f"--trusted_proxies={subnet}", node["command"])
            self.assertTrue((FOLDER / node["build"]["context"] / node["build"]["dockerfile"]).is_file())

    def test_the_nodes_flags_are_right(self):
        done = subprocess.run([os.environ["CRIERD"], "--check", *self.services["crier1"]["command"]],
                              capture_output=True, text=True, timeout=support.DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_stop_leaves_time_for_the_drain(self):
        done = subprocess.run([os.environ["CRIERD"], "--help"], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)
        drain = int(re.search(r"--drain_time=TIME +\(default: (\d+)s\)", done.stdout).group(1))
        self.assertGreater(int(self.services["crier1"]["stop_grace_period"].rstrip("s")), drain)

    def test_redis_takes_its_flags(self):
        """Debian's has them too, and says no where one is wrong."""
        program, *flags = self.services["redis"]["command"]
        self.assertEqual(program, "redis-server")
        with cluster.Redis(*flags) as redis:
            for name, value in [("maxmemory-policy", "noeviction"), ("maxmemory", str(1 << 30)),
                                ("appendonly", "no"), ("save", "")]:
                self.assertEqual(redis.command("CONFIG", "GET", name), [name, value])
        # What it may use beside its data: buffers of the nodes, for which they were slow.
        self.assertEqual(self.services["redis"]["mem_limit"], "1536m")

    def test_the_balancers_file_is_right_and_names_the_nodes(self):
        source, target, mode = self.services["haproxy"]["volumes"][0].split(":")
        self.assertEqual((target, mode), ("/usr/local/etc/haproxy/haproxy.cfg", "ro"))
        path = FOLDER / source
        # HAProxy does not start with more connections than descriptors; the container has 65,536.
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "haproxy.cfg")
            copy.write_text(path.read_text().replace("maxconn 20000", "maxconn 1000"))
            subprocess.run(["haproxy", "-c", "-f", copy], check=True, timeout=support.DEADLINE,
                           capture_output=True)
        named = re.findall(r"^  server (\w+) (\w+):(\d+)", path.read_text(), re.M)
        self.assertEqual(named, [(node, node, port) for port in ("8000", "50051") for node in NODES])


class BalancedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ.update(NO_PROXY)
        cls.redis = cls.enterClassContext(cluster.Redis())
        compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["crier1"]
        cls.check = compose["healthcheck"]["test"]
        flags = [flag for flag in compose["command"]
                 if not flag.startswith(("--cluster_url", "--trusted_proxies"))]
        cls.nodes = [cls.enterClassContext(cluster.Node(
            *flags, f"--cluster_url={cls.redis.url}", "--trusted_proxies=127.0.0.1",
            "--drain_time=1s")) for _ in NODES]
        for node in cls.nodes:
            support.wait_for("a ready node", node.ready)
        cls.balancer = cls.enterClassContext(cluster.Balancer(cls.nodes))

    def sessions(self):
        """Of each node."""
        return [sum(int(node.crierd.metric(f'crier_sessions{{transport="{transport}"}}'))
                    for transport in ("websocket", "grpc")) for node in self.nodes]

    async def links(self, count, dialects=DIALECTS):
        """[(name, Link)]: of each dialect so many, which follow the topic "news"."""
        links = []
        for dialect in dialects:
            for number in range(count):
                name = f"{dialect}-{number}"
                link = await LINKS[dialect].open(self.balancer, name)
                links.append((name, link))
                if link.greets:
                    await link.send(v1.ClientFrame(hello=v1.Hello()))
                await link.send(v1.ClientFrame(subscribe=v1.Subscribe(topic="news", id="s")))
                await self.event(link, "ack", lambda ack: ack.id == "s")
        return links

    async def event(self, link, kind, condition):
        async def look():
            while True:
                for event in await link.receive():
                    if event.WhichOneof("event") == kind and condition(getattr(event, kind)):
                        return getattr(event, kind)
        return await asyncio.wait_for(look(), support.DEADLINE)

    def test_clients_on_all_nodes_talk_to_each_other(self):
        async def talk():
            links = await self.links(3)
            # Each protocol's backend is balanced by itself: the three of it are on three nodes.
            self.assertEqual(self.sessions(), [4, 4, 4])
            for name, link in links:
                await link.send(v1.ClientFrame(publish=v1.Message(
                    action_type=v1.BROADCAST, topic="news", body=f"from {name}", id="b")))
                places = set()
                for _, other in links:
                    got = await self.event(other, "message",
                                           lambda message, name=name: message.body == f"from {name}")
                    places.add((got.epoch, got.offset))
                self.assertEqual(len(places), 1, places)
            for at, (name, link) in enumerate(links):
                to, other = links[(at + 5) % len(links)]
                await link.send(v1.ClientFrame(publish=v1.Message(
                    action_type=v1.DIRECT, to=to, body=f"{name} to {to}", id="d")))
                await self.event(other, "message",
                                 lambda message, body=f"{name} to {to}": message.body == body)
            for _, link in links:
                await link.close()
        asyncio.run(talk())
        support.wait_for("the end of all sessions", lambda: self.sessions() == [0, 0, 0])

    def healthy(self, node):
        """By the compose file's own check."""
        kind, program, *arguments = self.check
        self.assertEqual((kind, program), ("CMD", "crier"))
        arguments = [argument.replace("127.0.0.1:50051", node.grpc) for argument in arguments]
        self.assertIn(f"--grpc={node.grpc}", arguments)
        return subprocess.run([os.environ["CRIER"], *arguments], capture_output=True,
                              timeout=support.DEADLINE, check=False).returncode == 0

    def test_what_is_for_operators_is_not_for_everybody(self):
        for path in ["/metrics", "/readyz", "/healthcheck"]:
            self.assertEqual(self.balancer.status(path), 403)

    def test_redis_away_and_back(self):
        async def talk():
            links = await self.links(1)
            await asyncio.to_thread(self.redis.kill)
            await asyncio.to_thread(support.wait_for, "nodes that are not ready",
                                    lambda: not any(node.ready() for node in self.nodes))
            await asyncio.to_thread(support.wait_for, "the balancer to take nobody",
                                    lambda: self.balancer.status("/") == 503)
            self.assertEqual([self.healthy(node) for node in self.nodes], [False] * 3)
            with self.assertRaises(SessionEnded):
                await LINKS["json"].open(self.balancer, "late")
            # Who is there stays, and is refused.
            for name, link in links:
                await link.send(v1.ClientFrame(publish=v1.Message(
                    action_type=v1.BROADCAST, topic="news", body=f"{name} waits", id="w")))
                refused = await self.event(link, "error", lambda error: error.id == "w")
                self.assertEqual(refused.outcome, "UNAVAILABLE")
            await asyncio.to_thread(self.redis.restart)
            await asyncio.to_thread(support.wait_for, "ready nodes",
                                    lambda: all(node.ready() for node in self.nodes))
            self.assertEqual([self.healthy(node) for node in self.nodes], [True] * 3)
            await asyncio.to_thread(support.wait_for, "the balancer",
                                    lambda: self.balancer.status("/") == 200)
            # The same id: what was refused is published now.
            for name, link in links:
                await link.send(v1.ClientFrame(publish=v1.Message(
                    action_type=v1.BROADCAST, topic="news", body=f"{name} waits", id="w")))
                for _, other in links:
                    await self.event(other, "message", lambda message, name=name:
                                     message.body == f"{name} waits")
            for _, link in links:
                await link.close()
        asyncio.run(talk())


if __name__ == "__main__":
    cluster.require()
    support.main()
