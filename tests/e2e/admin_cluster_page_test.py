"""The administrators' page of one node of a cluster, in a real browser: three real nodes on a real Redis. What
it shows of all of them, what it does to another one, a node that is silent, and a Redis that is away."""

import json
import os
import signal

import admin_page_test
import browser
import cluster
import console_test
import support


class ClusterPageCase(admin_page_test.AdminPageCase):
    def setUp(self):  # pylint: disable=super-method-not-called
        self.folder = self.new_folder()
        self.redis = self.enterContext(cluster.Redis())
        self.nodes = [self.node(number) for number in range(3)]
        self.crierd = self.nodes[0]
        self.names = [self.name_of(node) for node in self.nodes]
        self.page = self.enterContext(browser.Browser())
        self.page.screen(1280, 900, still=True)

    def node(self, number):
        with open(self.folder / f"log-{number}", "w", encoding="utf-8") as log:
            return self.enterContext(support.Crierd(
                f"--cluster_url={self.redis.url}", "--shards=2",
                *[flag.format(folder=self.prepared()) for flag in self.flags], stderr=log))

    def name_of(self, node):
        return json.loads(admin_page_test.call(node.admin, "GetServerInfo", {})[1])["node"]

    # --- Words for what a user does and sees.

    def listen(self, number, user, *arguments):
        """A client that stays, on one of the nodes."""
        return self.listener(user, f"--url=ws://{self.nodes[number].http}/ws", *arguments)

    def wait_for_nodes(self, what, condition):
        """condition({name without its notes: row})"""
        return self.wait_for_rows("nodes", what, lambda rows: condition(
            {row[0].split(" ")[0]: row for row in rows}))

    def wait_until_live(self):
        self.wait_for_text("#state-text", "live")
        self.wait_for_nodes("three nodes", lambda rows: sorted(rows) == sorted(self.names))

    def only(self, number):
        self.page.click(f'[aria-label="Only node {self.names[number]}"]')
        self.wait_for_text("#shown-nodes", f"Below: node {self.names[number]} alone.")
        self.wait_for_text("#facts", self.names[number])

    def log_of(self, number, words):
        support.wait_for(f"{words!r} in the log of node {number}", lambda: words in
                         (self.folder / f"log-{number}").read_text(encoding="utf-8"))


