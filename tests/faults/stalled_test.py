"""One client in ten stops reading, under load. The others get their messages as before: the p99 of their
delivery times, with and without the stalled ones, in turn and several times.

The ratio has to be at most 1.2 on a quiet machine (FAULTS_STRICT=1). Otherwise 3: CI's machine is shared,
and the p99 of a few seconds is then mostly the neighbours'. That limit finds a server that makes the
healthy clients wait for the stalled ones, which multiplies their times."""

import json
import os
import statistics
import subprocess
import unittest

import faults
import support

HEALTHY, STALLED = 90, 10
LIMIT = 1.2 if faults.STRICT else 3
# Below this, a p99 is noise of the machine's clock and scheduler, whatever its ratio.
NOISE_MS = 0.2 if faults.STRICT else 3
RUNS = 2  # of each kind, in the short form
# What no kernel keeps for a client that does not read: 100 x 16 KiB a second.
RATE, PAYLOAD = 100, 16 << 10


class StalledTest(faults.FaultCase):
    def run_bench(self, server, transport, stalled, seconds):
        done = subprocess.run(
            [os.environ["CRIER"], "bench", "fanout", f"--transport={transport}",
             f"--url=ws://{server.http}/ws", f"--grpc={server.grpc}", f"--rate={RATE}",
             f"--clients={HEALTHY + stalled}", f"--stalled={stalled}", f"--payload={PAYLOAD}",
             f"--duration={seconds}s", "--json=-"],
            capture_output=True, text=True, timeout=seconds + 60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads(done.stdout)
        # Every client got everything, or was told; the healthy ones got everything.
        self.assertEqual((result["lost"], result["duplicate"], result["out_of_order"],
                          result["skipped"]), (0, 0, 0, 0), result)
        self.assertEqual(result["received"], result["expected"])
        if stalled:
            self.assertGreater(result["stalled_skipped"], 0, "nobody was stalled")
            self.assertEqual(result["stalled_ended"], 0)
        return result["latency_p99_ms"]

    def check(self, transport):
        runs = max(RUNS, int(faults.SECONDS // 20))
        seconds = 2 if faults.SECONDS < 20 else 10
        with support.Crierd("--log_level=off", "--topic_log_bytes=256KiB") as server:
            before, beside = [], []
            for _ in range(runs):
                before.append(self.run_bench(server, transport, 0, seconds))
                beside.append(self.run_bench(server, transport, STALLED, seconds))
        p99, p99_beside = statistics.median(before), statistics.median(beside)
        print(f"{transport}: p99 {p99:.2f} ms, beside {STALLED} stalled clients {p99_beside:.2f} ms: "
              f"ratio {p99_beside / p99:.2f} (limit {LIMIT}), of {before} and {beside}", flush=True)
        self.assertLessEqual(p99_beside, max(p99 * LIMIT, NOISE_MS))

    def test_websocket(self):
        self.check("ws")

    def test_grpc(self):
        self.check("grpc")


if __name__ == "__main__":
    unittest.main(verbosity=2)
