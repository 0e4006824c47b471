"""The console page in a real browser: the plots, the conversation, and who may use them how."""

import os
import re
import subprocess
import unittest

import browser
import support

DIALECTS = ["plain", "crier.v1.json"]
HELLO = {"plain": '{"action_type":"broadcast","body":"hello"}',
         "crier.v1.json": '{"publish":{"actionType":"BROADCAST","body":"hello"}}'}

# How far above its axis a plot's first line stands at the right, in the canvas's own pixels.
HEIGHT_OF_LINE = """
  const canvas = document.querySelector(`[aria-label^="${arguments[0]}"] canvas`);
  const colour = document.createElement('canvas').getContext('2d');
  colour.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--one');
  colour.fillRect(0, 0, 1, 1);
  const wanted = colour.getImageData(0, 0, 1, 1).data;
  const {width, height} = canvas;
  const {data} = canvas.getContext('2d').getImageData(width - 24, 0, 16, height);
  const near = (at) => data[at + 3] > 200 && [0, 1, 2].every(
      (i) => Math.abs(data[at + i] - wanted[i]) < 40);
  for (let at = 0; at < data.length; at += 4) {
    if (near(at)) return height - 18 - Math.floor(at / 4 / 16);
  }
  return null;
"""

# The worst contrast of any text that can be seen, after WCAG 2.2, with the element that has it.
WORST_CONTRAST = """
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255).map(
      (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = numbers(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let worst = [Infinity, ''];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility() || node.closest('script, noscript, .unseen, :disabled')) continue;
    const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 100)];
  }
  return worst;
"""

# What has the focus: its id, or the name that it is read out by.
FOCUSED = """
  const node = document.activeElement;
  return node.id || node.getAttribute('aria-label') || node.textContent.trim();
"""


