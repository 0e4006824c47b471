"""The Connect project's conformance suite: gRPC over HTTP/2, and the unary calls of the Connect
protocol over HTTP/1.1. Every case has to pass."""

import re
import subprocess
import sys
import tempfile

import suite

# What is asked, how many cases that is, and what there is to be tested.
PARTS = [
    ("gRPC over HTTP/2", 374, """
features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsTls: false
"""),
    # Calls are POST. The protocol's streams are not there: clients that want one speak gRPC, or
    # WebSocket.
    ("Connect over HTTP/1.1, unary calls", 170, """
features:
  versions: [HTTP_VERSION_1]
  protocols: [PROTOCOL_CONNECT]
  codecs: [CODEC_PROTO, CODEC_JSON]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  streamTypes: [STREAM_TYPE_UNARY]
  supportsH2c: false
  supportsTls: false
  supportsConnectGet: false
"""),
]


def check(name, cases, config_text):
    runner = suite.tool("connectconformance")
    server = suite.server_under_test()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        config.write(config_text)
        config.flush()
        done = subprocess.run(
            [runner, "--mode", "server", "--conf", config.name, "--parallel", "8", "--", server],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=80, check=False)
    print(f"== {name}\n{done.stdout[-20000:]}")
    # "Total cases: 374" and "374 passed, 0 failed"
    counted = re.search(r"^(\d+) passed, (\d+) failed", done.stdout, re.MULTILINE)
    if done.returncode != 0 or counted is None or int(counted[2]) != 0:
        suite.fail(f"{name}: the suite ended with {done.returncode}")
    if int(counted[1]) != cases:
        suite.fail(f"{name}: {counted[1]} cases instead of {cases}: is it another version?")


def main():
    for part in PARTS:
        check(*part)


if __name__ == "__main__":
    sys.exit(main())
