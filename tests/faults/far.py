"""Clients in a process of their own, for tests that stop a whole process or cut it off: far.py HTTP GRPC
TOPIC. A client on each dialect follows TOPIC. It reads lines:

  reach EPOCH OFFSET   waits until all clients have come so far, and prints "reached"
  save FILE            writes their history, and ends
"""

import asyncio
import sys
from types import SimpleNamespace

import faults
from dialects import DIALECTS
from history import History
from peer import Peer

SILENCE = 2  # seconds; there is something to hear many times a second


async def main(http, grpc, topic):
    history = History()
    peers = [Peer(f"far-{dialect}", dialect, SimpleNamespace(http=http, grpc=grpc), history, [topic],
                  silence=SILENCE) for dialect in DIALECTS]
    while True:
        command, *words = (await asyncio.to_thread(sys.stdin.readline)).split() or ["gone"]
        if command == "reach":
            place = tuple(map(int, words))
            await faults.until(lambda: f"{place}; there are {[peer.places for peer in peers]}",
                               lambda: all(peer.places.get(topic) == place for peer in peers))
            for peer in peers:
                peer.finish()
            print("reached", flush=True)
        elif command == "save":
            for peer in peers:
                await peer.stop()
            history.save(words[0])
            return
        else:
            return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
