"""Facts about this machine, and the CPU time and resident memory of a process."""

import os
import platform
import subprocess
import threading
import time
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def facts():
    """Hardware and system, as a report names them."""
    def field(path, name, separator):
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return line.split(separator, 1)[1].strip().strip('"')
        return "unknown"

    return {
        "cpu": field("/proc/cpuinfo", "model name", ":"),
        "cores": os.cpu_count(),
        "memory_bytes": 1024 * int(field("/proc/meminfo", "MemTotal", ":").split()[0]),
        "kernel": platform.release(),
        "system": field("/etc/os-release", "PRETTY_NAME", "="),
    }


def commit(root):
    """The commit that is checked out, and whether files differ from it."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True,
                              check=True).stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cores(text):
    """"0,2-3" as {0, 2, 3}. Raises ValueError, with words, where this process may not use them."""
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise ValueError(f"cores are named as in 0 or 0,2-3, not '{text}'")
        found |= set(range(int(first), int(last or first) + 1))
    usable = os.sched_getaffinity(0)
    if not found or found - usable:
        raise ValueError(f"of the cores {text} only these can be used here: "
                         f"{core_list(found & usable) or 'none'} (there are {core_list(usable)})")
    return found


def core_list(numbers):
    return ",".join(str(number) for number in sorted(numbers))


def cores_of(pid):
    """The cores that a process may run on, as the kernel writes them ("0" or "0-1")."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("Cpus_allowed_list:"):
            return line.split(":")[1].strip()
    return "unknown"


def usage(pid):
    """(user and system time in seconds, resident bytes) of a process. Raises OSError once it is gone."""
    # The second field, the name in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    resident = Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1]
    return (int(fields[11]) + int(fields[12])) / _TICK, int(resident) * _PAGE


class Sampler:
    """Reads the usage of processes, added up, each second for as long as a `with` lasts.

    `samples`: [(seconds since 1970, CPU seconds, resident bytes)]. Ends by itself when one of the
    processes does.
    """

    def __init__(self, pids):
        self._pids = pids
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        following = time.monotonic()
        while not self._stop.is_set():
            try:
                read = [usage(pid) for pid in self._pids]
            except OSError:
                return
            self.samples.append((time.time(), sum(cpu for cpu, _ in read),
                                 sum(resident for _, resident in read)))
            following += 1
            self._stop.wait(max(0, following - time.monotonic()))
