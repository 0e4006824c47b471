"""A hundred short runs of random faults, in CI's time. More: scripts/faults cluster --runs N."""

import sys

from nodes import support  # sets the paths of the next one
import faults
import random_faults
from redis_server import PROGRAM

SECONDS = 120  # no new run begins after that

if __name__ == "__main__":
    support.require(PROGRAM)
    sys.argv[1:] = ["--seed", str(faults.SEED), "--runs", "100", "--at-once", "3",
                    "--seconds", str(SECONDS)]
    random_faults.main()
