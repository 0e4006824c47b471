"""kill -9 under load, again and again. Clients on every dialect resume at the next server, and know of
everything that was lost with the last one."""

import asyncio
import time
import unittest

import faults
import support
from dialects import DIALECTS
from history import History

KILLS = 3  # in the short form
TOPICS = ["", "room-1", "room-2"]


class Lives:
    """One server after the other. Where the present one is: `http` and `grpc`."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.crierd = support.Crierd("--log_level=off", "--shards=2")
        self.http, self.grpc = self.crierd.http, self.crierd.grpc


class KillTest(faults.FaultCase):
    async def test_what_is_lost_with_the_process_is_told(self):
        chance, history, lives = faults.chance("kill"), History(), Lives()
        self.addCleanup(lambda: lives.crierd.kill())
        peers = [self.peer(f"{dialect}-{number}", dialect, lives, history, TOPICS)
                 for dialect in DIALECTS for number in (1, 2)]
        await faults.ready(peers)
        load = faults.Load(peers, 25, chance)
        kills, end = 0, time.monotonic() + faults.SECONDS
        while kills < KILLS or time.monotonic() < end:
            # Under load: some answers came in this life, at a random time it ends.
            acked = history.count("acked")
            await faults.until("answers", lambda: history.count("acked") > acked + 100)
            await asyncio.sleep(chance.uniform(0, 0.5))
            lives.crierd.kill()
            kills += 1
            lives.begin()
            sessions = {peer: peer.sessions for peer in peers}
            await faults.until("every client to come back", lambda: all(
                peer.problem or peer.sessions > count for peer, count in sessions.items()))
            await faults.ready(peers)
        await load.stop()
        await faults.settle(peers, history)
        for peer in peers:
            await peer.stop()
        lives.crierd.stop()
        print(f"{kills} kills", flush=True)
        self.assert_right(history)
        # The test did what it says: sessions were lost with messages in flight, and that was told.
        self.assertGreaterEqual(history.count("ended"), kills * len(peers))
        told = sum(1 for record in history.records if record[0] == "gap" and record[-1] == "NEW_EPOCH")
        self.assertGreater(told, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
