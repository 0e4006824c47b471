"""scripts/flood measures every flood and prints its table. The figures are not checked here: the machine
is busy with other tests."""

import os
import re
import subprocess
import unittest
from pathlib import Path

import support

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["CRIERD"]).parents[1]
SECONDS = 150


def flood(*arguments):
    return subprocess.run(
        [ROOT / "scripts/flood", "--build", BUILD, "--rounds=1", "--seconds=0.5", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)


class FloodTest(unittest.TestCase):
    def test_every_flood_is_measured(self):
        run = flood()
        self.assertEqual(run.returncode, 0, run.stderr)
        rows = re.findall(r"(?m)^\| \*\*(\w+)\*\* \| ([\d,]+)/s \| ([\d,]+)/s \| "
                          r"[\d.]+ / [\d.]+ \| [\d.]+ / [\d.]+ \| [\d.]+ \|$", run.stdout)
        self.assertEqual([row[0] for row in rows],
                         ["connections", "messages", "handshakes", "pings"], run.stdout)
        for name, tried, _ in rows:
            self.assertGreater(int(tried.replace(",", "")), 0, name)
        self.assertIn("--max_sessions_per_address=", run.stdout)

    def test_what_is_wrong_is_said(self):
        for arguments, words in [
            (["rain"], "no flood 'rain'; there are: connections,"),
            (["--seconds=0.1"], "--seconds has to be at least 0.2"),
            (["--rounds=0"], "--rounds has to be at least 1"),
            (["--build=nowhere"], "there is no nowhere/bin/crierd"),
            (["connections", "--flag=--no_such_flag"], "crierd did not start"),
        ]:
            with self.subTest(arguments=arguments):
                run = flood(*arguments)
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(words, run.stderr)


if __name__ == "__main__":
    support.main()
