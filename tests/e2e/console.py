"""What the tests of the console share: the page in a browser, and words for what its user does."""

import re
import unittest

import browser
import support

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


class ConsoleCase(unittest.TestCase):
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

    def connect(self, user="", dialect="plain", session=1):
        form = f"#session-{session}"
        self.page.choose(f"{form} .dialect", dialect)
        self.page.fill(f"{form} .user", user)
        self.page.click(f"{form} .connect")
        self.wait_for_text(f"{form} .session-state", "connected as" if user else "connected")

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
        """What the log shows, row by row: 'sent' or 'received' or '', kind, words, round trip, frame,
        session."""
        return self.page.run("""
          return [...document.querySelectorAll('#log li')].map((row) => [
            row.querySelector('.log-kind .unseen')?.textContent.trim() ?? '',
            row.querySelector('.log-kind').lastChild.data,
            row.querySelector('.log-words').textContent,
            row.querySelector('.log-trip').textContent,
            row.querySelector('code')?.textContent ?? '',
            row.querySelector('.who').textContent]);
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

    def rectangle(self, selector):
        """Where an element is in the window: left, top, right, bottom."""
        return self.page.run("""
          const {left, top, right, bottom} =
              document.querySelector(arguments[0]).getBoundingClientRect();
          return [left, top, right, bottom];""", selector)

    def outcomes(self):
        """What the table of outcomes shows: a list of words for each of its rows."""
        return self.page.run("""
          return Object.fromEntries([...document.querySelectorAll('.outcomes dt')].map((row) => [
              row.textContent, [...row.nextElementSibling.childNodes].map((part) => part.textContent)]))""")