class ConsoleTest(unittest.TestCase):
    def setUp(self):
        self.crierd = self.enterContext(support.Crierd())
        self.page = self.enterContext(browser.Browser())
        self.page.screen(1280, 900, still=True)
        self.open()

    def open(self, crierd=None):
        self.page.open(f"http://{(crierd or self.crierd).http}/")
        self.wait_for_text("#state-text", "live")

    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])

    # --- Words for what a user does and sees.

    def wait_for_text(self, selector, text):
        return support.wait_for(f"{text!r} in {selector}",
                                lambda: text in self.page.text(selector))

    def connect(self, user="", dialect="plain"):
        self.page.choose("#dialect", dialect)
        self.page.fill("#user", user)
        self.page.click("#connect")
        self.wait_for_text("#session-state", "connected as" if user else "connected")

    def say(self, action, **fields):
        self.page.choose("#action", action)
        for name, text in fields.items():
            self.page.fill(f"#{name}", text)
        self.page.click("#send")

    def send_by_hand(self, text):
        self.page.run("if (!byId('by-hand').checked) byId('by-hand').click();")
        self.page.fill("#raw", text)
        self.page.press("Enter")

    def log(self):
        """What the log shows, row by row: 'sent' or 'received' or '', kind, words, round trip."""
        return self.page.run("""
          return [...document.querySelectorAll('#log li')].map((row) => [
            row.querySelector('.unseen')?.textContent.trim() ?? '',
            row.querySelector('.log-kind').lastChild.data,
            row.querySelector('.log-words').textContent,
            row.querySelector('.log-trip').textContent,
            row.querySelector('code')?.textContent ?? '']);
        """)

    def wait_for_row(self, direction, kind, words):
        """Waits for a row whose words begin so; returns it."""
        return support.wait_for(
            f"a row {direction} {kind} {words!r}",
            lambda: next((row for row in self.log()
                          if row[:2] == [direction, kind] and row[2].startswith(words)), None))

    def figure(self, title):
        """The big figure of a plot, as a number; None: there is none."""
        text = self.page.run("""
          return [...document.querySelectorAll('.card')].find(
              (card) => card.querySelector('h3').textContent === arguments[0])
              .querySelector('.figure').textContent""", title)
        match = re.match(r"[\d.,]+", text)
        return float(match[0].replace(",", "")) if match else None

    def line(self, title):
        return self.page.run(HEIGHT_OF_LINE, title)

    # --- What has to hold.

    def test_a_message_arrives_in_a_second_tab(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                self.open()
                first = self.page.tab()
                self.connect(user="ada", dialect=dialect)
                second = self.page.new_tab()
                self.open()
                self.connect(user="bob", dialect=dialect)
                self.page.fill("#body", "hello")
                self.assertEqual(self.page.text("#preview"), HELLO[dialect])
                self.page.press("Enter")
                own = self.wait_for_row("received", "broadcast", "hello")
                self.assertRegex(own[3], r"^[\d.]+ (µs|ms|s)$", "a round trip")

                self.page.show(first)
                row = self.wait_for_row("received", "broadcast", "hello")
                self.assertIn("from bob", row[2])
                self.assertEqual(row[3], "", "nothing of this tab was answered")
                self.say("direct", to="bob", body="psst")
                self.say("direct", to="nobody", body="anyone?")
                row = self.wait_for_row("received", "error", "NO_RECIPIENT: ")
                self.page.show(second)
                self.assertIn("from ada", self.wait_for_row("received", "direct", "psst")[2])
                self.page.close_tab()
                self.page.show(first)

    def test_every_action_is_answered(self):
        for dialect in DIALECTS:
            with self.subTest(dialect):
                topic = f"news in {dialect}"
                self.open()
                self.connect(user="ada", dialect=dialect)
                if dialect == "crier.v1.json":
                    self.wait_for_row("received", "welcome", "session ")
                self.page.run("document.querySelector('details').open = true")
                self.say("subscribe", topic=topic, id="s1")
                self.wait_for_row("received", "ack", "")
                self.say("broadcast", topic=topic, body="extra!", id=f"b-{dialect}")
                self.assertIn(f"in {topic}", self.wait_for_row("received", "broadcast", "extra!")[2])
                self.wait_for_row("received", "ack", "offset 1, for 1 session")
                self.say("presence", topic=topic, id="")
                self.wait_for_row("received", "presence", "1 session follows: ada")
                self.say("unsubscribe", topic=topic, id="u1")
                self.wait_for_row("received", "ack", "")
                self.say("ping", id="")
                answer = "ping" if dialect == "plain" else "pong"
                self.assertRegex(self.wait_for_row("received", answer, "")[3], "s$")
                self.page.click("#connect")
                self.wait_for_row("", "closed", "You left (1000).")

    def test_the_plots_move(self):
        self.assertEqual(self.figure("Live connections"), 0)
        self.page.screen(1280, 900, still=False)
        for title in ["Live connections", "Deliveries"]:
            support.wait_for("a line along the axis",
                             lambda t=title: abs(self.line(t) or 99) < 4)
        self.assertIsNone(self.figure("Delivery latency, p95"))
        with subprocess.Popen(
                [os.environ["CRIER"], "bench", "fanout", f"--url=ws://{self.crierd.http}/ws",
                 "--clients=40", "--rate=50", f"--duration={10 * support.DEADLINE}s"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            try:
                # All who read, and who publishes.
                support.wait_for("the clients", lambda: self.figure("Live connections") >= 40)
                support.wait_for("deliveries", lambda: self.figure("Deliveries") > 1000)
                support.wait_for("latency",
                                 lambda: (self.figure("Delivery latency, p95") or 0) > 0)
                for title in ["Live connections", "Deliveries"]:
                    support.wait_for("the line to rise",
                                     lambda t=title: (self.line(t) or 0) > 30)
                self.assertGreater(self.figure("Memory"), 1)
                self.assertGreater(self.figure("Events per write"), 0)
            finally:
                load.terminate()
        support.wait_for("them to leave", lambda: self.figure("Live connections") == 0)

    def test_the_server_goes_and_comes_back(self):
        self.connect(user="ada")
        self.crierd.stop()
        self.wait_for_text("#state-text", "does not answer")
        self.assertIsNone(self.figure("Live connections"))
        self.wait_for_row("", "closed", "Closed with 1001, SHUTDOWN: ")
        with support.Crierd(f"--http_listen={self.crierd.http}"):
            # Not only by itself: attempts may be ten seconds apart.
            self.page.click("#retry")
            self.wait_for_text("#state-text", "live")
            self.wait_for_text("#session-state", "connected as ada")
            self.say("broadcast", body="back again")
            self.wait_for_row("received", "broadcast", "back again")
            support.wait_for("the session in the plot", lambda: self.figure("Live connections") == 1)
        self.page.complaints()  # that nobody answered, told by the browser too

    def test_refusals_are_explained(self):
        with support.Crierd("--max_errors=2") as strict:
            self.open(strict)
            self.send_by_hand("<b>nonsense</b>")
            row = self.wait_for_row("received", "error", "INVALID_MESSAGE: ")
            self.assertIn("Mend the frame.", row[2])
            self.send_by_hand('{"action_type":"sing"}')
            self.wait_for_row("", "closed", "Closed with 1002, INVALID_MESSAGE: ")
            self.wait_for_text("#session-state", "not connected")

    def test_what_comes_is_text_and_never_markup(self):
        self.connect()
        text = "<img src=x onerror=\"window.caught=1\"><script>window.caught=1</script>"
        self.say("broadcast", body=text)
        row = self.wait_for_row("received", "broadcast", text)
        self.assertEqual(row[2], text)
        self.assertEqual(self.page.run("return document.querySelectorAll('#log img').length"), 0)
        self.assertIsNone(self.page.run("return window.caught ?? null"))

    def test_the_log_is_bounded_filtered_and_paused(self):
        self.connect()
        self.page.run("""
          for (let i = 0; i < 1000; ++i) {
            conversation.socket.send(JSON.stringify({action_type: 'direct', body: `number ${i}.`}));
          }""")
        self.wait_for_row("received", "direct", "number 999.")
        self.assertEqual(len(self.log()), 500)
        self.wait_for_text("#log-note", "1,001 in all, the last 500 kept.")
        self.assertTrue(self.page.run(
            "const log = byId('log'); return log.scrollTop + log.clientHeight > log.scrollHeight - 40"))
        self.assertLess(self.page.run("return document.documentElement.scrollHeight"), 2000)
        self.page.fill("#filter", "NUMBER 77")
        support.wait_for("the filter", lambda: len(self.log()) == 10)  # 770 to 779: 77 is gone
        self.page.fill("#filter", "")
        self.page.click("#pause")
        self.say("direct", body="unseen as yet")
        self.wait_for_text("#log-note", "2 wait.")
        self.assertEqual(self.log()[-1][2], "number 999.")
        self.page.click("#pause")
        self.wait_for_row("received", "direct", "unseen as yet")
        self.page.click("#clear")
        self.assertEqual(self.log(), [])

    def test_by_keyboard_alone(self):
        def tab_to(name):
            seen = []
            while name not in (seen[-1:] or [""])[0]:
                self.page.press("Tab")
                seen.append(self.page.run(FOCUSED))
                self.assertLess(len(seen), 40, seen)
                self.assertNotEqual(
                    self.page.run("return getComputedStyle(document.activeElement).outlineStyle"),
                    "none", f"the focus on {seen[-1]} can be seen")

        tab_to("Skip to the messages")
        tab_to("Live connections")
        support.wait_for("three points", lambda: self.page.run("return board.points.length > 2"))
        self.page.press("Home")
        heard = "const plot = document.activeElement; return plot.getAttribute(arguments[0])"
        self.assertRegex(self.page.run(heard, "aria-valuetext"),
                         r"^\d\d:\d\d:\d\d: WebSocket 0, gRPC 0$")
        self.assertEqual(self.page.run(heard, "aria-valuenow"), "0")
        self.page.press("ArrowRight")
        self.assertEqual(self.page.run(heard, "aria-valuenow"), "1")
        self.assertRegex(self.page.text(".card:nth-child(5) .when"), r"^at \d\d:\d\d:\d\d$")
        self.page.press("Escape")
        self.assertEqual(self.page.run("return document.querySelectorAll('.when').length"), 0)
        tab_to("user")
        self.page.type("eve")
        self.page.press("Enter")
        self.wait_for_text("#session-state", "connected as eve")
        tab_to("body")
        self.page.type("by hand only")
        self.page.press("Enter")
        self.assertIn("from eve", self.wait_for_row("received", "broadcast", "by hand only")[2])
        tab_to("by-hand")
        self.page.press("Space")
        self.assertEqual(self.page.run(FOCUSED), "raw")
        self.page.press("Enter")
        self.wait_for_row("sent", "by hand", "")
        tab_to("pause")
        self.page.press("Space")
        tab_to("log")

    def test_on_a_phone_in_light_and_dark(self):
        self.connect(user="ada")
        self.say("broadcast", body="w" * 300)
        self.say("direct", to="nobody", body="x")
        self.wait_for_row("received", "error", "NO_RECIPIENT")
        for dark in [False, True]:
            for width, phone in [(1280, False), (768, False), (360, True), (320, True)]:
                with self.subTest(dark=dark, width=width):
                    self.page.screen(width, 740, dark=dark, phone=phone, still=True)
                    self.assertLessEqual(
                        self.page.run("return document.documentElement.scrollWidth"), width)
                    ratio, where = self.page.run(WORST_CONTRAST)
                    self.assertGreaterEqual(ratio, 4.5, where)
        columns = self.page.run(
            "return getComputedStyle(byId('plots')).gridTemplateColumns.split(' ').length")
        self.assertEqual(columns, 1)
        small = self.page.run("""
          return [...document.querySelectorAll('main button, main input:not([type=checkbox]), nav a')]
              .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 40)
              .map((node) => node.id)""")
        self.assertEqual(small, [], "too small for a finger")

    def test_nothing_is_asked_of_anyone_else(self):
        asked = self.page.run("""
          return performance.getEntriesByType('resource').map((entry) => entry.name)""")
        self.assertEqual(set(asked), {f"http://{self.crierd.http}/metrics"})
        self.assertEqual(
            self.page.run("return document.querySelectorAll('[src], link:not([rel=icon])').length"), 0)

    def test_figures_from_metrics(self):
        """The page's arithmetic, on a scrape whose answers are known."""
        scrape = "\\n".join(
            ['crier_sessions{transport=\\"websocket\\"} 3', 'crier_sessions{transport=\\"grpc\\"} 4'] +
            [f'd_bucket{{transport=\\"{t}\\",le=\\"{le}\\"}} {n}' for t in ["websocket", "grpc"]
             for le, n in [("0.1", 10), ("0.2", 20), ("+Inf", 20)]])
        ask = f'const scrape = new Scrape("{scrape}");'
        for expression, expected in [
                ("scrape.sum('crier_sessions')", 7),
                ("scrape.sum('crier_sessions', {transport: 'grpc'})", 4),
                ("scrape.sum('unknown')", 0),
                ("scrape.buckets('d').map(([, count]) => count)", [20, 40, 40]),
                ("quantile(0.5, scrape.buckets('d'))", 0.1),
                ("Number(quantile(0.75, scrape.buckets('d')).toFixed(6))", 0.15),
                ("quantile(0.5, bucketsBetween(scrape.buckets('d'), scrape.buckets('d')))", None),
                ("quantile(0.99, [[1, 0], [Infinity, 5]])", 1),
                ("quantile(0.5, [])", None),
                ("inWords(format.seconds(0.0004))", "400 µs"),
                ("inWords(format.seconds(1.5))", "1.5 s"),
                ("inWords(format.rate(0))", "0/s"),
                ("inWords(format.rate(12345.6))", "12,346/s"),
                ("inWords(format.rate(20000, true))", "20 k/s"),
                ("inWords(format.bytes(25530000))", "25.5 MB"),
                ("inWords(format.percent(null))", "–"),
                ("[1, 3, 5, 7, 9.5, 0.03].map(Plot.roundUp)", [1, 4, 6, 8, 10, 0.04]),
        ]:
            self.assertEqual(self.page.run(f"{ask} return {expression};"), expected, expression)


if __name__ == "__main__":
    support.require("chromium", "chromedriver")
    support.main()
