"""A headless Chromium, driven through ChromeDriver's own protocol (W3C WebDriver)."""

import json
import re
import shutil
import subprocess
import tempfile
import urllib.request

import support

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]


class Browser:
    """Use with `with`."""

    def __enter__(self):
        self.profile = tempfile.mkdtemp()
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            match = re.search(r"started successfully on port (\d+)", line)
            if match:
                break
        else:
            raise AssertionError("chromedriver did not start")
        self.address = f"http://127.0.0.1:{match[1]}"
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.profile}"],
                   "binary": shutil.which("chromium")}
        session = self._call("POST", "/session", {
            "capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.session = f"/session/{session['sessionId']}"
        return self

    def __exit__(self, *_):
        self._call("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait()
        self.driver.stdout.close()
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, url):
        self._call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs JavaScript in the page; returns what it returns."""
        return self._call("POST", self.session + "/execute/sync",
                          {"script": script, "args": list(arguments)})

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self.address + path, method=method,
            data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=3 * support.DEADLINE) as answer:
            return json.load(answer)["value"]
