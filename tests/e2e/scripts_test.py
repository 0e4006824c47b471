"""The scripts of scripts/: --help says how each is used and does nothing else, what is unknown is
refused by name, and what scripts/setup and scripts/common.sh say is what they do.

They run in a copy of their folder, with stand-ins for every program that would change something.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["CRIERD"]).parents[1]
SCRIPTS = sorted(str(path.relative_to(ROOT / "scripts")) for path in (ROOT / "scripts").rglob("*")
                 if path.is_file() and os.access(path, os.X_OK))
WITHOUT_STAND_INS = "/usr/bin:/bin"
ACTING = ["apt-cache", "apt-get", "cmake", "ctest", "curl", "debootstrap", "docker", "dpkg-deb",
          "dpkg-query", "git", "go", "k6", "ninja", "strace", "sudo", "valgrind"]
# For each script an argument that it does not know; --no-such-flag where none is named. What begins
# with -- is crierd's for scripts/run.
UNKNOWN = {"run": "nonsense", "test": "nonsense", "setup": "nonsense", "study": "nonsense",
           "docker-base": "nonsense", "bench": "nonsense", "flood": "nonsense"}


class ScriptsCopy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "crier"
        shutil.copytree(ROOT / "scripts", self.root / "scripts",
                        ignore=shutil.ignore_patterns("__pycache__"))
        self.stand_ins = Path(folder.name) / "bin"
        self.stand_ins.mkdir()
        self.called = Path(folder.name) / "called"
        for name in ACTING:
            self.stand_in(name, "exit 97")

    def stand_in(self, name, body):
        """A program that notes its call and then does `body`, in Bash."""
        path = self.stand_ins / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.called}"\n{body}\n')
        path.chmod(0o755)

    def run_script(self, name, *arguments, **environment):
        script = self.root / "scripts" / name
        command = [script, *arguments]
        if "python" in script.read_text().splitlines()[0]:
            # -S: without any module that a package installs.
            command = [sys.executable, "-S", *command]
        return self.execute(command, **environment)

    def execute(self, command, **environment):
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=support.DEADLINE,
            env={"PATH": f"{self.stand_ins}:{WITHOUT_STAND_INS}", "PYTHONDONTWRITEBYTECODE": "1",
                 **environment})

    def calls(self):
        return self.called.read_text().splitlines() if self.called.exists() else []

    def files(self):
        return sorted(str(path) for path in self.root.rglob("*"))


class UsageTest(ScriptsCopy):
    def test_stand_ins_would_notice(self):
        run = self.run_script("setup")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("dpkg-query", self.called.read_text())

    def test_help_only_prints(self):
        self.assertIn("run", SCRIPTS)
        before = self.files()
        for name in SCRIPTS:
            for option in ["--help", "-h"]:
                with self.subTest(f"{name} {option}"):
                    run = self.run_script(name, option)
                    self.assertEqual((run.returncode, run.stderr), (0, ""))
                    self.assertRegex(run.stdout, rf"(?m)^(usage:| +scripts/{name}\b)")
                    self.assertNotIn("set -euo", run.stdout)
        self.assertEqual(self.calls(), [])
        self.assertEqual(self.files(), before)

    def test_help_is_found_behind_other_arguments(self):
        for command in [["run", "--shards=1", "--help"], ["setup", "--tests", "--help"],
                        ["test", "unit", "-h"], ["study", "--time", "0.1", "--help"]]:
            with self.subTest(" ".join(command)):
                run = self.run_script(*command)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertIn(f"scripts/{command[0]} ", run.stdout)
        self.assertEqual(self.calls(), [])

    def test_help_of_run_has_the_flags_of_a_server_that_is_built(self):
        self.assertIn("build/release/bin/crierd --help", self.run_script("run", "--help").stdout)
        server = self.root / "build/release/bin/crierd"
        server.parent.mkdir(parents=True)
        server.symlink_to(os.environ["CRIERD"])
        run = self.run_script("run", "--help")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("scripts/run [FLAG...]", run.stdout)
        self.assertIn("--http_listen", run.stdout.split("does too.")[1])
        self.assertEqual(self.calls(), [])

    def test_what_is_unknown_is_refused_by_name(self):
        for name in SCRIPTS:
            if name.startswith("cmake/"):
                continue  # its arguments are the linker's
            argument = UNKNOWN.get(name, "--no-such-flag")
            with self.subTest(f"{name} {argument}"):
                run = self.run_script(name, argument)
                self.assertNotEqual(run.returncode, 0)
                self.assertIn(argument, run.stderr)
                self.assertEqual(run.stdout, "")
        self.assertEqual(self.calls(), [])

    def test_ci_only_prints_its_help_too(self):
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        run = self.execute([self.root / ".ci/run", "--help"])
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("sanitizers", run.stdout)
        run = self.execute([self.root / ".ci/run", "nonsense"])
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("nonsense", run.stderr)
        self.assertEqual(self.calls(), [])

    def test_every_label_is_known(self):
        # With the real programs, in the build that this test belongs to.
        listed = subprocess.run(["ctest", "--test-dir", BUILD, "--print-labels"], check=True,
                                capture_output=True, text=True, timeout=support.DEADLINE).stdout
        labels = [line.strip() for line in listed.splitlines() if line.startswith("  ")]
        self.assertIn("e2e", labels)
        for label in labels:
            with self.subTest(label):
                # It goes on to scripts/setup, which the stand-ins stop.
                self.assertNotIn("unknown argument", self.run_script("test", label).stderr)


# What apt-get and its kin answer on a machine where just Boost is missing.
APT_GET = """
[[ "$*" == *--print-uris* ]] || exit 0
echo '0 upgraded, 12 newly installed, 0 to remove and 129 not upgraded.'
echo 'Need to get 30.9 MB of archives.'
echo 'After this operation, 136 MB of additional disk space will be used.'
"""
DPKG_QUERY = '[[ "$*" == *boost* ]] || echo -n installed'


class SetupTest(ScriptsCopy):
    def setUp(self):
        super().setUp()
        self.stand_in("apt-get", APT_GET)
        self.stand_in("sudo", 'exec "$@"')
        self.stand_in("dpkg-query", DPKG_QUERY)

    def installs(self, *listed):
        # Of a package that others only name it says nothing, and does not fail.
        self.stand_in("apt-cache", f'[[ " {" ".join(listed)} " != *" $2 "* ]] || echo "Package: $2"')
        run = self.run_script("setup")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout, "")
        last = [call for call in self.calls() if call.startswith("apt-get install")][-1]
        return run.stderr, [word for word in last.split() if word.startswith("lib")]

    def test_the_size_is_said_before_anything_is_downloaded(self):
        said, _ = self.installs("libboost1.81-dev", "libboost-json1.81-dev")
        self.assertIn("12 packages, 30.9 MB to download, 136 MB on the disk", said)
        order = ["apt-get update", "--print-uris", "--download-only", "apt-get install"]
        calls = [call for call in self.calls() if call.startswith("apt-get")]
        self.assertEqual(len(calls), len(order))
        for call, words in zip(calls, order):
            self.assertIn(words, call)

    def test_versioned_packages_come_first(self):
        _, names = self.installs("libboost1.81-dev", "libboost-json1.81-dev", "libboost-dev",
                                 "libboost-json-dev")
        self.assertEqual(names, ["libboost1.81-dev", "libboost-json1.81-dev"])

    def test_without_versioned_packages_the_others_do(self):
        _, names = self.installs("libboost-dev", "libboost-json-dev")
        self.assertEqual(names, ["libboost-dev", "libboost-json-dev"])

    def test_nothing_missing_is_nothing_said(self):
        self.stand_in("dpkg-query", "echo -n installed")
        run = self.run_script("setup")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        self.assertFalse([call for call in self.calls() if call.startswith("apt-get")])

    def test_tests_are_asked_for(self):
        self.stand_in("dpkg-query", "exit 1")
        self.stand_in("apt-cache", 'echo "Package: $2"')
        for arguments, wanted in [([], False), (["--tests"], True)]:
            run = self.run_script("setup", *arguments)
            self.assertEqual(run.returncode, 0, run.stderr)
            last = self.calls()[-1].split()
            self.assertIn("cmake", last)
            for package in ["python3", "libgtest-dev", "libgmock-dev", "libbenchmark-dev"]:
                self.assertEqual(package in last, wanted, package)


# What CMake leaves behind, so far as the scripts look at it.
CMAKE = """
mkdir -p build/release && touch build/release/build.ninja
for word; do
  [[ "$word" != -DCRIER_TESTS=* ]] || echo "CRIER_TESTS:BOOL=${word#*=}" >build/release/CMakeCache.txt
