"""A headless Chromium, driven through ChromeDriver's own protocol (W3C WebDriver)."""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

import support

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]

# W3C WebDriver, section 11.4.2, "Keyboard actions".
KEYS = {"Escape": "\ue00c", "Tab": "\ue004", "Enter": "\ue007", "Space": " ", "Shift": "\ue008",
        "PageUp": "\ue00e", "PageDown": "\ue00f", "End": "\ue010", "Home": "\ue011",
        "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014",
        "ArrowDown": "\ue015"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # section 12.1: the key of an element's reference


class Browser:
    """Use with `with`. What is said to a page goes to the tab that was shown last."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def start_driver(self):
        """Its port; None: it has ended."""
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            match = re.search(r"started successfully on port (\d+)", line)
            if match:
                return match[1]
        self.driver.stdout.close()
        self.driver.wait()
        return None

    def __enter__(self):
        self.profile = tempfile.mkdtemp()
        # It takes a free port of IPv4 and then wants the same of IPv6, which may be somebody's.
        for _ in range(5):
            port = self.start_driver()
            if port is not None:
                break
        else:
            raise AssertionError("chromedriver did not start")
        self.address = f"http://127.0.0.1:{port}"
        options = {"args": [*ARGUMENTS, *self.arguments, f"--user-data-dir={self.profile}"],
                   "binary": shutil.which("chromium")}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{session['sessionId']}"
        self.screen_options = None
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

    def complaints(self):
        """Errors that the tab's scripts, or the browser on its account, have told since last asked."""
        told = self._call("POST", self.session + "/se/log", {"type": "browser"})
        return [entry["message"] for entry in told if entry["level"] == "SEVERE"]

    # --- Tabs.

    def tab(self):
        return self._call("GET", self.session + "/window")

    def new_tab(self):
        """Opens a tab on the same screen and shows it; returns what `show` takes."""
        handle = self._call("POST", self.session + "/window/new", {"type": "tab"})["handle"]
        self.show(handle)
        if self.screen_options:
            self.screen(**self.screen_options)
        return handle

    def close_tab(self):
        """Closes the tab that is shown; another has to be shown next."""
        self._call("DELETE", self.session + "/window")

    def show(self, tab):
        self._call("POST", self.session + "/window", {"handle": tab})

    # --- As a user does it: real events of pointer and keyboard, on what can be seen.

    def text(self, selector):
        return self._call("GET", f"{self._element(selector)}/text")

    def click(self, selector):
        self._call("POST", f"{self._element(selector)}/click", {})

    def fill(self, selector, text):
        """Types into a field, in place of what it held."""
        control, backspace = "\ue009", "\ue003"
        everything = control + "a" + control
        self._call("POST", f"{self._element(selector)}/value",
                   {"text": everything + (text or backspace)})

    def choose(self, selector, value):
        """Takes an option of a list."""
        self.click(f'{selector} option[value="{value}"]')

    def press(self, *keys):
        """Strikes keys one after the other, wherever the focus is: names of KEYS, or characters."""
        strokes = []
        for key in keys:
            value = KEYS.get(key, key)
            strokes += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self._act("key", strokes)

    def type(self, text):
        self.press(*text)

    def point(self, selector, x=0, y=0):
        """Moves the mouse to a place in an element, counted from its middle."""
        reference = {ELEMENT: self._element(selector).rsplit("/", 1)[1]}
        move = {"type": "pointerMove", "duration": 0, "origin": reference, "x": x, "y": y}
        self._act("pointer", [move])

    # --- What the page is shown on.

    def screen(self, width, height, dark=False, phone=False, still=False):
        """A window of this size inside, in CSS pixels, and what its user prefers. Holds for the tab
        that is shown, and for those that it opens."""
        self.screen_options = {"width": width, "height": height, "dark": dark, "phone": phone,
                               "still": still}
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.devtools("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])

    def screenshot(self, path):
        image = self._call("GET", self.session + "/screenshot")
        pathlib.Path(path).write_bytes(base64.b64decode(image))

    def devtools(self, command, **parameters):
        """A command of Chromium's own protocol."""
        return self._call("POST", self.session + "/goog/cdp/execute",
                          {"cmd": command, "params": parameters})

    def _element(self, selector):
        found = self._call("POST", self.session + "/element",
                           {"using": "css selector", "value": selector})
        return f"{self.session}/element/{found[ELEMENT]}"

    def _act(self, kind, actions):
        self._call("POST", self.session + "/actions",
                   {"actions": [{"type": kind, "id": kind, "actions": actions}]})

    def _call(self, method, path, body=None):
        request = urllib.request.Request(
            self.address + path, method=method,
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=3 * support.DEADLINE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                problem = json.load(error)["value"]
            raise AssertionError(f"{problem['error']}: {problem['message']}") from None
