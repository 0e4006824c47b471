"""The command line tool on a cluster: three real nodes on a real Redis. `crier top` and `crier admin` are about
all nodes, and `crier send` says what it knows."""

import json
import os
import signal
import subprocess
import unittest

import cluster
import support


class ClusterToolTest(unittest.TestCase):
    def setUp(self):
        self.redis = self.enterContext(cluster.Redis())
        self.nodes = [self.enterContext(support.Crierd(
            f"--cluster_url={self.redis.url}", "--shards=2", "--log_level=warning")) for _ in range(3)]
        self.names = [self.admin(node, "GetServerInfo")["node"] for node in self.nodes]
        self.assertEqual(len(set(self.names)), 3)

    def crier(self, *arguments):
        done = subprocess.run([os.environ["CRIER"], *arguments], capture_output=True, text=True,
                              timeout=support.DEADLINE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def admin(self, node, method, request=None):
        return json.loads(self.crier("admin", f"--grpc={node.admin}", method, json.dumps(request or {})))

    def top(self):
        """What one look at the first node shows: its lines."""
        return self.crier("top", f"--grpc={self.nodes[0].admin}", "--once", "--interval=200ms").splitlines()

    def listen(self, node, user, *arguments):
        process = subprocess.Popen(
            [os.environ["CRIER"], "listen", f"--url=ws://{node.http}/ws", f"--user={user}", *arguments],
            stdout=subprocess.PIPE, text=True)
        for close in [process.stdout.close, process.wait, process.kill]:
            self.addCleanup(close)
        self.assertIn("welcome", process.stdout.readline())

    def test_top_shows_all_nodes_and_their_sums(self):
        self.listen(self.nodes[0], "ann", "--topic=news")
        self.listen(self.nodes[1], "bob", "--topic=news")
        self.listen(self.nodes[1], "carol")

        def shown():
            lines = self.top()
            return lines if any(line.split()[:2] == ["news", "2"] for line in lines) else None

        lines = support.wait_for("the topic's followers over all nodes", shown)
        self.assertEqual(lines[0], "3 nodes")
        self.assertTrue(lines[1].startswith("sessions 3 (3 WebSocket, 0 gRPC), 0 lagging"), lines)
        rows = {line.split()[0]: line.split() for line in lines}
        self.assertEqual([rows[name][1] for name in self.names], ["1", "2", "0"])
        self.assertIn("this one", next(line for line in lines if line.startswith(self.names[0])))
        self.assertEqual([line.split()[0] for line in lines if line.split()[:1] and
                          line.split()[0] in self.names], sorted(self.names))

    def test_top_says_which_nodes_are_missing(self):
        os.kill(self.nodes[2].process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.nodes[2].process.pid, signal.SIGCONT)
        self.assertEqual(self.top()[0], "2 nodes, 1 does not answer")
        os.kill(self.nodes[2].process.pid, signal.SIGCONT)
        self.redis.kill()
        support.wait_for("one node", lambda: self.top()[0] ==
                         "1 node, Redis is away: the others cannot be asked")

    def test_top_without_a_terminal(self):
        with subprocess.Popen(
                [os.environ["CRIER"], "top", f"--grpc={self.nodes[0].admin}", "--interval=200ms"],
                stdout=subprocess.PIPE, text=True) as top:
            try:
                self.assertRegex(top.stdout.readline(), r"^3 nodes, sessions 0 .* MiB\n$")
            finally:
                top.kill()

    def test_admin_acts_on_another_node(self):
        nodes = self.admin(self.nodes[0], "ListNodes")["nodes"]
        self.assertEqual([node["node"] for node in nodes], sorted(self.names))
        self.assertEqual([node["node"] for node in nodes if node["asked"]], self.names[:1])
        self.admin(self.nodes[0], "Drain", {"node": self.names[2]})
        self.assertEqual(self.nodes[2].process.wait(support.DEADLINE), 0)
        support.wait_for("two nodes", lambda: len(self.admin(self.nodes[0], "ListNodes")["nodes"]) == 2)

    def test_send_says_what_a_cluster_counts(self):
        self.listen(self.nodes[0], "ann")
        self.listen(self.nodes[0], "ann")
        self.listen(self.nodes[1], "ann")
        send = ["send", f"--url=ws://{self.nodes[0].http}/ws"]
        # Three sessions, on two nodes.
        self.assertEqual(self.crier(*send, "--to=ann", "hello"), "sent to 2 recipients\n")
        # A node follows a topic a moment after the first of its sessions does.
        support.wait_for("the common topic's nodes", lambda: self.crier(*send, "hello").endswith(
            " to 2 recipients, itself included\n"))


if __name__ == "__main__":
    support.require("redis-server")
    support.main()
