"""Random faults of a cluster of three nodes on one Redis, judged by the history checker (docs/faults.md).
Each run takes a few seconds. One that fails prints the command that repeats its choices. How the machine's
processes take turns is not among these, so a rare fault may need some tries. scripts/faults cluster calls
it.
"""

import argparse
import asyncio
import multiprocessing
import random
import sys
import tempfile
import time
from collections import deque
from concurrent import futures

from field import FAULTS, Field


async def run(seed, count, names, rate):
    """The verdict, and words about the run."""
    chance = random.Random(f"{seed} faults")
    began = time.monotonic()
    async with await Field.open(seed, rate=rate) as field:
        done = []
        for _ in range(count):
            await field.acks(chance.randint(10, 150))
            # Now and then two at once.
            chosen = chance.sample(names, 2 if len(names) > 1 and chance.random() < 0.3 else 1)
            done.append("+".join(chosen))
            await asyncio.gather(*map(field.do, chosen))
        await field.connected()
        await field.acks(50)
        verdict = await field.finish()
        words = f"{' '.join(done)}; {time.monotonic() - began:.1f} s; {field.words(verdict)}"
        return verdict, words, field.history


def judge(seed, options, names):
    """A run. Returns what there is to say of it, and the command that repeats it, if it has failed."""
    again = (f"scripts/faults cluster --seed {seed} --runs 1 --faults {options.faults}" +
             (f" --only {options.only}" if names != list(FAULTS) else "") +
             (f" --rate {options.rate:g}" if options.rate != 25 else ""))
    try:
        verdict, words, history = asyncio.run(run(seed, options.faults, names, options.rate))
    except Exception as error:  # pylint: disable=broad-except
        return f"seed {seed}: {error!r}; again with: {again}", again
    if verdict.clean:
        return f"seed {seed}: {words}", None
    with tempfile.NamedTemporaryFile("w", prefix="history-", delete=False) as file:
        history.save(file.name)
    return (f"seed {seed}: {words}\n{verdict}\nthe history is in {file.name}; again with: {again}", again)


def main():
    parser = argparse.ArgumentParser("scripts/faults cluster", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--runs", type=int, default=20, help="with seeds that follow each other")
    parser.add_argument("--at-once", type=int, default=1, help="runs beside each other; each needs a core")
    parser.add_argument("--faults", type=int, default=3, help="in each run")
    parser.add_argument("--rate", type=float, default=25, help="messages a second of each client")
    parser.add_argument("--only", default=",".join(FAULTS), help="of these; with commas")
    parser.add_argument("--seconds", type=float, default=0, help="no new run after this time; 0: all")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    first = random.randrange(10**6) if options.seed is None else options.seed
    seeds, began, failed, running = deque(range(first, first + options.runs)), time.monotonic(), [], set()
    # A process each: gRPC's library serves one loop well.
    with futures.ProcessPoolExecutor(options.at_once, multiprocessing.get_context("spawn")) as pool:
        while seeds or running:
            if options.seconds and seeds and time.monotonic() - began > options.seconds:
                print(f"no time for seeds from {seeds[0]} on")
                seeds.clear()
            while seeds and len(running) < options.at_once:
                running.add(pool.submit(judge, seeds.popleft(), options, names))
            done, running = futures.wait(running, return_when=futures.FIRST_COMPLETED)
            for words, again in (one.result() for one in done):
                print(words, flush=True)
                failed += [again] if again else []
    if failed:
        print("failed; again with:", *failed, sep="\n  ")
        sys.exit(1)
    print(f"all is well, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
