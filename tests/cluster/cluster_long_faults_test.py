"""Faults that last longer than anybody waits for them, under load, with the default --cluster_timeout: a node
stands still, Redis stands still, a node's network is gone. The history says that nothing was lost untold,
duplicated, reordered or invented. With FAULTS_FULL=1 (scripts/faults cluster --full) they are as long as in
operation; without it as long as it takes until everybody has noticed."""

import asyncio
import time
import unittest

import nodes  # sets the paths of the next ones
from field import Field
import faults
import namespaces
from far_node import FarPlace

TIMEOUT_MS = 2000  # --cluster_timeout's default
SHORT = 4  # seconds
NODE, REDIS, NETWORK = (30, 10, 30) if faults.FULL else (SHORT, SHORT, SHORT)
SILENCE = 3  # seconds without an event, after which a client goes elsewhere


class LongFaultsTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        asyncio.get_running_loop().set_debug(False)

    async def suffer(self, name, begin, seconds, end, far=None, silence=None):
        """begin(field) and so many seconds later end(field), under load. Returns the field, what was told,
        and how many acks came meanwhile, from when everybody had noticed."""
        seed, began = faults.SEED, time.monotonic()
        async with await Field.open(f"{seed} {name}", count=2 if far else 3, timeout_ms=TIMEOUT_MS, far=far,
                                    silence=silence) as field:
            await field.acks(100)
            field.sessions_before = [peer.sessions for peer in field.peers]
            await begin(field)
            await asyncio.sleep(SHORT / 2)
            acks = field.history.count("acked")
            await asyncio.sleep(seconds - SHORT / 2)
            acks = field.history.count("acked") - acks
            await end(field)
            await field.connected()
            await field.acks(100)
            field.sessions_after = [peer.sessions for peer in field.peers]
            told = await field.judge(f"{name} for {seconds} s, seed {seed}, {acks} acks meanwhile, "
                                     f"{time.monotonic() - began:.0f} s in all")
            self.assertEqual(0, told["NEW_EPOCH"])
            return field, told, acks

    async def test_a_node_stands_still(self):
        async def begin(field):
            field.nodes[1].pause()

        async def end(field):
            field.nodes[1].resume()
        _, _, acks = await self.suffer("a node stands still", begin, NODE, end)
        self.assertGreater(acks, 20 * (NODE - SHORT / 2))  # the others go on

    async def test_redis_stands_still(self):
        async def begin(field):
            field.redis.pause()

        async def end(field):
            field.redis.resume()
        field, told, acks = await self.suffer("Redis stands still", begin, REDIS, end)
        self.assertEqual(0, acks)
        self.assertGreater(told["UNAVAILABLE"], 0)
        self.assertEqual(field.sessions_before, field.sessions_after)

    async def far(self):
        far = FarPlace()
        self.addCleanup(far.close)
        return far

    async def test_a_nodes_network_to_redis_is_gone(self):
        """Its clients stay. They are told that it cannot publish, and get all that they missed."""
        far = await self.far()

        async def begin(_):
            far.redis.cut()

        async def end(_):
            far.redis.heal()
        field, told, acks = await self.suffer("a node is cut off from Redis", begin, NETWORK, end, far)
        self.assertGreater(acks, 20 * (NETWORK - SHORT / 2))
        self.assertGreater(told["UNAVAILABLE"], 0)
        self.assertEqual(field.sessions_before, field.sessions_after)

    async def test_a_nodes_network_is_gone(self):
        """Its clients go elsewhere, or come back to it."""
        far = await self.far()

        async def begin(_):
            far.cut()

        async def end(_):
            far.heal()
        field, _, acks = await self.suffer("a node is cut off", begin, NETWORK, end, far, SILENCE)
        self.assertGreater(acks, 20 * (NETWORK - SHORT / 2))
        self.assertNotEqual(field.sessions_before, field.sessions_after)


if __name__ == "__main__":
    namespaces.enter()
    nodes.main()