class ClusterPageTest(ClusterPageCase):
    def setUp(self):
        super().setUp()
        self.open()
        self.wait_until_live()

    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])

    def test_all_nodes_with_their_sessions_and_topics(self):
        self.listen(0, "ann", "--topic=news")
        self.listen(1, "bob", "--topic=news")
        self.listener("carol", f"--grpc={self.nodes[1].grpc}")
        rows = self.wait_for_users("ann", "bob", "carol")
        self.assertEqual({row[1]: row[7] for row in rows},
                         {"ann": self.names[0], "bob": self.names[1], "carol": self.names[1]})
        sessions = dict(zip(self.names, ["1", "2", "0"]))
        rows = self.wait_for_nodes("their sessions", lambda rows: {
            name: row[1] for name, row in rows.items()} == sessions)
        self.assertEqual([row[0] for row in rows], sorted(
            name + (" this one" if name == self.names[0] else "") for name in self.names))
        self.wait_for_text("#nodes-sum", "3 nodes, 3 sessions, messages ")
        self.wait_for_nodes("rates", lambda rows: all(
            row[2].endswith("/s") and row[3].endswith("/s") for row in rows.values()))
        self.assertEqual(self.page.text("#nodes-troubles"), "")
        # Of all nodes: two sessions follow it, on two nodes. The common topic is always everywhere.
        self.wait_for_rows("topics", "followers over all nodes", lambda rows: {
            row[0]: (row[1], row[5]) for row in rows} == {"news": ("2", "2"), "the common topic": ("3", "3")})
        self.page.fill("#publish [name=topic]", "news")
        self.page.fill("#publish [name=body]", "The doors are open.")
        self.page.press("Enter")
        self.wait_for_text("#done", "Published in news, offset 1: 2 nodes.")

    def test_what_is_drawn(self):
        self.listen(1, "ann")
        self.wait_for_users("ann")
        self.page.run("AdminPage.kPeriod = 1000")
        self.wait_for_nodes("a line", lambda _: self.page.run(
            "return [...document.querySelectorAll('.spark polyline')].every("
            "(line) => line.points.numberOfItems > 2)"))
        sizes = dict(self.page.run("""
          return [...document.querySelectorAll('#nodes tbody tr')].map(
              (row) => [row.firstChild.firstChild.firstChild.data, row.querySelector('meter').value])"""))
        self.assertEqual(sizes, dict(zip(self.names, [0, 1, 0])))

    def test_the_page_is_about_one_node(self):
        self.listen(0, "ann")
        bob = self.listen(1, "bob")
        self.listen(2, "carol")
        self.wait_for_users("ann", "bob", "carol")
        self.only(1)
        self.wait_for_users("bob")
        self.wait_for_text("#target", f"Node {self.names[1]}, which is chosen above.")
        self.wait_for_rows("topics", "those of that node", lambda rows: [
            (row[0], row[1], row[5]) for row in rows] == [("the common topic", "1", "1")])
        self.page.choose("#disconnect [name=which]", "all")
        self.page.click("#disconnect button")
        self.wait_for_text("#confirm-text", f"Disconnect all sessions on node {self.names[1]}?")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", f"Disconnected all sessions on node {self.names[1]}: 1 session.")
        self.assertNotEqual(bob.wait(support.DEADLINE), 0)
        self.wait_for_users()
        self.page.click("#all-nodes")
        self.wait_for_users("ann", "carol")
        self.page.click("#disconnect button")
        self.wait_for_text("#confirm-text", "Disconnect all sessions on all nodes?")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", "Disconnected all sessions on all nodes: 2 sessions.")
        self.wait_for_users()

    def test_a_session_of_another_node_is_disconnected(self):
        bob = self.listen(2, "bob")
        number = self.wait_for_users("bob")[0][0]
        self.page.click(f'[aria-label="Disconnect session {number}"]')
        self.page.press("Enter")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", f"Disconnected session {number}: 1 session.")
        self.assertNotEqual(bob.wait(support.DEADLINE), 0)
        self.wait_for_users()

    def test_pages_go_over_the_nodes(self):
        for number, user in enumerate("abc"):
            self.listen(number, user)
        self.wait_for_users("a", "b", "c")
        self.page.run("Listing.kPageSize = 2; page.sessions.go([''])")
        self.wait_for_text("#sessions [data-part=note]", "2, and more")
        first = self.rows("sessions")
        self.page.click("#sessions [data-part=pages] button:nth-child(2)")
        self.wait_for_text("#sessions [data-part=note]", "page 2: 1")
        self.assertEqual(sorted(row[1] for row in first + self.rows("sessions")), ["a", "b", "c"])

    def test_the_log_level_and_a_drain_of_another_node(self):
        self.only(2)
        self.page.choose("#log-level select", "debug")
        self.page.click("#log-level button")
        self.wait_for_text("#done", f"Log level of node {self.names[2]}: debug; it was info.")
        self.wait_for_text("#facts", "debug")
        self.log_of(2, f"admin: SetLogLevel by local from 127.0.0.1 by way of {self.names[0]}: info to debug")
        self.page.click("#drain button")
        self.wait_for_text("#confirm-text", f"Drain node {self.names[2]}? It closes all sessions over 10s")
        self.wait_for_text("#confirm-text", "The other nodes go on.")
        self.page.click("#confirm-yes")
        self.wait_for_text("#done", f"Node {self.names[2]} drains over 10s, and then stops.")
        self.assertEqual(self.nodes[2].process.wait(support.DEADLINE), 0)
        self.wait_for_nodes("two nodes", lambda rows: sorted(rows) == sorted(self.names[:2]))
        # The one that was chosen has gone: all are shown again.
        self.wait_for_text("#target", f"Node {self.names[0]}, which answers this page.")
        self.assertEqual(self.page.run("return byId('all-nodes').hidden"), True)
        self.assertEqual(self.page.run("return byId('log-level').elements.level.value"), "info")
        self.page.complaints()  # the browser's own, of calls about a node that had just gone

    def test_a_silent_node_is_said(self):
        self.listen(0, "ann")
        self.listen(2, "carol")
        self.wait_for_users("ann", "carol")
        os.kill(self.nodes[2].process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.nodes[2].process.pid, signal.SIGCONT)
        self.wait_for_text("#nodes-troubles", "1 node does not answer. Its sessions are missing below")
        self.wait_for_nodes("which one", lambda rows: rows[self.names[2]][0] ==
                            f"{self.names[2]} does not answer")
        self.wait_for_text("#nodes-sum", "2 nodes, 1 session")
        self.wait_for_users("ann")
        self.wait_for_text("#sessions [data-part=note]", "1, without those of 1 node")
        os.kill(self.nodes[2].process.pid, signal.SIGCONT)
        self.wait_for_users("ann", "carol")
        support.wait_for("no trouble", lambda: self.page.text("#nodes-troubles") == "")

    def test_without_redis_the_page_is_about_its_own_node(self):
        self.listen(0, "ann")
        self.listen(1, "bob")
        self.wait_for_users("ann", "bob")
        self.only(1)
        self.redis.kill()
        self.wait_for_text("#nodes-troubles", "Redis is away.")
        self.wait_for_text("#state-text", "live")
        self.wait_for_users("ann")
        self.wait_for_text("#target", f"Node {self.names[0]}, which answers this page.")
        self.wait_for_nodes("the others", lambda rows: all(
            rows[name][0] == f"{name} cannot be asked" for name in self.names[1:]))
        self.assertTrue(self.page.run(
            "return [...document.querySelectorAll('#nodes tbody button')].every((each) => each.disabled)"))
        self.page.choose("#disconnect [name=which]", "all")
        self.page.click("#disconnect button")
        self.wait_for_text("#confirm-text", f"Disconnect all sessions on node {self.names[0]}?")
        self.page.press("Escape")
        self.page.choose("#log-level select", "warning")
        self.page.click("#log-level button")
        self.wait_for_text("#done", f"Log level of node {self.names[0]}: warning; it was info.")
        self.redis.restart()
        support.wait_for("Redis", lambda: self.page.text("#nodes-troubles") == "")
        self.wait_for_users("ann", "bob")
        self.wait_until_live()
        self.page.complaints()  # the browser's own, of calls that were refused

    def test_by_keyboard_alone(self):
        self.listen(1, "bob")
        self.wait_for_users("bob")
        seen = []
        wanted = f"Only node {self.names[2]}"
        while wanted not in (seen[-1:] or [""])[0]:
            self.page.press("Tab")
            seen.append(self.page.run(console_test.FOCUSED))
            self.assertLess(len(seen), 60, seen)
        self.page.press("Enter")
        self.wait_for_users()
        # A row that stays keeps the focus.
        self.wait_for_text("#shown-nodes", self.names[2])
        self.page.press("Enter")
        self.wait_for_users("bob")

    def test_on_a_phone_in_light_and_dark(self):
        self.listen(0, "a-name-that-is-quite-long-for-a-user")
        self.wait_for_users("a-name-that-is-quite-long-for-a-user")
        for dark in [False, True]:
            with self.subTest(dark=dark):
                self.page.screen(390, 844, dark=dark, phone=True, still=True)
                self.assertLessEqual(self.page.run("return document.documentElement.scrollWidth"), 390)
                worst, where = self.page.run(console_test.WORST_CONTRAST)
                self.assertGreaterEqual(worst, 4.5, where)
                self.assertEqual(self.page.run("""
                  return [...document.querySelectorAll('#nodes button')]
                      .filter((node) => node.checkVisibility() &&
                                        node.getBoundingClientRect().height < 39).length"""), 0)


