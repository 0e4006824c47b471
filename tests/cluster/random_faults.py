"""Random faults of a cluster of three nodes on one Redis, judged by the history checker (docs/faults.md).
Each run takes a few seconds. One that fails prints the command that repeats its choices. How the machine's
processes take turns is not among these, so a rare fault may need some tries. scripts/faults cluster calls
it.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time

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


def main():
    parser = argparse.ArgumentParser("scripts/faults cluster", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--runs", type=int, default=20, help="with seeds that follow each other")
    parser.add_argument("--faults", type=int, default=3, help="in each run")
    parser.add_argument("--rate", type=float, default=25, help="messages a second of each client")
    parser.add_argument("--only", default=",".join(FAULTS), help="of these; with commas")
    parser.add_argument("--seconds", type=float, default=0, help="no new run after this time; 0: all")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := set(names) - set(FAULTS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    first = random.randrange(10**6) if options.seed is None else options.seed
    failed, began = [], time.monotonic()
    for seed in range(first, first + options.runs):
        if options.seconds and time.monotonic() - began > options.seconds:
            print(f"no time for seeds from {seed} on")
            break
        again = (f"scripts/faults cluster --seed {seed} --runs 1 --faults {options.faults}" +
                 (f" --only {options.only}" if names != list(FAULTS) else "") +
                 (f" --rate {options.rate:g}" if options.rate != 25 else ""))
        try:
            verdict, words, history = asyncio.run(run(seed, options.faults, names, options.rate))
        except Exception as error:  # pylint: disable=broad-except
            failed.append(again)
            print(f"seed {seed}: {error!r}; again with: {again}", flush=True)
            continue
        print(f"seed {seed}: {words}", flush=True)
        if not verdict.clean:
            failed.append(again)
            with tempfile.NamedTemporaryFile("w", prefix="history-", delete=False) as file:
                history.save(file.name)
            print(f"{verdict}\nthe history is in {file.name}; again with: {again}", flush=True)
    if failed:
        print("failed; again with:", *failed, sep="\n  ")
        sys.exit(1)
    print("all is well")


if __name__ == "__main__":
    main()