done
"""


class BuildTest(ScriptsCopy):
    def setUp(self):
        super().setUp()
        self.stand_in("dpkg-query", "echo -n installed")
        self.stand_in("cmake", CMAKE)
        for name in ["ninja", "grpcurl", "prometheus", "nginx", "haproxy", "caddy"]:
            self.stand_in(name, "")
        tools = self.root / "build/tools"
        for name in ["conformance/connectrpc", "conformance/internal"]:
            (tools / name).mkdir(parents=True)
        for name in ["connectconformance", "grpc-interop-client", "h2spec"]:
            (tools / name).touch(0o755)
        server = self.root / "build/release/bin/crierd"
        server.parent.mkdir(parents=True)
        server.write_text("#!/bin/sh\necho started\n")
        server.chmod(0o755)

    def builds(self, name):
        """The calls of CMake and Ninja that the script made."""
        self.called.unlink(missing_ok=True)
        run = self.run_script(name)
        if name == "run":
            self.assertEqual((run.returncode, run.stdout), (0, "started\n"), run.stderr)
        ninja = f"ninja -C {self.root}/build/release"
        return [call.replace(ninja, "ninja").strip() for call in self.calls()
                if call.startswith(("cmake", "ninja"))]

    def test_the_server_is_built_without_the_tests_until_they_are_wanted(self):
        server = "ninja crierd crier"
        self.assertEqual(self.builds("run"), ["cmake --preset release -DCRIER_TESTS=OFF", server])
        self.assertEqual(self.builds("run"), [server])
        self.assertEqual(self.builds("test"),
                         [server, "cmake --preset release -DCRIER_TESTS=ON", "ninja"])
        self.assertEqual(self.builds("test"), [server, "ninja"])
        self.assertEqual(self.builds("run"), [server])

    def test_a_build_that_was_never_configured_to_the_end_needs_no_tests(self):
        (self.root / "build/release/CMakeCache.txt").write_text("CRIER_TESTS:BOOL=ON\n")
        self.assertEqual(self.builds("run")[0], "cmake --preset release -DCRIER_TESTS=OFF")


SKIPPING = r"""
add_test(of_a_script sh -c "echo skipped: no k6 here && exit 77")
set_tests_properties(of_a_script PROPERTIES SKIP_RETURN_CODE 77)
add_test(Google.Test sh "-c" "printf '[ RUN      ] Google.Test\nx.cc:12: Skipped\nno 2000 descriptors\n\n[  SKIPPED ] Google.Test (0 ms)\n'")
set_tests_properties(Google.Test PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
add_test(silent sh -c "exit 77")
set_tests_properties(silent PROPERTIES SKIP_RETURN_CODE 77)
add_test(good sh -c "echo skipped: not so")
"""


class SkipTest(ScriptsCopy):
    def test_reasons_are_shown(self):
        build = self.root / "build/release"
        build.mkdir(parents=True)
        (build / "CTestTestfile.cmake").write_text(SKIPPING)
        (self.stand_ins / "ctest").unlink()
        run = self.execute(["bash", "-c", f"source '{self.root}/scripts/common.sh'\n"
                            "run_tests release && summary"])
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertEqual(sorted(run.stderr.splitlines()), [
            "skipped: Google.Test: no 2000 descriptors",
            "skipped: of_a_script: no k6 here",
            "skipped: silent: it gave no reason",
        ])
        self.assertEqual(run.stdout.splitlines()[-1], "1 passed, 0 failed, 3 skipped")

    def test_failures_are_named_at_the_end(self):
        build = self.root / "build/release"
        build.mkdir(parents=True)
        (build / "CTestTestfile.cmake").write_text(
            'add_test(good true)\nadd_test(Bad.Test false)\nadd_test(missing /nowhere/at/all)\n')
        (self.stand_ins / "ctest").unlink()
        run = self.execute(["bash", "-c", f"source '{self.root}/scripts/common.sh'\n"
                            "run_tests release; summary"])
        *_, first, second, counts = run.stdout.splitlines()
        self.assertEqual(sorted([first, second]),
                         ["failed: release: Bad.Test", "failed: release: missing"])
        self.assertEqual(counts, "1 passed, 2 failed")


if __name__ == "__main__":
    support.main()
