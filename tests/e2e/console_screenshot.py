"""Makes docs/console.png, docs/console-phone.png and docs/admin.png: the console and the administrators'
page of a real crierd under real load.

    CRIERD=build/release/bin/crierd CRIER=build/release/bin/crier \
        /usr/bin/python3 tests/e2e/console_screenshot.py

Takes three minutes, so that the plots are full. No test.
"""

import contextlib
import os
import pathlib
import subprocess

import browser
import support

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
SECONDS = 190  # a little more than the plots show

# When it begins, in seconds, and what `crier bench` then does.
LOADS = [
    (10, "fanout --clients=300 --rate=40 --topic=a --ramp=25s --duration=600s --payload=1000 "
         "--slow=6"),
    (45, "fanout --transport=grpc --clients=60 --rate=60 --topic=b --ramp=10s --duration=600s"),
    (85, "fanout --clients=200 --rate=100 --topic=c --ramp=10s --duration=40s"),
]


def newest_point(page):
    """When it was taken, in seconds since the page was opened."""
    return page.run("return board.points.length ? board.points.at(-1).time / 1000 : 0")


def wait_until(page, seconds):
    """As long as it takes: the plots themselves are the clock, and wait_for has a deadline."""
    while (now := newest_point(page)) < seconds:
        goal = min(seconds, now + support.DEADLINE / 2)
        support.wait_for("the plots to move on", lambda g=goal: newest_point(page) >= g)


def talk(page):
    page.click("#second")
    for session, user in [(1, "ada"), (2, "bob")]:
        form = f"#session-{session}"
        page.fill(f"{form} .user", user)
        page.click(f"{form} .connect")
        support.wait_for("a session",
                         lambda f=form: "connected as" in page.text(f"{f} .session-state"))
    for session, action, fields in [
            (1, "subscribe", {"topic": "news", "id": "s1"}),
            (1, "broadcast", {"topic": "news", "id": "", "body": "The doors are open."}),
            (1, "direct", {"to": "carol", "body": "Are you coming?"}),
            (1, "direct", {"to": "bob", "body": "Are you coming?"}),
            (2, "direct", {"to": "ada", "body": "On my way!"}),
            (1, "presence", {"topic": "news"})]:
        page.run("document.querySelector('details').open = true")
        page.choose("#from", str(session))
        page.choose("#action", action)
        for name, text in fields.items():
            page.fill(f"#{name}", text)
        page.run("document.querySelector('details').open = false")
        rows = page.run("return conversation.log.total")
        page.click("#send")
        support.wait_for("its answer", lambda r=rows: page.run("return conversation.log.total") > r + 1)
    page.choose("#action", "direct")
    page.fill("#to", "bob")
    page.fill("#body", "See you there.")


def administrate(page):
    def call(form, **fields):
        for name, text in fields.items():
            page.fill(f"#{form} [name={name}]", text)
        done = page.run("return byId('done').children.length")
        page.click(f"#{form} button")
        return done

    support.wait_for("topics", lambda: "/s" in page.text("#topics tbody"))
    done = call("publish", topic="news", userId="operator", body="The doors close at six.")
    support.wait_for("a publish", lambda: page.run("return byId('done').children.length") > done)
    done = call("disconnect", sessionId="1", detail="maintenance")
    page.click("#confirm-yes")
    support.wait_for("an end", lambda: page.run("return byId('done').children.length") > done)
    page.run("window.scrollTo(0, 0); document.activeElement.blur()")


def main():
    with contextlib.ExitStack() as stack:
        crierd = stack.enter_context(support.Crierd())
        page = stack.enter_context(browser.Browser())
        page.screen(1440, 1000, still=True)
        page.open(f"http://{crierd.http}/")
        for begin, load in LOADS:
            wait_until(page, begin)
            target = f"--grpc={crierd.grpc}" if "grpc" in load else f"--url=ws://{crierd.http}/ws"
            bench = subprocess.Popen([os.environ["CRIER"], "bench", *load.split(), target],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(bench.wait)
            stack.callback(bench.kill)
        wait_until(page, SECONDS)
        talk(page)
        page.devtools("Emulation.setScrollbarsHidden", hidden=True)
        page.screen(1440, page.run("return document.documentElement.scrollHeight"), still=True)
        page.run("window.scrollTo(0, 0); document.activeElement.blur()")
        wait_until(page, newest_point(page) + 3)  # drawn anew
        page.screenshot(DOCS / "console.png")
        page.screen(390, 844, dark=True, phone=True, still=True)
        wait_until(page, newest_point(page) + 3)
        page.screenshot(DOCS / "console-phone.png")
        page.screen(1280, 1080, still=True)
        page.open(f"http://{crierd.admin}/")
        administrate(page)
        page.screenshot(DOCS / "admin.png")


if __name__ == "__main__":
    support.require("chromium", "chromedriver")
    main()
