"""A real Prometheus on a port of this machine, for as long as a `with` lasts.

    with Prometheus({"crier": "127.0.0.1:8000"}, folder) as prometheus:
        prometheus.wait_until_scraped()
        prometheus.query("ws_connections")

Python's standard library only. Written against Prometheus 2.42, Debian 12's.
"""

import json
import re
import select
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

DEADLINE = 30  # seconds that starting, the first scrapes, or a query may take
TOOLS = Path(__file__).resolve().parents[2] / "build" / "tools"


class PrometheusError(Exception):
    """What went wrong, in words for whoever started the script."""


def binary():
    """The program's path, on PATH or where scripts/setup --tools puts it."""
    found = shutil.which("prometheus") or shutil.which("prometheus", path=TOOLS)
    if not found:
        raise PrometheusError(
            f"no prometheus, neither on PATH nor in {TOOLS}; scripts/setup --tools fetches it")
    return found


def config(targets, interval):
    """The configuration, as JSON, which is YAML too.

    `targets`: {job: address}, or a list of addresses, which are all of the job "crier". An address is
    HOST:PORT (then the path is /metrics) or http://HOST:PORT/PATH. `interval`: as Prometheus writes
    durations ("1s", "500ms").
    """
    if not isinstance(targets, dict):
        jobs = {"crier": list(targets)}
    else:
        jobs = {job: [address] for job, address in targets.items()}
    scrapes = []
    for job, addresses in jobs.items():
        for address in addresses:
            parts = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
            try:
                complete = parts.hostname and parts.port
            except ValueError:
                complete = False
            if not complete or parts.scheme not in ("", "http", "https"):
                raise PrometheusError(
                    f"the metrics of {job} have to be at HOST:PORT or http://HOST:PORT/PATH, "
                    f"not at '{address}'")
            # A job's name may stand there once; the label is what counts.
            scrapes.append({
                "job_name": f"{job} {address}",
                "scheme": parts.scheme or "http",
                "metrics_path": parts.path or "/metrics",
                "static_configs": [{"targets": [parts.netloc], "labels": {"job": job}}],
            })
    return json.dumps({
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": scrapes,
    }, indent=1)


class Prometheus:
    """Scrapes `targets` (see config()) and keeps what it scraped, its configuration and its log in
    `folder`, which is the caller's."""

    def __init__(self, targets, folder, interval="1s"):
        self._folder = Path(folder)
        self._config = config(targets, interval)
        self._process = None
        self.address = None  # HOST:PORT, once it has started

    def __enter__(self):
        program = binary()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yaml").write_text(self._config)
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [program, f"--config.file={self._folder / 'prometheus.yaml'}",
                 f"--storage.tsdb.path={self._folder / 'data'}",
                 "--web.listen-address=127.0.0.1:0",
                 # Else a query finds a series up to five minutes after its last sample.
                 "--query.lookback-delta=5s"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.address = self._wait_for("its port", self._port_from_log)
            self._wait_for("it to be ready", self._is_ready)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """A second time it does nothing."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def query(self, expr, at=None):
        """The series at a time (seconds since 1970; default: now): [{metric, value: [time, text]}]."""
        return self._api("query", query=expr, **({} if at is None else {"time": at}))["result"]

    def value(self, expr, at=None):
        """The value of the only series; None where there is none."""
        series = self.query(expr, at)
        if len(series) > 1:
            raise PrometheusError(f"{len(series)} series where one was expected: {expr}")
        return float(series[0]["value"][1]) if series else None

    def query_range(self, expr, start, end, step):
        """The series between two times, a point each `step` seconds: [{metric, values: [[time, text]]}]."""
        return self._api("query_range", query=expr, start=start, end=end, step=step)["result"]

    def targets(self):
        """What is scraped: [{labels, health, lastError, scrapeUrl, ...}]; health is "up" where it works."""
        return self._api("targets", state="active")["activeTargets"]

    def wait_until_scraped(self):
        """Returns once there is a sample of every target. (The first takes Prometheus 5 s.)"""
        try:
            self._wait_for("a first scrape of every target", self._all_scraped)
        except PrometheusError as error:
            if self._process.poll() is not None:
                raise
            down = [f"{one['scrapeUrl']} ({one['lastError'] or 'not scraped yet'})"
                    for one in self.targets() if one["health"] != "up"]
            raise PrometheusError(f"{error}: {', '.join(down)}") from None

    def _all_scraped(self):
        targets = self.targets()
        return targets and len(self.query("up == 1")) == len(targets)

    @property
    def _log(self):
        return self._folder / "prometheus.log"

    def _port_from_log(self):
        found = re.search(r'msg="Listening on" address=(\S+)', self._log.read_text())
        return found and found[1]

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=DEADLINE):
                return True
        except urllib.error.HTTPError:  # 503 until it has started
            return False

    def _wait_for(self, what, condition):
        end = time.monotonic() + DEADLINE
        while True:
            value = condition()
            if value:
                return value
            if self._process.poll() is not None:
                last = self._log.read_text().strip().splitlines()[-1:]
                raise PrometheusError(f"prometheus ended at once: {''.join(last)}")
            if time.monotonic() > end:
                raise PrometheusError(f"waited {DEADLINE} s in vain for {what}; see {self._log}")
            select.select([], [], [], 0.02)

    def _api(self, what, **parameters):
        url = f"http://{self.address}/api/v1/{what}"
        try:
            # As a form: an expression may be longer than a URL.
            data = urllib.parse.urlencode(parameters).encode()
            if what == "targets":
                url, data = f"{url}?{data.decode()}", None
            with urllib.request.urlopen(url, data, timeout=DEADLINE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            try:
                body = json.loads(body)["error"]
            except (ValueError, KeyError):
                pass
            raise PrometheusError(f"{parameters.get('query', what)}: {body}") from None
        except OSError as error:
            raise PrometheusError(f"prometheus at {self.address} does not answer: {error}") from None
