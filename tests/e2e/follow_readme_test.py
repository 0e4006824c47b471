"""scripts/lib/follow_readme, with which scripts/fresh-check follows README.md, on documents made here."""

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import support

FOLLOW = pathlib.Path(__file__).resolve().parents[2] / "scripts/lib/follow_readme"
HOLDS, FAILED, USAGE = 0, 1, 2


def follow(document, *options, in_background=False):
    """The exit code of following the document, and all that was printed. In the background: with
    Ctrl-C ignored, as a shell's script starts it with "&"."""
    def ignore_control_c():
        if in_background:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "README.md").write_text(document, encoding="utf-8")
        done = subprocess.run([FOLLOW, *options], cwd=folder, stdin=subprocess.DEVNULL,
                              preexec_fn=ignore_control_c, capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)
    return done.returncode, done.stdout + done.stderr


def console(*lines, kind="console"):
    return "\n".join(["```" + kind, *lines, "```", ""])


class FollowReadmeTest(unittest.TestCase):
    def holds(self, document, *options, **how):
        code, text = follow(document, *options, **how)
        self.assertEqual(code, HOLDS, text)
        return text

    def fails(self, document, *options):
        code, text = follow(document, *options)
        self.assertEqual(code, FAILED, text)
        return text

    def test_output_that_agrees(self):
        self.holds(console("$ printf 'one\\nmore\\ntwo\\n'", "one", "two", "$ echo \\", "  three", "three"))

    def test_output_that_differs_is_named_with_its_line(self):
        text = self.fails("A text.\n\n" + console("$ echo one; echo two", "one", "2"))
        self.assertIn("README.md:4: FAILED", text)
        self.assertIn("README.md:6: this line has not come: 2", text)
        self.assertIn("\none\ntwo\n", text)

    def test_a_line_has_to_come_whole_and_in_order(self):
        self.fails(console("$ echo one two", "one"))
        self.fails(console("$ printf 'two\\none\\n'", "one", "two"))
        self.fails(console("$ echo axb", "a.b"))

    def test_dots_and_long_numbers_stand_for_others(self):
        self.holds(console("$ echo 'at 1234567890 by 7, for me'", "at 999999 by 7, ..."))
        self.fails(console("$ echo 12345", "54321"))

    def test_a_status_other_than_zero(self):
        text = self.fails(console("$ echo why; exit 3"))
        self.assertIn("ended with status 3", text)
        self.assertIn("\nwhy\n", text)

    def test_a_command_that_goes_on(self):
        text = self.fails(console("$ echo ready; sleep 100", "ready"), "--patience=1")
        self.assertIn("neither ends nor prints", text)

    def test_control_c_ends_a_command(self):
        document = console("$ echo ready; exec sleep 100", "ready", "^C", "$ echo next", "next")
        self.holds(document)
        self.holds(document, "--patience=2", in_background=True)

    def test_typed_lines(self):
        self.holds(console("$ while read -r line; do echo \"< $line\"; done",
                           "> one", "< one", "> two", "< two", "^C"))

    def test_a_command_in_the_background_and_its_further_output(self):
        begin = console("$ echo ready; until [ -e go ]; do sleep 0.05; done; echo gone; exec sleep 100",
                        "ready", kind="console background") + console("$ touch go")
        self.holds(begin + console("gone", kind="output"))
        text = self.fails(begin + console("lost", kind="output"), "--patience=1")
        self.assertIn("README.md:9: this line has not come: lost", text)

    def test_nothing_is_left_running(self):
        with tempfile.TemporaryDirectory() as folder:
            pid = pathlib.Path(folder, "pid")
            self.holds(console(f"$ echo $BASHPID >{pid}; echo up; exec sleep 100", "up",
                               kind="console background"))
            with self.assertRaises(ProcessLookupError):
                os.kill(int(pid.read_text(encoding="utf-8")), 0)

    def test_exports_hold_for_later_commands(self):
        self.holds(console("$ export WORD=two") + console("$ echo one $WORD", "one two"))

    def test_tests_only_where_wanted(self):
        document = console("$ true") + console("$ false", kind="console tests")
        self.holds(document)
        self.fails(document, "--tests")

    def test_other_blocks_are_for_people(self):
        self.holds(console("$ true") + console("false", kind="sh"))

    def test_documents_that_cannot_be_followed(self):
        self.assertIn("no command to follow", self.fails("# A title\n"))
        self.assertIn('unknown kind of block "console backgruond"',
                      self.fails(console("$ true", kind="console backgruond")))
        self.assertIn("has no end", self.fails("```console\n$ true\n"))
        self.assertIn("has to begin with a command", self.fails(console("true")))
        self.assertIn('needs a "console background" block', self.fails(console("x", kind="output")))

    def test_arguments(self):
        code, text = follow(console("$ false"), "--help")
        self.assertEqual(code, HOLDS)
        self.assertIn("scripts/lib/follow_readme [--tests]", text)
        code, text = follow(console("$ true"), "--test")
        self.assertEqual(code, USAGE)
        self.assertIn("unknown argument '--test'", text)


if __name__ == "__main__":
    support.main()
