"""The console page in a real browser: its plots, and that it can be used on any screen, with or
without a mouse. Its messages: console_messages_test.py."""

import contextlib
import os
import re
import socket
import subprocess

import support
from console import ConsoleCase

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
  const session = node.closest('.session')?.id.replace('session-', ' ') ?? '';
  return node.id || node.getAttribute('aria-label') ||
      (session ? node.classList[0] + session : node.textContent.trim());
"""


class ConsoleTest(ConsoleCase):
    def test_the_plots_move(self):
        self.assertEqual(self.figure("Live sessions"), 0)
        self.page.screen(1280, 900, still=False)
        for title in ["Live sessions", "Deliveries"]:
            support.wait_for("a line along the axis",
                             lambda t=title: abs(self.line(t) or 99) < 4)
        self.assertIsNone(self.figure("Delivery latency, p95"))
        with subprocess.Popen(
                [os.environ["CRIER"], "bench", "fanout", f"--url=ws://{self.crierd.http}/ws",
                 "--clients=40", "--rate=50", f"--duration={10 * support.DEADLINE}s"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as load:
            try:
                # All who read, and who publishes.
                support.wait_for("the clients", lambda: self.figure("Live sessions") >= 40)
                support.wait_for("deliveries", lambda: self.figure("Deliveries") > 1000)
                support.wait_for("latency",
                                 lambda: (self.figure("Delivery latency, p95") or 0) > 0)
                for title in ["Live sessions", "Deliveries"]:
                    support.wait_for("the line to rise",
                                     lambda t=title: (self.line(t) or 0) > 30)
                self.assertGreater(self.figure("Memory"), 1)
                self.assertGreater(self.figure("Events per write"), 0)
            finally:
                load.terminate()
        support.wait_for("them to leave", lambda: self.figure("Live sessions") == 0)

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
        tab_to("Live sessions")
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
        tab_to("user 1")
        self.page.type("eve")
        self.page.press("Enter")
        self.wait_for_text("#session-1 .session-state", "connected as eve")
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

    def test_it_leads_to_the_administrators_page(self):
        self.page.run("window.open = (url, target, how) => { window.opened = [url, target, how]; }")
        self.page.click("#admin")
        self.assertEqual(self.page.run("return byId('admin-address').value"), "127.0.0.1:50052")
        self.page.fill("#admin-address", self.crierd.admin)
        self.page.press("Enter")
        self.assertEqual(self.page.run("return window.opened"),
                         [f"http://{self.crierd.admin}/", "_blank", "noopener"])
        self.page.click("#admin")
        self.assertFalse(self.page.run("return byId('admin-line').checkVisibility()"))

    def test_on_a_phone_in_light_and_dark(self):
        self.connect(user="ada")
        self.say("broadcast", body="w" * 300)
        self.say("direct", to="nobody", body="x")
        self.wait_for_row("received", "error", "NO_RECIPIENT")
        self.page.click("#second")
        for dark in [False, True]:
            for width, phone in [(1280, False), (768, False), (360, True), (320, True)]:
                self.page.screen(width, 740, dark=dark, phone=phone, still=True)
                for part in ["live", "talk"]:
                    with self.subTest(dark=dark, width=width, part=part):
                        self.show_part(part)
                        self.check_size_and_contrast(width)
        self.assertEqual(self.too_small_for_a_finger(), [])
        self.show_part("live")
        self.assertEqual(self.too_small_for_a_finger(), [])
        columns = self.page.run(
            "return getComputedStyle(byId('plots')).gridTemplateColumns.split(' ').length")
        self.assertEqual(columns, 1)

    def show_part(self, part):
        """What the links at the top do where the window is too narrow for both parts."""
        self.page.run("location.hash = arguments[0]", part)
        support.wait_for(part, lambda: self.page.run("return document.body.dataset.part") == part)

    def check_size_and_contrast(self, width):
        self.assertLessEqual(self.page.run("return document.documentElement.scrollWidth"), width)
        # Nor is anything cut off inside: what does not fit there would need to be scrolled to.
        wide = self.page.run("""
          return [...document.querySelectorAll('header, .card, .box, .session, .line')]
              .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 4)
              .map((node) => node.id || node.className)""")
        self.assertEqual(wide, [])
        ratio, where = self.page.run(WORST_CONTRAST)
        self.assertGreaterEqual(ratio, 4.5, where)

    def too_small_for_a_finger(self):
        return self.page.run("""
          return [...document.querySelectorAll('main button, main input:not([type=checkbox]), nav a')]
              .filter((node) => node.checkVisibility() && node.getBoundingClientRect().height < 40)
              .map((node) => node.id || node.className)""")

    def test_messages_are_in_the_first_screen(self):
        self.page.screen(1280, 800, still=True)
        for sessions in [1, 2]:
            if sessions == 2:
                self.page.click("#second")
            for place in ["top", "bottom"]:
                with self.subTest(sessions=sessions, place=place):
                    self.page.run(f"window.scrollTo(0, {0 if place == 'top' else 9999})")
                    for part in [*[f"#session-{n + 1}" for n in range(sessions)], "#action", "#body",
                                 "#send", "#log", "#log-note"]:
                        _, top, right, bottom = self.rectangle(part)
                        self.assertGreater(top, self.rectangle("header")[3], part)
                        self.assertLessEqual(bottom, 800, part)
                        self.assertLessEqual(right, 1280, part)
                    _, top, _, bottom = self.rectangle("#log")
                    self.assertGreater(bottom - top, 150, "room for some messages")
        self.page.run("window.scrollTo(0, 0)")
        self.assertLess(self.rectangle(".card:nth-child(6)")[3], 800, "and so are six plots")

    def test_on_a_phone_messages_are_one_tap_away(self):
        visible = "return byId(arguments[0]).checkVisibility()"
        self.page.screen(390, 844, phone=True, still=True)
        self.assertRegex(self.page.text("#state"), r"^live, up \d")
        self.page.run("window.scrollTo(0, 9999)")
        self.page.click('nav a[href="#talk"]')
        support.wait_for("the messages", lambda: self.page.run(visible, "talk"))
        self.assertFalse(self.page.run(visible, "live"))
        self.assertEqual(self.page.text('nav a[aria-current="true"]'), "Messages")
        self.assertGreater(self.rectangle("#talk-title")[1], self.rectangle("header")[3])
        for part in ["#session-1", "#body", "#send"]:
            self.assertLess(self.rectangle(part)[3], 844, part)
        self.page.run("history.back()")
        support.wait_for("the plots", lambda: self.page.run(visible, "live"))
        self.assertFalse(self.page.run(visible, "talk"))
        self.page.click('nav a[href="metrics"]')
        support.wait_for("the metrics", lambda: "crier_sessions" in self.page.text("body"))
        self.page.complaints()  # of an icon, which a page of text cannot bring along

    def test_connections_against_their_limit(self):
        with support.Crierd("--max_sessions=50") as small:
            self.open(small)
            self.assertRegex(self.page.text(".meter .note"), r"^\d+ of 50 possible connections$")
            self.connect()
            support.wait_for("the session's connection", lambda: self.page.run(
                "const meter = document.querySelector('meter'); return meter.value") >= 2)
            self.assertEqual(self.page.run("return document.querySelector('meter').max"), 50)

    def test_errors_and_refusals_by_outcome(self):
        with support.Crierd("--max_sessions=8") as small:
            self.open(small)
            self.assertEqual(self.outcomes(), {"Frames refused": ["none"], "Sessions ended": ["none"],
                                               "Connections refused": ["none"]})
            self.connect(user="ada")
            self.say("direct", to="nobody", body="x")
            self.say("direct", to="nobody", body="y")
            self.send_by_hand("nonsense")
            self.page.click("#session-1 .connect")
            support.wait_for("them in the table", lambda: self.outcomes() == {
                "Frames refused": ["NO_RECIPIENT 2", "INVALID_MESSAGE 1"],
                "Sessions ended": ["OK 1"], "Connections refused": ["none"]})
            self.assertGreater(self.page.run(
                "return Math.max(...board.points.map((point) => point.refusalRate ?? 0))"), 0)
            with contextlib.ExitStack() as stack:
                host, port = small.http.split(":")
                for _ in range(9):
                    stack.enter_context(socket.create_connection((host, int(port))))
                # Before they leave: the server may take them one by one.
                support.wait_for("a refusal", lambda: small.metric(
                    'crier_connections_refused_total{reason="total"}') > 0)
            support.wait_for("the refused connections", lambda: re.match(
                r"server full \d+$", self.outcomes()["Connections refused"][0]))

    def test_figures_are_not_told_twice(self):
        cards = self.page.run("""
          return Object.fromEntries([...document.querySelectorAll('.card')].map((card) => [
              card.querySelector('h3').textContent,
              [...card.querySelectorAll('.legend:not([hidden]) li')].map((line) => [
                  line.firstChild.nextSibling.data, Boolean(line.querySelector('b'))])]))""")
        self.assertEqual(cards["CPU, of one core"], [])
        self.assertEqual(cards["Events per write"], [])
        self.assertEqual(cards["Memory"], [["resident", False], ["topic logs", True]])
        for title in ["Delivery latency, p95", "Broadcast latency, p95"]:
            self.assertEqual(cards[title], [["p50", True], ["p95", False], ["p99", True]])
        self.assertEqual(cards["Live sessions"], [["WebSocket", True], ["gRPC", True]])

    def test_labels_stand_evenly_under_the_axis(self):
        for width in [1280, 360]:
            self.page.screen(width, 800, phone=width == 360, still=True)
            support.wait_for("the plots at this width", lambda w=width: self.page.run(
                "return board.plots.every((plot) => plot.width < arguments[0] &&"
                " plot.width === plot.canvas.clientWidth)", w))
            # The middle of each word below the axis, and the edges of the first and the last.
            words, width_of_plot = self.page.run("""
              const plot = board.plots[0], words = [];
              const {fillText} = CanvasRenderingContext2D.prototype;
              CanvasRenderingContext2D.prototype.fillText = function(text, x, y) {
                if (!/min|now/.test(text)) return;
                const wide = this.measureText(text).width;
                const left = {left: x, center: x - wide / 2, right: x - wide}[this.textAlign];
                words.push([text, left, left + wide / 2, left + wide]);
              };
              try {
                plot.draw({points: [], end: board.end, cursor: null, colours: board.colours});
              } finally {
                CanvasRenderingContext2D.prototype.fillText = fillText;
              }
              board.draw();
              return [words, plot.width];""")
            words.sort(key=lambda word: word[2])
            self.assertEqual([word[0] for word in words], ["−3 min", "−2 min", "−1 min", "now"])
            steps = [b[2] - a[2] for a, b in zip(words, words[1:])]
            for step in steps:
                self.assertAlmostEqual(step, steps[0], delta=1)
            for one, next_one in zip(words, words[1:]):
                self.assertGreater(next_one[1] - one[3], 8, "room between them")
            self.assertGreaterEqual(words[0][1], 0)
            self.assertLessEqual(words[-1][3], width_of_plot)

    def test_words_are_explained(self):
        for text in ["Frames (JSON)", "A frame is the JSON text of one WebSocket message",
                     "events sent as a batch", "all transports", "reported as gaps"]:
            self.assertIn(text, self.page.run("return document.body.textContent"))
        self.assertEqual(self.page.run("return byId('topic').placeholder"), "all sessions")

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
                ("inWords(format.percent(0.1534))", "0.15 %"),
                ("inWords(format.percent(4.567))", "4.6 %"),
                ("inWords(format.percent(22.63))", "23 %"),
                ("inWords(format.seconds(0.0048123))", "4.8 ms"),
                ("inWords(format.seconds(0.0147))", "15 ms"),
                ("inWords(format.ratio(1.034))", "1"),
                ("scrape.sums('crier_sessions', 'transport')", {"websocket": 3, "grpc": 4}),
                ("[1, 3, 5, 7, 9.5, 0.03].map(Plot.roundUp)", [1, 4, 6, 8, 10, 0.04]),
        ]:
            self.assertEqual(self.page.run(f"{ask} return {expression};"), expected, expression)


if __name__ == "__main__":
    support.require("chromium", "chromedriver")
    support.main()
