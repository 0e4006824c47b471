"""What the tests of other people's suites have in common."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build/tools"
SKIPPED = 77


def skip(why):
    print(f"skipped: {why}; scripts/setup --tools builds it")
    sys.exit(SKIPPED)


def tool(name):
    """The path of a tool that scripts/setup --tools builds. Without it the test is skipped."""
    built = TOOLS / name
    if built.exists():
        return str(built)
    return shutil.which(name) or skip(f"no {name} here")


def server_under_test():
    server = os.environ.get("SERVER")
    return server or skip("no server to test was built: its protos come with the tools")


def fail(why):
    print(f"failed: {why}")
    sys.exit(1)


class Crierd:
    """A crierd on free ports, until the end of the `with`."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [os.environ["CRIERD"], "--http_listen=", "--grpc_listen=127.0.0.1:0", "--admin_listen=",
             "--log_level=off"],
            stdout=subprocess.PIPE, text=True)
        ready = self._process.stdout.readline()
        self.port = int(re.search(r"grpc=\S*:(\d+)", ready)[1])
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
