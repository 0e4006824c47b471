"""The study's load with all its users, in little more than a minute.

Its clients read nothing for seconds and leave with unread data. Still every broadcast has to be
handled and has to reach the observers once and in order, no session may end that should not, and
crierd must not count a single closed-connection error.
"""

import json
import os
import subprocess
import unittest

import support

# 14.5 minutes of stages become 73 s. The waits stay as they are, so with fewer messages the second
# scenario's iterations fit their shorter stages.
FLAGS = ["--scale_time=0.0833", "--messages=8", "--observers=3", "--json=-"]
SECONDS = 200
SCENARIOS = ["constVUWith3DirectMessages", "rampUp50With100Messages", "rampUp50WithSingleMessage"]


class StudyTest(unittest.TestCase):
    def test_everyone_is_served(self):
        with support.Crierd() as crierd:
            bench = subprocess.run(
                [os.environ["CRIER"], "bench", "study", f"--url=ws://{crierd.http}/ws",
                 f"--server_pid={crierd.process.pid}", *FLAGS],
                stdout=subprocess.PIPE,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            result = json.loads(bench.stdout)
            print(json.dumps(result, indent=1))
            self.assertEqual(result["failures"], [])
            self.assertEqual(bench.returncode, 0)
            self.assertEqual(result["broadcasts_handled"], result["broadcasts_sent"])
            for scenario in SCENARIOS:
                self.assertEqual(result[scenario]["failed_upgrades"], 0)
                self.assertGreater(result[scenario]["iterations_completed"], 0)
            support.wait_for("all sessions to end", lambda: crierd.metric("ws_connections") == 0)
            self.assertEqual(crierd.metric("ws_conn_closed_errors_total"), 0)
            self.assertEqual(crierd.metric("all_ws_connections_total"), result["sessions"])


if __name__ == "__main__":
    support.main()
