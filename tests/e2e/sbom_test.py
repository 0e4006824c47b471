"""The bill of materials that the build writes beside the server, and systemd's opinion of the unit."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import support

CRIERD = Path(os.environ["CRIERD"])
ROOT = Path(__file__).resolve().parents[2]


class SbomTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bill = json.loads(CRIERD.with_suffix(".spdx.json").read_text(encoding="utf-8"))
        cls.relations = {one["relatedSpdxElement"]: one["relationshipType"]
                         for one in cls.bill["relationships"]}

    def relation(self, package):
        return self.relations.get(f"SPDXRef-{package}")

    def test_it_is_of_this_program(self):
        self.assertEqual(self.bill["spdxVersion"], "SPDX-2.3")
        program = self.bill["packages"][0]
        digest = subprocess.run(["sha256sum", CRIERD], capture_output=True, text=True,
                                check=True).stdout.split()[0]
        self.assertEqual(program["checksums"][0]["checksumValue"], digest)

    def test_archives_shared_libraries_and_headers_are_in_it(self):
        self.assertEqual(self.relation("libssl-dev"), "STATIC_LINK")
        self.assertEqual(self.relation("libnghttp2-dev"), "STATIC_LINK")
        self.assertEqual(self.relation("libc6"), "DYNAMIC_LINK")
        boost = [name for name in self.relations if "boost" in name]
        self.assertTrue(boost)

    def test_versions_are_those_installed(self):
        for package in self.bill["packages"][1:]:
            installed = subprocess.run(
                ["dpkg-query", "-W", "-f", "${Version}\n", package["name"]], capture_output=True,
                text=True, check=True).stdout.split()
            self.assertIn(package["versionInfo"], installed, package["name"])

    def test_what_cannot_be_known_is_said(self):
        def said(*arguments):
            done = subprocess.run([ROOT / "scripts/sbom", *arguments], capture_output=True,
                                  text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            return done.stderr
        self.assertIn("name a program", said())
        self.assertIn("there is no /nowhere", said("/nowhere"))
        self.assertIn("--verbose", said("--verbose"))


class UnitTest(unittest.TestCase):
    def test_systemd_finds_nothing_wrong_and_little_exposed(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        unit = folder / "crierd.service"
        text = (ROOT / "docs/systemd/crierd.service").read_text(encoding="utf-8")
        unit.write_text(text.replace("/usr/local/bin/crierd", str(CRIERD)), encoding="utf-8")
        verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True,
                                  timeout=support.DEADLINE, check=False)
        self.assertEqual((verified.returncode, verified.stderr), (0, ""))
        judged = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--threshold=15", unit],
            capture_output=True, text=True, timeout=support.DEADLINE, check=False)
        self.assertEqual(judged.returncode, 0, judged.stdout[-300:])


if __name__ == "__main__":
    support.main()
