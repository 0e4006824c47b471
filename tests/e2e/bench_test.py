"""scripts/bench measures its rows and writes its page. The figures themselves are not checked here."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import support

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["CRIERD"]).parents[1]
SECONDS = 150


def bench(*arguments):
    return subprocess.run(
        [ROOT / "scripts/bench", "--build", BUILD, "--runs=1", "--scale=0.1", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)


class BenchTest(unittest.TestCase):
    def test_rows_are_measured_and_written(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("# Mine\n\n<!-- measured: rows -->\nold\n<!-- end: rows -->\n\nKept.\n")
            run = bench("fanout", "memory-process", "grpc-sparse", "--out", page)
            self.assertEqual(run.returncode, 0, run.stderr)
            text = page.read_text()
            self.assertNotIn("old", text)
            self.assertTrue(text.startswith("# Mine\n"))
            self.assertTrue(text.endswith("Kept.\n"))
            self.assertRegex(text, r"\*\*fan-out\*\*: 750 WebSocket clients.*[0-9.]+ x floor")
            self.assertRegex(text, r"nothing connected: resident \| [0-9.]+ MiB")
            self.assertRegex(text, r"taskset --cpu-list 1 .*crier bench fanout --clients 750 --rate 200")
            self.assertRegex(text, r"gRPC fan-out, sparse.*\| gRPC's library [0-9.]+ us, [0-9.]+ x \|")
            self.assertIn("tests/bench/grpc_library", text)
            picture = re.search(r"\((\S+/rows\.svg)\)", text)[1]
            self.assertTrue((page.parent / picture).exists())

            run = bench("memory-process", "--out", page)
            self.assertEqual(run.returncode, 0, run.stderr)
            again = page.read_text()
            self.assertRegex(again, r"(?m)^memory-process: measured on ")
            self.assertRegex(again, r"(?m)^fanout, grpc-sparse: measured on ")
            kept = re.search(r"\| \*\*fan-out\*\*.*", text)[0]
            self.assertIn(kept, again)

    def test_two_ways_are_compared(self):
        run = bench("memory-process", "--compare-flag=--shards=2")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout, r"\| memory-process \| [0-9.]+ MiB \| [0-9.]+ MiB \| [0-9.]+ \|")
        self.assertEqual(re.findall(r"\((A|B), ", run.stderr), ["A", "B", "B", "A"])

    def test_what_is_wrong_is_said(self):
        for arguments, words in [
            (["sprint"], "no row 'sprint'; there are: fanout,"),
            (["--runs=0"], "--runs has to be at least 1"),
            (["--scale=0.01"], "--scale has to be at least 0.1"),
            (["--build=/nowhere"], "there is no /nowhere/bin/crierd; build first"),
            (["direct", "--flag=--no_such_flag"], "crierd did not start: taskset --cpu-list 0 "),
            (["direct", "--flag=--no_such_flag"], "--no_such_flag: there is no such flag"),
        ]:
            with self.subTest(words):
                run = bench(*arguments)
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(words, run.stderr)


if __name__ == "__main__":
    support.main()
