"""The real grpcurl against the real server: what a first look from outside shows."""

import json
import subprocess
import unittest

import support


class GrpcurlTest(unittest.TestCase):
    def setUp(self):
        self.crierd = support.Crierd()
        self.crierd.__enter__()
        self.addCleanup(self.crierd.__exit__)

    def run_grpcurl(self, *arguments, text=None, expect=0):
        """Runs grpcurl to its end; returns what it printed."""
        done = subprocess.run(
            ["grpcurl", "-plaintext", *arguments],
            input=text, capture_output=True, text=True, timeout=support.DEADLINE,
        )
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def call(self, method, request, *options):
        return json.loads(
            self.run_grpcurl(*options, "-d", json.dumps(request), self.crierd.grpc, method))

    def stream(self, method, *options, request="@"):
        """Starts a streaming call; events come from .events, frames go into .stdin."""
        process = subprocess.Popen(
            ["grpcurl", "-plaintext", *options, "-d", request, self.crierd.grpc, method],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.frames = support.JsonStream(process.stdout)
        process.pending = []
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    @staticmethod
    def next_event(process):
        while not process.pending:
            process.pending = process.frames.next().get("events", [])
        return process.pending.pop(0)

    @staticmethod
    def write(process, frame):
        process.stdin.write(json.dumps(frame) + "\n")
        process.stdin.flush()

    def test_list_and_describe(self):
        services = self.run_grpcurl(self.crierd.grpc, "list").split()
        self.assertIn("crier.v1.Messaging", services)
        self.assertIn("grpc.health.v1.Health", services)
        methods = self.run_grpcurl(self.crierd.grpc, "list", "crier.v1.Messaging").split()
        self.assertEqual(
            sorted(method.rsplit(".", 1)[1] for method in methods),
            ["Connect", "History", "Publish", "Subscribe"])
        described = self.run_grpcurl(self.crierd.grpc, "describe", "crier.v1.Message")
        self.assertIn("string body = 6;", described)

    def test_health(self):
        for service in ["", "crier.v1.Messaging"]:
            answer = self.call("grpc.health.v1.Health/Check", {"service": service})
            self.assertEqual(answer, {"status": "SERVING"})
        error = self.run_grpcurl(
            "-d", '{"service":"nope"}', self.crierd.grpc, "grpc.health.v1.Health/Check",
            expect=64 + 5)  # grpcurl's exit code for NOT_FOUND
        self.assertIn("NotFound", error)

    def test_publish_reaches_a_subscriber(self):
        listener = self.stream(
            "crier.v1.Messaging/Subscribe", request='{"topics":["news"],"user_id":"bob"}')
        self.assertEqual(self.next_event(listener)["welcome"]["user_id"], "bob")
        request = {"message": {"actionType": "BROADCAST", "topic": "news", "body": "hello"}}
        # The subscription stands once a publish says that it was for somebody.
        answer = support.wait_for(
            "a follower of news",
            lambda: (lambda a: a if a.get("recipients") else None)(
                self.call("crier.v1.Messaging/Publish", request)))
        self.assertEqual(answer["recipients"], "1")
        message = self.next_event(listener)["message"]
        self.assertEqual((message["topic"], message["body"]), ("news", "hello"))
        self.assertEqual(message["offset"], answer["offset"])
        direct = {"message": {"actionType": "DIRECT", "to": "bob", "body": "psst"}}
        self.call("crier.v1.Messaging/Publish", direct)
        self.assertEqual(self.next_event(listener)["message"]["body"], "psst")

    def test_history(self):
        for body in ["one", "two"]:
            self.call("crier.v1.Messaging/Publish",
                      {"message": {"actionType": "BROADCAST", "topic": "t", "body": body}})
        answer = self.call("crier.v1.Messaging/History", {"topic": "t"})
        self.assertEqual([e["message"]["body"] for e in answer["events"]], ["one", "two"])
        self.assertEqual((answer["tail"], answer["head"]), ("1", "2"))

    def test_a_conversation_from_standard_input_goes_on_after_its_end(self):
        session = self.stream("crier.v1.Messaging/Connect", "-H", "crier-user-id: alice")
        self.write(session, {"publish": {"actionType": "DIRECT", "body": "to myself"}})
        self.assertEqual(self.next_event(session)["welcome"]["user_id"], "alice")
        self.assertEqual(self.next_event(session)["message"]["body"], "to myself")
        self.write(session, {"publish": {"actionType": "BROADCAST", "body": "all", "id": "m1"}})
        kinds = sorted(next(iter(self.next_event(session))) for _ in range(2))
        self.assertEqual(kinds, ["ack", "message"])
        session.stdin.close()  # half-closed: it keeps receiving
        self.call("crier.v1.Messaging/Publish",
                  {"message": {"actionType": "BROADCAST", "body": "after the end"}})
        self.assertEqual(self.next_event(session)["message"]["body"], "after the end")
        session.stdin = open("/dev/null", "w", encoding="utf-8")

    def test_errors_carry_their_outcome(self):
        error = self.run_grpcurl(
            "-d", '{"message":{"actionType":"DIRECT","to":"nobody","body":"x"}}',
            self.crierd.grpc, "crier.v1.Messaging/Publish", expect=64 + 5)
        self.assertIn("NotFound", error)
        self.assertIn("NO_RECIPIENT", error)
        self.assertIn("nobody", error)


if __name__ == "__main__":
    support.require("grpcurl")
    support.main()
