"""testssl.sh against the real server: it finds nothing above "low", but for what the test's own
certificate lacks."""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

# Of the certificate, which the test signs itself, and of the machine's openssl and its names.
NOT_OURS = ("cert_", "engine_problem", "DNS_")


class TestsslTest(unittest.TestCase):
    def test_it_finds_nothing_above_low(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        certificate, key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
            check=True, capture_output=True, timeout=support.DEADLINE)
        with support.Crierd(f"--tls_cert={certificate}", f"--tls_key={key}") as crierd:
            found = folder / "found.json"
            done = subprocess.run(
                ["testssl", "--quiet", "--color", "0", "--warnings", "off",
                 f"--openssl={shutil.which('openssl')}", f"--jsonfile={found}", crierd.http],
                capture_output=True, text=True, timeout=300, check=False)
        findings = json.loads(found.read_text())
        self.assertGreater(len(findings), 50, done.stdout)
        self.assertEqual([one for one in findings if not one["id"].startswith(NOT_OURS)
                          and one["severity"] not in ("OK", "INFO", "LOW")], [])


if __name__ == "__main__":
    if shutil.which("testssl") is None:
        print("skipped: there is no testssl")
        sys.exit(support.SKIPPED)
    support.main()
