"""The administrators' page in a real browser: what it shows, what it does, its token, and that it can be
used on any screen and without a mouse."""

import http.server
import json
import os
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import browser
import console_test
import support

ROWS = """
  return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map(
      (row) => [...row.children].map((cell) => cell.textContent));
"""


def call(address, method, request, **headers):
    """The status of HTTP and the body that a call gets."""
    asked = urllib.request.Request(
        f"http://{address}/crier.v1.Admin/{method}", data=json.dumps(request).encode(),
        headers={"Content-Type": "application/json",
                 **{name.replace("_", "-"): value for name, value in headers.items()}})
    try:
        with urllib.request.urlopen(asked, timeout=support.DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class EmptyPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class AdminPageCase(unittest.TestCase):
    flags = []

    def new_folder(self):
        return Path(self.enterContext(tempfile.TemporaryDirectory()))

    def setUp(self):
        self.folder = self.new_folder()
        self.log = self.folder / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.crierd = self.enterContext(support.Crierd(
                *[flag.format(folder=self.prepared()) for flag in self.flags], stderr=log))
        self.page = self.enterContext(browser.Browser())
        self.page.screen(1280, 900, still=True)

    def prepared(self):
        """The folder, with what the flags name."""
        return self.folder

    def with_secret(self):
        """The folder, with a key for tokens."""
        (self.folder / "secret").write_text("s" * 64)
        return self.folder

    def token(self, *claims):
        """One of ann's, by that key."""
        return subprocess.run(
            [os.environ["CRIER"], "token", "make", "--key", str(self.folder / "secret"), "--alg",
             "HS256", "--sub", "ann", *claims],
            capture_output=True, check=True, text=True).stdout.strip()

    def open(self):
        self.page.open(f"http://{self.crierd.admin}/")

    # --- Words for what a user does and sees.

    def wait_for_text(self, selector, text):
        return support.wait_for(f"{text!r} in {selector}",
                                lambda: text in self.page.text(selector))

    def rows(self, table):
        return self.page.run(ROWS, table)

    def wait_for_rows(self, table, what, condition):
        return support.wait_for(
            f"{what} in {table}, not {self.rows(table)}",
            lambda: (rows := self.rows(table)) is not None and condition(rows) and (rows or True))

    def wait_for_users(self, *users):
        return self.wait_for_rows("sessions", users,
                                  lambda rows: sorted(row[1] for row in rows) == sorted(users))

    def listener(self, user, *arguments):
        """A client that stays."""
        process = subprocess.Popen(
            [os.environ["CRIER"], "listen", f"--user={user}", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for close in [process.stdout.close, process.stderr.close, process.wait, process.kill]:
            self.addCleanup(close)
        return process

    def by_websocket(self, user, *arguments):
        return self.listener(user, f"--url=ws://{self.crierd.http}/ws", *arguments)

    def by_grpc(self, user, *arguments):
        return self.listener(user, f"--grpc={self.crierd.grpc}", *arguments)

    def logged(self, words):
        support.wait_for(f"{words!r} in the log",
                         lambda: words in self.log.read_text(encoding="utf-8"))


class AdminPageTest(AdminPageCase):
    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])

    def setUp(self):
        super().setUp()
        self.open()
        self.wait_for_text("#state-text", "live")

    def test_sessions_come_are_filtered_and_are_disconnected(self):
        self.by_websocket("ann")
        bob = self.by_grpc("bob", "--topic=news")
        rows = self.wait_for_users("ann", "bob")
        self.assertEqual({row[1]: (row[2], row[3], row[5]) for row in rows},
                         {"ann": ("127.0.0.1", "WebSocket", "0"), "bob": ("127.0.0.1", "gRPC", "1")})
        self.page.fill("#sessions [name=topic]", "news")
        self.page.press("Enter")
        self.wait_for_users("bob")
        self.page.fill("#sessions [name=topic]", "")
        self.page.choose("#sessions [name=transport]", "WEBSOCKET")
        self.page.press("Enter")
        self.page.click("#sessions [data-part=filter] button")
        self.wait_for_users("ann")
        self.page.choose("#sessions [name=transport]", "")
        self.page.click("#sessions [data-part=filter] button")
        self.wait_for_users("ann", "bob")

        number = next(row[0] for row in rows if row[1] == "bob")
        self.page.click(f'[aria-label="Disconnect session {number}"]')
        self.assertEqual(self.page.run("return byId('disconnect').elements.sessionId.value"), number)
        self.page.fill("#disconnect [name=detail]", "maintenance")
        # Asked first: nothing happens to who says no.
        self.page.press("Enter")
        self.wait_for_text("#confirm-text", f"Disconnect session {number}?")
        self.page.press("Escape")
        self.page.click("#disconnect button")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", f"Disconnected session {number}: 1 session.")
        self.assertNotEqual(bob.wait(support.DEADLINE), 0)
        self.assertIn("maintenance", bob.stderr.read())
        self.wait_for_users("ann")
        self.assertEqual(self.page.run("return byId('done').children.length"), 1)
        self.logged(f'admin: Disconnect by local from 127.0.0.1: session "{number}": 1 session')

    def test_topics_with_their_rate_and_a_publish_as_the_server(self):
        ann = self.by_websocket("ann", "--topic=news", "--count=1")
        self.wait_for_rows("topics", "news", lambda rows: ["news", "1"] in [r[:2] for r in rows])
        self.page.fill("#publish [name=topic]", "news")
        self.page.fill("#publish [name=userId]", "operator")
        self.page.fill("#publish [name=body]", "The doors are open.")
        self.page.press("Enter")
        self.wait_for_text("#done", "Published in news, offset 1: 1 recipient.")
        self.assertIn("The doors are open.", ann.communicate(timeout=support.DEADLINE)[0])
        rows = self.wait_for_rows("topics", "a rate", lambda rows: any(
            row[0] == "news" and row[2] == "0.1/s" and row[3] == "1" for row in rows))
        self.assertEqual(rows[0][0], "news", "the busiest first")
        self.page.fill("#topics [name=prefix]", "nothing")
        self.page.press("Enter")
        self.wait_for_rows("topics", "nothing", lambda rows: rows == [])

    def test_pages(self):
        # So that a page is small.
        self.page.run("Listing.kPageSize = 2; page.sessions.go([''])")
        for user in ["a", "b", "c"]:
            self.by_websocket(user)
        self.wait_for_text("#sessions [data-part=note]", "2, and more")
        first = self.rows("sessions")
        self.page.click("#sessions [data-part=pages] button:nth-child(2)")
        self.wait_for_text("#sessions [data-part=note]", "page 2: 1")
        second = self.rows("sessions")
        self.assertEqual(sorted(row[1] for row in first + second), ["a", "b", "c"])
        self.page.click("#sessions [data-part=pages] button:nth-child(1)")
        self.wait_for_text("#sessions [data-part=note]", "2, and more")

    def test_the_log_level_the_server_and_a_drain(self):
        self.page.choose("#log-level select", "debug")
        self.page.click("#log-level button")
        self.wait_for_text("#done", "Log level: debug; it was info.")
        self.wait_for_text("#facts", "debug")
        self.page.click("#server summary")
        self.wait_for_text("#flags", "--max_topics")
        self.page.click("#drain button")
        self.wait_for_text("#confirm-text", "closes all sessions over 10s")
        self.page.press("Enter")  # the focus is on "Cancel"
        self.page.click("#drain button")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", "The server drains over 10s, and then stops.")
        self.assertEqual(self.crierd.process.wait(support.DEADLINE), 0)
        self.wait_for_text("#state-text", "The server does not answer. Trying again.")
        self.page.complaints()  # the browser's own, of calls that were not answered

    def test_by_keyboard_alone(self):
        self.by_websocket("ann")
        self.wait_for_users("ann")
        focused = console_test.FOCUSED

        def tab_to(name):
            seen = []
            while name not in (seen[-1:] or [""])[0]:
                self.page.press("Tab")
                seen.append(self.page.run(focused))
                self.assertLess(len(seen), 60, seen)
                self.assertNotEqual(
                    self.page.run("return getComputedStyle(document.activeElement).outlineStyle"),
                    "none", f"the focus on {seen[-1]} can be seen")

        tab_to("Skip to the actions")
        tab_to("Disconnect session ")
        self.page.press("Enter")
        self.assertEqual(self.page.run("return document.activeElement.closest('form').id"),
                         "disconnect")
        self.page.press("Enter")
        self.wait_for_text("#confirm-text", "Disconnect session ")
        tab_to("confirm-yes")
        self.page.press("Enter")
        self.wait_for_users()
        self.wait_for_text("#done", ": 1 session.")

    def test_on_a_phone_in_light_and_dark(self):
        self.by_websocket("a-name-that-is-quite-long-for-a-user")
        self.wait_for_users("a-name-that-is-quite-long-for-a-user")
        for dark in [False, True]:
            with self.subTest(dark=dark):
                self.page.screen(390, 844, dark=dark, phone=True, still=True)
                width = self.page.run("return document.documentElement.scrollWidth")
                self.assertLessEqual(width, 390)
                worst, where = self.page.run(console_test.WORST_CONTRAST)
                self.assertGreaterEqual(worst, 4.5, where)
                small = self.page.run("""
                  return [...document.querySelectorAll('main button, main input, main select')]
                      .filter((node) => node.checkVisibility() && node.type !== 'checkbox' &&
                                        node.getBoundingClientRect().height < 39)
                      .map((node) => node.outerHTML.slice(0, 80))""")
                self.assertEqual(small, [])


class AdminTokenTest(AdminPageCase):
    flags = ["--auth_keys={folder}/secret"]

    def prepared(self):
        return self.with_secret()

    def test_the_token_is_asked_for_and_kept_nowhere(self):
        self.open()
        self.wait_for_text("#state-text", "asks for a token")
        self.assertEqual(self.rows("sessions"), [])
        self.page.fill("#token", self.token())
        self.page.press("Enter")
        self.wait_for_text("#login-why", "crier.admin")
        self.page.fill("#token", self.token("--admin"))
        self.page.press("Enter")
        self.wait_for_text("#state-text", "live")
        self.page.choose("#log-level select", "warning")
        self.page.click("#log-level button")
        self.logged('admin: SetLogLevel by "ann" from 127.0.0.1: info to warning')
        self.assertEqual(self.page.run("""
          return [location.href.includes('ey'), document.cookie, localStorage.length,
                  sessionStorage.length, byId('token').value]"""), [False, "", 0, 0, ""])
        self.page.click("#forget")
        self.wait_for_text("#state-text", "asks for a token")
        self.assertEqual(self.page.run("return byId('facts').textContent"), "")


class AdminOriginTest(AdminPageCase):
    """Pages of others, in the browser and as their requests look."""

    def test_no_page_of_another_origin_acts(self):
        # An empty page, without a policy that would forbid requests.
        other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.page.open(f"http://127.0.0.1:{other.server_port}/")
        for more, told in [("headers: {'Content-Type': 'application/json'}", "refused"),
                           # It may be sent, and its answer not be read: it must not act.
                           ("mode: 'no-cors'", "opaque")]:
            self.page.run(f"""
              window.told = '';
              fetch('http://{self.crierd.admin}/crier.v1.Admin/SetLogLevel',
                    {{method: 'POST', body: '{{"level":"off"}}', {more}}}).then(
                  (answer) => told = answer.type, (error) => told = 'refused');""")
            support.wait_for("an answer", lambda: self.page.run("return told"))
            self.assertEqual(self.page.run("return told"), told)
        status, body = call(self.crierd.admin, "GetServerInfo", {})
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(body)["logLevel"], "info")

    def test_what_such_requests_get(self):
        own = f"http://{self.crierd.admin}"
        level = {"level": "warning"}
        for status, headers in [(403, {"Origin": "http://evil.example"}),
                                (403, {"Origin": "null"}),
                                (403, {"Origin": f"http://{self.crierd.http}"}),
                                # What a form of another page can send.
                                (415, {"Content-Type": "text/plain"}),
                                (415, {"Content-Type": "text/plain", "Origin": own}),
                                # A name that was made to stand for 127.0.0.1.
                                (421, {"Host": "evil.example"}),
                                (421, {"Host": "evil.example", "Origin": "http://evil.example"})]:
            with self.subTest(headers):
                self.assertEqual(call(self.crierd.admin, "SetLogLevel", level, **headers)[0], status)
        status, body = call(self.crierd.admin, "GetServerInfo", {}, Origin=own)
        self.assertEqual((status, json.loads(body)["logLevel"]), (200, "info"))

    def test_the_page_is_framed_by_nobody(self):
        request = urllib.request.Request(f"http://{self.crierd.admin}/", headers={"Accept": "text/html"})
        with urllib.request.urlopen(request, timeout=support.DEADLINE) as answer:
            policy = answer.headers["Content-Security-Policy"]
            self.assertEqual(answer.headers["X-Frame-Options"], "DENY")
        for words in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'",
                      "form-action 'none'"]:
            self.assertIn(words, policy)
        self.assertNotIn("unsafe", policy)


if __name__ == "__main__":
    support.require("chromium", "chromedriver")
    support.main()
