"""The console's messages in a real browser: sessions, what they send, and the log of it."""

import os
import subprocess
import tempfile
from pathlib import Path

import support
from console import ConsoleCase

DIALECTS = ["plain", "crier.v1.json"]
HELLO = {"plain": '{"action_type":"broadcast","body":"hello"}',
         "crier.v1.json": '{"publish":{"actionType":"BROADCAST","body":"hello"}}'}


class ConsoleMessagesTest(ConsoleCase):
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
                self.wait_for_row("received", "ack", "offset 1, for 1 recipient")
                self.say("presence", topic=topic, id="")
                self.wait_for_row("received", "presence", "1 session follows: ada")
                self.say("unsubscribe", topic=topic, id="u1")
                self.wait_for_row("received", "ack", "")
                self.say("ping", id="")
                answer = "ping" if dialect == "plain" else "pong"
                self.assertRegex(self.wait_for_row("received", answer, "")[3], "s$")
                self.page.click("#session-1 .connect")
                self.wait_for_row("", "closed", "You disconnected (1000).")

    def test_a_second_session_for_direct_messages(self):
        self.page.click("#second")
        self.connect(user="ada", dialect="crier.v1.json")
        self.connect(user="bob", session=2)
        self.page.choose("#from", "1")
        self.say("direct", to="bob", body="psst")
        row = self.wait_for_row("received", "direct", "psst")
        self.assertIn("from ada", row[2])
        self.assertEqual(row[5], "session 2")
        # The other way round, in the other session's dialect.
        self.page.choose("#from", "2")
        self.page.fill("#to", "ada")
        self.page.fill("#body", "what?")
        self.assertEqual(self.page.text("#preview"),
                         '{"action_type":"direct","to":"ada","body":"what?"}')
        self.page.press("Enter")
        row = self.wait_for_row("received", "direct", "what?")
        self.assertIn("from bob", row[2])
        self.assertEqual(row[5], "session 1")
        self.assertEqual(
            self.page.run("return [...byId('users').options].map((option) => option.value)"),
            ["ada", "bob"], "names to choose from")
        self.page.click("#second")
        self.wait_for_row("", "closed", "You disconnected (1000).")
        support.wait_for("one session", lambda: self.crierd.metric(
            'crier_sessions{transport="websocket"}') == 1)
        self.say("direct", to="bob", body="still there?")
        self.assertEqual(self.wait_for_row("received", "error", "NO_RECIPIENT")[5], "session 1")

    def test_mine_only_under_load(self):
        self.connect(user="ada")
        self.say("direct", to="nobody", body="to nobody")
        self.wait_for_row("received", "error", "NO_RECIPIENT")
        self.say("broadcast", body="from this page")
        self.wait_for_row("received", "broadcast", "from this page")
        self.page.run("""
          const other = new WebSocket(`ws://${location.host}/ws?user_id=eve`);
          other.onopen = () => {
            for (let i = 0; i < 1500; ++i) {
              other.send(JSON.stringify({action_type: 'broadcast', body: `load ${i}.`}));
            }
          };""")
        self.wait_for_row("received", "broadcast", "load 1499.")
        self.assertEqual({row[1] for row in self.log()}, {"broadcast"})
        self.page.click("#mine")
        self.assertEqual([row[:2] for row in self.log()],
                         [["", "connected"], ["sent", "direct"], ["received", "error"],
                          ["sent", "broadcast"], ["received", "broadcast"]])
        self.wait_for_text("#log-note", "5 of 1,505 entries are yours.")
        self.page.click("#mine")
        self.assertEqual(len(self.log()), 500)

    def test_the_log_is_bounded_filtered_and_paused(self):
        self.connect()
        self.page.run("""
          for (let i = 0; i < 1000; ++i) {
            conversation.sessions[0].socket.send(JSON.stringify({action_type: 'direct', body: `number ${i}.`}));
          }""")
        self.wait_for_row("received", "direct", "number 999.")
        self.assertEqual(len(self.log()), 500)
        self.wait_for_text("#log-note", "1,001 entries, the newest 500 shown.")
        self.assertTrue(self.page.run(
            "const log = byId('log'); return log.scrollTop + log.clientHeight > log.scrollHeight - 40"))
        self.assertLess(self.page.run("return document.documentElement.scrollHeight"), 2000)
        self.page.fill("#filter", "NUMBER 77")
        support.wait_for("the filter", lambda: len(self.log()) == 10)  # 770 to 779: 77 is gone
        self.page.fill("#filter", "")
        self.page.click("#pause")
        self.say("direct", body="unseen as yet")
        self.wait_for_text("#log-note", "2 not shown yet.")
        self.assertEqual(self.log()[-1][2], "number 999.")
        self.page.click("#pause")
        self.wait_for_row("received", "direct", "unseen as yet")
        self.page.click("#clear")
        self.assertEqual(self.log(), [])

    def test_refusals_are_explained(self):
        with support.Crierd("--max_errors=2") as strict:
            self.open(strict)
            self.send_by_hand("<b>nonsense</b>")
            row = self.wait_for_row("received", "error", "INVALID_MESSAGE: ")
            self.assertIn("Correct the frame and send it again.", row[2])
            self.send_by_hand('{"action_type":"sing"}')
            self.wait_for_row("", "closed", "Closed with 1002, INVALID_MESSAGE: ")
            self.wait_for_text("#session-1 .session-state", "not connected")

    def test_a_token_lets_it_in_and_names_the_user(self):
        secret = Path(self.enterContext(tempfile.TemporaryDirectory())) / "secret"
        secret.write_text("s" * 64)
        token = subprocess.run(
            [os.environ["CRIER"], "token", "make", "--key", secret, "--alg", "HS256", "--sub", "zoë",
             "--publish", ",**", "--subscribe", ",**"],
            capture_output=True, check=True, text=True).stdout.strip()
        with support.Crierd(f"--auth_keys={secret}") as crierd:
            for dialect in DIALECTS:
                with self.subTest(dialect):
                    self.open(crierd)
                    self.page.fill("#session-1 .token", token)
                    self.connect(dialect=dialect)
                    self.wait_for_text("#session-1 .session-state", "connected as zoë")
                    self.say("broadcast", body="let in")
                    self.assertIn("from zoë", self.wait_for_row("received", "broadcast", "let in")[2])
                    self.assertFalse(self.page.run("""
                      return [document.body.innerText, location.href,
                              conversation.sessions[0].socket.url].some(
                                  (text) => text.includes(arguments[0]))""", token))
                    self.open(crierd)
                    self.page.choose("#session-1 .dialect", dialect)
                    self.page.fill("#session-1 .token", f"{token}x")
                    self.page.click("#session-1 .connect")
                    words = {"plain": "Closed with 4401, UNAUTHENTICATED: ",
                             "crier.v1.json": "No connection. Either the server does not answer, or it "
                                              "refused the WebSocket: it is full or stopping, does not "
                                              "accept this token"}[dialect]
                    self.wait_for_row("", "closed", words)
            self.open(crierd)
            self.page.fill("#session-1 .token", "no token at all")
            self.page.choose("#session-1 .dialect", "crier.v1.json")
            self.page.click("#session-1 .connect")
            self.wait_for_row("", "closed", "This is no token")
        self.page.complaints()  # of the handshake that was refused, told by the browser too

    def test_what_comes_is_text_and_never_markup(self):
        self.connect()
        text = "<img src=x onerror=\"window.caught=1\"><script>window.caught=1</script>"
        self.say("broadcast", body=text)
        row = self.wait_for_row("received", "broadcast", text)
        self.assertEqual(row[2], text)
        self.assertEqual(self.page.run("return document.querySelectorAll('#log img').length"), 0)
        self.assertIsNone(self.page.run("return window.caught ?? null"))

    def test_the_server_goes_and_comes_back(self):
        self.connect(user="ada")
        self.crierd.stop()
        self.wait_for_text("#state-text", "does not answer")
        self.assertIsNone(self.figure("Live sessions"))
        self.wait_for_row("", "closed", "Closed with 1001, SHUTDOWN: ")
        with support.Crierd(f"--http_listen={self.crierd.http}"):
            # Not only by itself: attempts may be ten seconds apart.
            self.page.click("#retry")
            self.wait_for_text("#state-text", "live")
            self.wait_for_text("#session-1 .session-state", "connected as ada")
            self.say("broadcast", body="back again")
            self.wait_for_row("received", "broadcast", "back again")
            support.wait_for("the session in the plot", lambda: self.figure("Live sessions") == 1)
        self.page.complaints()  # that nobody answered, told by the browser too


if __name__ == "__main__":
    support.require("chromium", "chromedriver")
    support.main()
