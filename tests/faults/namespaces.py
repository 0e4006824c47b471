"""Network namespaces, for tests that cut links: the whole test runs in one of its own, so nothing of the
machine's network changes, and nothing is left behind. Other programs of the test run in further ones."""

import os
import subprocess
import sys

import support  # faults.py sets its path

IN_NAMESPACE = "FAULTS_IN_NAMESPACE"  # set in the test's own namespace


def enter():
    """Begins the program again in a network namespace; there it returns. An ordinary user is root then."""
    if IN_NAMESPACE in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    tried = []
    for options in (["-n"], ["-Urn"]):
        done = subprocess.run(["unshare", *options, "true"], capture_output=True, text=True,
                              check=False)
        if done.returncode == 0:
            os.environ[IN_NAMESPACE] = "1"
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
        tried.append(f"unshare {' '.join(options)}: {done.stderr.strip()}")
    sys.exit("FAILED: this machine lets neither root nor an ordinary user make a network namespace, so "
             "links that are cut cannot be tested here. Run it as root, or allow user namespaces "
             f"(sysctl kernel.unprivileged_userns_clone=1). {'; '.join(tried)}")


class Namespace:
    """Another one, from when it is made until close(). Programs run in it with `enter` before them."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        self.pid = str(self.holder.pid)
        support.wait_for("the other namespace", lambda: os.readlink(f"/proc/{self.pid}/ns/net") !=
                         os.readlink("/proc/self/ns/net"))
        self.enter = ["nsenter", "-t", self.pid, "-n"]

    def ip(self, *arguments):
        ip(*arguments, before=self.enter)

    def close(self):
        self.holder.kill()
        self.holder.wait()


def ip(*arguments, before=()):
    subprocess.run([*before, "ip", *arguments], check=True)
