"""One conversation between clients that know nothing of crier: a page in a real browser, Python's
websockets, and grpcurl."""

import asyncio
import json
import subprocess
import unittest

import websockets

import browser
import support

OPEN = """
  window.heard = [];
  window.socket = new WebSocket(`ws://${location.host}/ws?user_id=browser`);
  window.socket.onmessage = (event) => window.heard.push(JSON.parse(event.data));
  window.socket.onclose = (event) => { window.closeCode = event.code; };
"""
SEND = "window.socket.send(JSON.stringify(arguments[0]));"


class ConversationTest(unittest.TestCase):
    def test_everyone_hears_everyone(self):
        with support.Crierd() as crierd, browser.Browser() as page:
            page.open(f"http://{crierd.http}/")
            page.run(OPEN)
            support.wait_for("the page's socket", lambda: page.run("return socket.readyState == 1"))
            asyncio.run(self.converse(crierd, page))

    async def converse(self, crierd, page):
        async with websockets.connect(f"ws://{crierd.http}/ws") as python:
            async def heard_by_python():
                return json.loads(await asyncio.wait_for(python.recv(), support.DEADLINE))

            def heard_by_page(count):
                return support.wait_for(
                    f"{count} messages in the page",
                    lambda: (lambda heard: heard if len(heard) >= count else None)(
                        page.run("return window.heard")))

            # Any text, whole: quotes, controls, two, three and four bytes of UTF-8.
            text = 'from the page: "\\ \n\u0000 \u00e9 \u20ac \U0001f600 </script>'
            page.run(SEND, {"action_type": "broadcast", "body": text})
            self.assertEqual((await heard_by_python())["body"], text)
            self.assertEqual(heard_by_page(1)[0]["body"], text)

            await python.send(json.dumps(
                {"action_type": "direct", "user_id": "py", "to": "browser", "body": "psst"}))
            self.assertEqual(heard_by_page(2)[1]["body"], "psst")
            page.run(SEND, {"action_type": "direct", "to": "py", "body": "yes?"})
            self.assertEqual((await heard_by_python())["body"], "yes?")

            request = {"message": {"actionType": "BROADCAST", "body": "from grpcurl",
                                   "userId": "curl"}}
            answer = json.loads(subprocess.run(
                ["grpcurl", "-plaintext", "-d", json.dumps(request), crierd.grpc,
                 "crier.v1.Messaging/Publish"],
                check=True, capture_output=True, timeout=support.DEADLINE).stdout)
            self.assertEqual(answer["recipients"], "2")
            for message in [await heard_by_python(), heard_by_page(3)[2]]:
                self.assertEqual(
                    (message["user_id"], message["action_type"], message["body"],
                     str(message["offset"])),
                    ("curl", "broadcast", "from grpcurl", answer["offset"]))

            page.run("window.socket.close(1000)")
            self.assertEqual(
                support.wait_for("the closing handshake", lambda: page.run("return window.closeCode")),
                1000)
        self.assertEqual(crierd.metric("ws_conn_closed_errors_total"), 0)

    def test_the_models_dialects(self):
        """A page in crier.v1.json, Python in it too, and a page that asks for what nobody speaks."""
        with support.Crierd() as crierd, browser.Browser() as page:
            page.open(f"http://{crierd.http}/")
            page.run(OPEN.replace("?user_id=browser`", "`, ['other.v1', 'crier.v1.json']"))
            welcome = support.wait_for(
                "a welcome", lambda: page.run("return window.heard[0]"))["events"][0]["welcome"]
            self.assertEqual(welcome["limits"]["maxBodyBytes"], 64 << 10)
            self.assertRegex(welcome["reconnectAfter"], r"^[0-9.]+s$")
            self.assertEqual(page.run("return socket.protocol"), "crier.v1.json")
            asyncio.run(self.greet_by_python(crierd, page))

            page.run(OPEN.replace("?user_id=browser`", "`, ['other.v1']"))
            # A browser takes no answer without a subprotocol that it asked for.
            self.assertEqual(
                support.wait_for("the end", lambda: page.run("return window.closeCode")), 1006)

    async def greet_by_python(self, crierd, page):
        async with websockets.connect(
                f"ws://{crierd.http}/ws", subprotocols=["crier.v1.json"]) as python:
            self.assertEqual(python.subprotocol, "crier.v1.json")
            self.assertIn("welcome", json.loads(await python.recv())["events"][0])
            page.run(SEND, {"publish": {"actionType": "BROADCAST", "body": "h\u00e9 \u20ac"}})
            message = json.loads(await asyncio.wait_for(
                python.recv(), support.DEADLINE))["events"][0]["message"]
            self.assertEqual(message["body"], "h\u00e9 \u20ac")
            self.assertEqual(message["offset"], "1")
            heard = support.wait_for("the same in the page", lambda: page.run("return window.heard[1]"))
            self.assertEqual(heard["events"][0]["message"], message)

    def test_a_page_of_another_site_is_refused(self):
        with support.Crierd() as ours, support.Crierd() as other, browser.Browser() as page:
            # Not the other's console: that page's own policy would not even let it try.
            page.open(f"http://{other.http}/healthcheck")
            page.run(f"""
              const socket = new WebSocket("ws://{ours.http}/ws");
              socket.onclose = () => {{ window.outcome = "refused"; }};
              socket.onopen = () => {{ window.outcome = "open"; }};
            """)
            outcome = support.wait_for("an end", lambda: page.run("return window.outcome"))
            self.assertEqual(outcome, "refused")


if __name__ == "__main__":
    support.require("grpcurl", "chromium", "chromedriver")
    support.main()
