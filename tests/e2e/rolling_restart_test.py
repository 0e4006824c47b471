"""Each node of a cluster is restarted in turn, behind the HAProxy of docker/cluster, as docs/cluster.md says.
Clients on every dialect publish, follow, wait for their slot, come back wherever the balancer sends them, and
resume. They lose nothing, get nothing twice and nothing in another order, and are told of no gap.

Who publishes sends again, with the same id, whatever was not acked when its session ended. So the same holds
where the nodes are killed instead."""

import asyncio
import os
import sys
import time
import traceback
import unittest
from collections import Counter, deque

import cluster
import support

sys.path.insert(0, str(cluster.ROOT / "tests/faults"))
try:
    from dialects import DIALECTS, LINKS, SessionEnded
    from model import v1
except ImportError as error:
    print(f"skipped: no Python module {error.name} (scripts/setup --tests)")
    sys.exit(support.SKIPPED)

TOPICS = ["", "room-1", "room-2"]
EACH = 2  # clients of each dialect
AHEAD = 8  # publishes of one client that wait for their ack
PAUSE = 0.02  # seconds between two publishes
DRAIN = 2  # seconds, of each node


class Client:
    """Its name is its user. It publishes to all topics in turn, and follows them all."""

    def __init__(self, name, dialect, server):
        self.name, self.dialect, self.server = name, dialect, server
        self.places = {}  # topic -> (epoch, offset)
        self.got = {topic: [] for topic in TOPICS}  # [(epoch, offset, body)]
        self.told = []  # gaps and refusals: there are to be none
        self.waiting = deque()  # (topic, body) that has no ack yet, in order
        self.sent = []  # (topic, body)
        self.sessions = self.repeats = self.slots = 0
        self.ready = asyncio.Event()
        self.problem = None
        self.link = None
        self.slot = 0.0
        self.start = asyncio.Event()
        self.publishing, self.stopping = True, False
        self.task = asyncio.create_task(self.run())

    # --- Sessions.

    async def run(self):
        try:
            while not self.stopping:
                try:
                    self.link = await LINKS[self.dialect].open(self.server, self.name)
                    await self.begin()
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self.listen())
                        tasks.create_task(self.speak())
                except* SessionEnded:
                    pass
                self.ready.clear()
                if self.link:
                    self.link.drop()
                    self.link = None
                if not self.stopping:
                    # As the server has asked for; it says nothing where it takes nobody.
                    await asyncio.sleep(self.slot or 0.2)
                    self.slot = 0.0
        except* Exception as group:  # pylint: disable=broad-except
            self.problem = group
            traceback.print_exc()

    async def begin(self):
        """Follows all topics from where it has come to."""
        self.awaited = {f"follow {topic}" for topic in TOPICS}
        if self.link.greets:
            self.awaited.add("welcome")
            await self.link.send(v1.ClientFrame(hello=v1.Hello(resume=[
                v1.ResumePoint(topic=topic, epoch=epoch, offset=offset)
                for topic, (epoch, offset) in self.places.items()])))
        for topic in TOPICS:
            frame = v1.ClientFrame(subscribe=v1.Subscribe(topic=topic, id=f"follow {topic}"))
            if topic in self.places and not self.link.greets:
                epoch, offset = self.places[topic]
                frame.subscribe.resume.MergeFrom(
                    v1.ResumePoint(topic=topic, epoch=epoch, offset=offset))
            await self.link.send(frame)

    async def listen(self):
        while True:
            for event in await self.link.receive():
                kind = event.WhichOneof("event")
                getattr(self, f"take_{kind}")(getattr(event, kind))

    async def speak(self):
        await self.ready.wait()
        await self.start.wait()
        # In the order in which they were sent first: what was published already is known by its id.
        for topic, body in list(self.waiting):
            await self.publish(topic, body)
            self.repeats += 1
        while self.publishing:
            if len(self.waiting) < AHEAD:
                topic = TOPICS[len(self.sent) % len(TOPICS)]
                body = f"{self.name} {len(self.sent)}"
                self.sent.append((topic, body))
                self.waiting.append((topic, body))
                await self.publish(topic, body)
            await asyncio.sleep(PAUSE)

    async def publish(self, topic, body):
        await self.link.send(v1.ClientFrame(publish=v1.Message(
            action_type=v1.BROADCAST, topic=topic, body=body, id=body)))

    # --- What comes.

    def came(self, what):
        self.awaited.discard(what)
        if not self.awaited and not self.ready.is_set():
            self.sessions += 1
            self.ready.set()

    def take_welcome(self, welcome):
        self.places.setdefault("", (welcome.epoch, welcome.offset))
        self.came("welcome")

    def take_ack(self, ack):
        if ack.id.startswith("follow "):
            self.places.setdefault(ack.topic, (ack.epoch, ack.offset))
            return self.came(ack.id)
        for one in self.waiting:
            if one[1] == ack.id:
                self.waiting.remove(one)
                break
        return None

    def take_message(self, message):
        # A plain session follows the empty topic before it can say where it had been.
        if not self.link.greets and message.topic == "" and "follow " in self.awaited:
            return
        self.got[message.topic].append((message.epoch, message.offset, message.body))
        self.places[message.topic] = (message.epoch, message.offset)

    def take_gap(self, gap):
        # The first event that was ever published gives a topic its epoch: nothing is missing then.
        if gap.reason == v1.NEW_EPOCH and gap.last < gap.first:
            self.places[gap.topic] = (gap.epoch, gap.last)
            return
        self.told.append(f"{self.name}: {gap}".replace("\n", " "))

    def take_error(self, error):
        self.told.append(f"{self.name}: {error}".replace("\n", " "))

    def take_drain(self, drain):
        self.slots += 1
        self.slot = drain.reconnect_after.ToTimedelta().total_seconds()

    def take_pong(self, _):
        pass

    async def stop(self):
        self.stopping = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        if self.link:
            await self.link.close()


class RollingRestartTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]
        self.redis = self.enterContext(cluster.Redis())
        self.nodes = [self.enterContext(cluster.Node(
            "--log_level=error", "--shards=2", f"--cluster_url={self.redis.url}",
            "--cluster_readiness", "--trusted_proxies=127.0.0.1", f"--drain_time={DRAIN}s"))
            for _ in range(3)]
        for node in self.nodes:
            support.wait_for("a ready node", node.ready)
        self.balancer = self.enterContext(cluster.Balancer(self.nodes))

    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    def look(self):
        for client in self.clients:
            if client.problem:
                raise client.problem
        return True

    async def until(self, what, condition):
        end = time.monotonic() + 60
        while not (self.look() and condition()):
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain: {what}: " + ", ".join(
                    f"{c.name} {c.sessions} {c.ready.is_set()} {len(c.waiting)} {c.places} {c.told[:1]}"
                    for c in self.clients))
            await asyncio.sleep(0.02)

    async def each_node(self, restart):
        """Does `restart` to one node after the other, under load, and judges what all have received."""
        self.clients = [Client(f"{dialect}-{number}", dialect, self.balancer)
                        for dialect in DIALECTS for number in range(EACH)]
        try:
            await self.until("sessions", lambda: all(c.ready.is_set() for c in self.clients))
            for client in self.clients:
                client.start.set()
            for number, node in enumerate(self.nodes, 1):
                before = {client: len(client.sent) for client in self.clients}
                sessions = sum(client.sessions for client in self.clients)
                await asyncio.to_thread(restart, node)
                # Everybody is back, and goes on. So is the node.
                await self.until(f"life after the restart of node {number}", lambda: all(
                    client.ready.is_set() and len(client.sent) > before[client] + 10
                    for client in self.clients))
                self.assertGreater(sum(client.sessions for client in self.clients), sessions)
            for client in self.clients:
                client.publishing = False
            await self.until("the last acks", lambda: all(not c.waiting for c in self.clients))
            heads = {topic: max(client.places[topic] for client in self.clients) for topic in TOPICS}
            await self.until("the last events", lambda: all(
                client.places == heads for client in self.clients))
        finally:
            for client in self.clients:
                await client.stop()
        self.judge()

    async def test_a_drain_loses_doubles_and_reorders_nothing(self):
        await self.each_node(cluster.Node.restart)
        # Each session was told when to come back.
        self.assertGreater(sum(client.slots for client in self.clients), 0)

    async def test_neither_does_a_crash_where_clients_send_again_with_the_same_id(self):
        await self.each_node(cluster.Node.crash)

    def judge(self):
        sent = {topic: [one for client in self.clients for to, one in client.sent if to == topic]
                for topic in TOPICS}
        count = sum(len(bodies) for bodies in sent.values())
        received = sum(len(got) for client in self.clients for got in client.got.values())
        wrong = []
        for topic in TOPICS:
            # Which place each message has, for the first client: the same for everybody.
            at = {place[:2]: place[2] for place in self.clients[0].got[topic]}
            for client in self.clients:
                bodies = [body for _, _, body in client.got[topic]]
                places = [place[:2] for place in client.got[topic]]
                where = f"{topic!r}: {client.name}"
                wrong += [f"{where} lost {body}" for body in sorted({*sent[topic]} - {*bodies})]
                wrong += [f"{where} received {body} {times} times"
                          for body, times in Counter(bodies).items() if times > 1]
                wrong += [f"{where} received {second} after {first}"
                          for first, second in zip(places, places[1:]) if second <= first]
                wrong += [f"{where} received {body} at {epoch}/{offset}, where {self.clients[0].name} "
                          f"received {at.get((epoch, offset))}"
                          for epoch, offset, body in client.got[topic]
                          if at.get((epoch, offset)) != body]
                for other in self.clients:
                    mine = [body for body in bodies if body.startswith(f"{other.name} ")]
                    if mine != [body for to, body in other.sent if to == topic]:
                        wrong.append(f"{where} received what {other.name} sent in another order")
        told = [words for client in self.clients for words in client.told]
        sessions = sum(client.sessions for client in self.clients)
        slots = sum(client.slots for client in self.clients)
        repeats = sum(client.repeats for client in self.clients)
        print(f"{count} messages to {len(self.clients)} clients: {received} received, {len(wrong)} lost, "
              f"twice or out of order; {sessions} sessions, {slots} told when to come back, {repeats} "
              f"messages sent again, {len(told)} gaps or refusals", flush=True)
        print("\n".join(told + wrong[:20]), flush=True)
        self.assertEqual((len(wrong), told), (0, []))
        self.assertEqual(received, count * len(self.clients))
        # It did what it says: there were sessions on each node.
        self.assertGreaterEqual(sessions, 2 * len(self.clients))


if __name__ == "__main__":
    cluster.require()
    support.main()