class ClusterTokenTest(ClusterPageCase):
    flags = ["--auth_keys={folder}/secret"]

    def prepared(self):
        return self.with_secret()

    def name_of(self, node):
        token = self.token("--admin")
        return json.loads(admin_page_test.call(
            node.admin, "GetServerInfo", {}, Authorization=f"Bearer {token}")[1])["node"]

    def test_one_token_is_enough_for_all_nodes_and_their_logs_say_who(self):
        self.open()
        self.wait_for_text("#state-text", "asks for a token")
        self.assertEqual(self.rows("nodes"), [])
        self.page.fill("#token", self.token("--admin"))
        self.page.press("Enter")
        self.wait_until_live()
        self.only(1)
        self.page.choose("#log-level select", "warning")
        self.page.click("#log-level button")
        self.log_of(1, f'admin: SetLogLevel by "ann" from 127.0.0.1 by way of {self.names[0]}: '
                       "info to warning")
        # Nothing that one token was shown stays for who comes after.
        self.page.click("#forget")
        self.wait_for_text("#state-text", "asks for a token")
        self.assertEqual(self.rows("nodes"), [])
        self.assertEqual(self.page.text("#target"), "")


if __name__ == "__main__":
    support.require("chromium", "chromedriver", "redis-server")
    support.main()
