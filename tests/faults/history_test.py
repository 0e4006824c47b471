"""The checker of histories finds every kind of fault, and none in a history that is right."""

import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from history import History

LOG = "chat"


class Script:
    """A small language for histories. a sends; a and b receive."""

    def __init__(self, epoch=1):
        self.history = History()
        self.epoch = epoch

    def follow(self, *clients, offset=0):
        for client in clients:
            self.history.follows(client, LOG, self.epoch, offset)
        return self

    def send(self, message, offset=None, client="a", epoch=None):
        """Sent, and acked if it got an offset."""
        self.history.sent(client, message, LOG)
        if offset is not None:
            self.history.acked(client, message, LOG, epoch or self.epoch, offset, 2)
        return self

    def get(self, client, *messages, epoch=None):
        """(offset, message)..."""
        for offset, message in messages:
            self.history.received(client, LOG, epoch or self.epoch, offset, message)
        return self

    def gap(self, client, first, last, reason="SLOW_CONSUMER", epoch=None):
        self.history.gap(client, LOG, epoch or self.epoch, first, last, reason)
        return self

    def finish(self, *clients):
        for client in clients:
            self.history.finished(client)
        return self

    def faults(self):
        return {kind: count for kind, count in self.history.check().counts().items() if count}


def three():
    """a sent m1 to m3, which are at 1 to 3."""
    return Script().follow("a", "b").send("m1", 1).send("m2", 2).send("m3", 3) \
        .get("a", (1, "m1"), (2, "m2"), (3, "m3"))


class RightHistoriesTest(unittest.TestCase):
    def assert_clean(self, script):
        verdict = script.history.check()
        self.assertTrue(verdict.clean, str(verdict))

    def test_everything_arrives(self):
        self.assert_clean(three().get("b", (1, "m1"), (2, "m2"), (3, "m3")).finish("a", "b"))

    def test_a_gap_names_what_is_missing(self):
        self.assert_clean(three().gap("b", 1, 2).get("b", (3, "m3")).finish("a", "b"))
        self.assert_clean(three().get("b", (1, "m1")).gap("b", 2, 3).finish("a", "b"))

    def test_a_client_that_comes_later_begins_later(self):
        script = three().get("c", (3, "m3")).finish("a", "c")
        self.assert_clean(script)
        self.assert_clean(Script().send("m1", 1).follow("b", offset=1).finish("b"))

    def test_a_session_ends_before_the_ack_and_resumes(self):
        script = three().get("b", (1, "m1"))
        script.history.ended("b")
        script.history.follows("b", LOG, 1, 1)
        script.get("b", (2, "m2"), (3, "m3"))
        script.history.sent("a", "m4", LOG)
        script.history.ended("a")
        self.assert_clean(script.finish("a", "b"))
        # And it had been published all the same.
        self.assert_clean(three().send("m4").get("a", (4, "m4")).gap("b", 1, 4))

    def test_a_new_epoch_that_is_told(self):
        script = three().get("b", (1, "m1"))  # m2 and m3 are lost with epoch 1, for b
        for client in ["a", "b"]:
            script.history.ended(client)
            script.gap(client, 1, 0, "NEW_EPOCH", epoch=2)
        script.send("m4", 1, epoch=2)
        script.get("a", (1, "m4"), epoch=2).get("b", (1, "m4"), epoch=2)
        self.assert_clean(script.finish("a", "b"))

    def test_a_message_sent_again_is_acked_again(self):
        script = Script().follow("a").send("m1", 1).send("m1", 1).get("a", (1, "m1"))
        self.assert_clean(script.finish("a"))

    def test_a_refused_message_sent_again(self):
        script = Script().follow("a")
        script.history.sent("a", "m1", LOG)
        script.history.refused("a", "m1", "OVERLOADED")
        self.assert_clean(script.send("m2", 1).send("m1", 2).get("a", (1, "m2"), (2, "m1"))
                          .finish("a"))

    def test_direct_messages(self):
        history = History()
        for message in ["d1", "d2"]:
            history.sent("a", message, to="b")
            history.acked("a", message, "", 0, 0, 1)
            history.received_direct("b", message)
        history.finished("b")
        self.assertTrue(history.check().clean, str(history.check()))


class FaultsTest(unittest.TestCase):
    def check(self, script, **faults):
        self.assertEqual(script.faults(), faults, str(script.history.check()))

    def test_lost_in_between(self):
        self.check(three().get("b", (1, "m1"), (3, "m3")).finish("a", "b"), lost=1)

    def test_lost_at_the_end(self):
        self.check(three().get("b", (1, "m1")).finish("a", "b"), lost=1)

    def test_lost_at_the_start(self):
        self.check(three().get("b", (2, "m2"), (3, "m3")).finish("a", "b"), lost=1)

    def test_lost_although_only_its_ack_is_known(self):
        self.check(Script().follow("b").send("m1", 1).finish("b"), lost=1)

    def test_a_gap_that_names_too_little(self):
        self.check(three().gap("b", 2, 2).get("b", (3, "m3")).finish("b"), lost=1)

    def test_lost_over_a_resume(self):
        script = three().get("b", (1, "m1"))
        script.history.ended("b")
        script.history.follows("b", LOG, 1, 2)  # it is not put to where it was
        self.check(script.get("b", (3, "m3")).finish("b"), lost=1)

    def test_a_new_epoch_that_nobody_told(self):
        script = three()
        script.history.ended("a")
        script.send("m4", 1, epoch=2).get("a", (1, "m4"), epoch=2)
        self.check(script.finish("a"), lost=1)

    def test_a_new_epoch_told_by_another_gap(self):
        script = three().gap("a", 1, 1, "EXPIRED", epoch=2)
        self.check(script.finish("a"), lost=1)

    def test_a_client_that_stays_in_the_old_epoch(self):
        script = three().get("b", (1, "m1"), (2, "m2"), (3, "m3"))
        script.gap("a", 1, 0, "NEW_EPOCH", epoch=2).send("m4", 1, epoch=2)
        self.check(script.get("a", (1, "m4"), epoch=2).finish("a", "b"), lost=1)

    def test_no_answer(self):
        self.check(Script().send("m1").finish("a"), lost=1)
        script = Script().send("m1")
        script.history.mailbox_gap("a")  # it was told
        self.check(script.finish("a"))

    def test_a_lost_direct_message(self):
        history = History()
        history.sent("a", "d1", to="b")
        history.acked("a", "d1", "", 0, 0, 1)
        history.finished("b")
        self.assertEqual(history.check().counts()["lost"], 1)
        history.mailbox_gap("b")
        self.assertTrue(history.check().clean)

    def test_an_event_twice(self):
        self.check(three().get("b", (1, "m1"), (1, "m1"), (2, "m2"), (3, "m3")).finish("b"),
                   duplicated=1)

    def test_an_event_again_after_a_resume(self):
        script = three().get("b", (1, "m1"), (2, "m2"))
        script.history.ended("b")
        self.check(script.get("b", (2, "m2"), (3, "m3")).finish("b"), duplicated=1)

    def test_a_message_at_two_places(self):
        self.check(three().send("m4", 4).get("a", (4, "m4"), (5, "m4")).finish("a"), duplicated=1)
        # One of them known by an ack only.
        self.check(Script().send("m1", 1).send("m1", 2), duplicated=1)
        # In two epochs: it was sent again after a failover.
        script = three().gap("a", 1, 0, "NEW_EPOCH", epoch=2).send("m3", 1, epoch=2)
        self.check(script.get("a", (1, "m3"), epoch=2).finish("a"), duplicated=1)

    def test_two_answers(self):
        script = three()
        script.history.acked("a", "m1", LOG, 1, 1, 2)
        self.check(script, duplicated=1)

    def test_a_direct_message_twice(self):
        history = History()
        history.sent("a", "d1", to="b")
        history.received_direct("b", "d1")
        history.received_direct("b", "d1")
        self.assertEqual(history.check().counts()["duplicated"], 1)

    def test_offsets_go_back(self):
        self.check(three().get("b", (2, "m2"), (1, "m1"), (3, "m3")).finish("b"),
                   lost=1, reordered=1)

    def test_two_clients_see_another_order(self):
        self.check(three().get("b", (1, "m2"), (2, "m1"), (3, "m3")).finish("a", "b"), reordered=2)

    def test_an_ack_names_another_place(self):
        script = Script().follow("a", "b").send("m1", 1).send("m2", 1)
        self.check(script.get("b", (1, "m1")), reordered=1)

    def test_an_epoch_comes_back(self):
        script = three().gap("a", 1, 0, "NEW_EPOCH", epoch=2).get("a", (4, "m4"), epoch=1)
        script.send("m4", 4)
        self.check(script, reordered=1)

    def test_one_senders_messages_change_places(self):
        self.check(Script().send("m1", 2).send("m2", 1), reordered=1)
        # Of two senders, or of two sessions, that is right.
        self.check(Script().send("m1", 2).send("m2", 1, client="b"))
        script = Script().send("m1", 2)
        script.history.ended("a")
        self.check(script.send("m2", 1))

    def test_direct_messages_change_places(self):
        history = History()
        for message in ["d1", "d2"]:
            history.sent("a", message, to="b")
        for message in ["d2", "d1"]:
            history.received_direct("b", message)
        self.assertEqual(history.check().counts()["reordered"], 1)

    def test_a_message_that_nobody_sent(self):
        self.check(three().get("a", (4, "x")), invented=1)

    def test_a_message_of_another_topic(self):
        script = three()
        script.history.sent("b", "n1", "other")
        self.check(script.get("a", (4, "n1")), invented=1)

    def test_an_ack_for_what_another_client_sent(self):
        script = three()
        script.history.acked("b", "m1", LOG, 1, 1, 2)
        self.check(script, invented=1)

    def test_an_ack_in_another_topic(self):
        script = Script()
        script.history.sent("a", "m1", LOG)
        script.history.acked("a", "m1", "other", 1, 1, 2)
        self.check(script, invented=1)

    def test_a_gap_for_what_had_come(self):
        self.check(three().gap("a", 2, 3).finish("a"), invented=1)

    def test_a_refused_message_that_is_published(self):
        script = three()
        script.history.sent("b", "n1", LOG)
        script.history.refused("b", "n1", "OVERLOADED")
        self.check(script.get("a", (4, "n1")), invented=1)

    def test_a_direct_message_for_somebody_else(self):
        history = History()
        history.sent("a", "d1", to="b")
        history.received_direct("c", "d1")
        self.assertEqual(history.check().counts()["invented"], 1)


class RandomHistoriesTest(unittest.TestCase):
    """A long right history, and the same with one record changed."""

    def make(self, seed, change=None):
        chance, history = random.Random(seed), History()
        names, log = ["a", "b", "c", "d"], []
        at = dict.fromkeys(names, 0)
        for name in names:
            history.follows(name, LOG, 7, 0)
        for number in range(400):
            sender = chance.choice(names)
            log.append(f"{sender}-{number}")
            history.sent(sender, log[-1], LOG)
            history.acked(sender, log[-1], LOG, 7, len(log), 4)
            for name in names:
                while at[name] < len(log) and chance.random() < 0.7:
                    at[name] += 1
                    history.received(name, LOG, 7, at[name], log[at[name] - 1])
        for name in names:
            for offset in range(at[name] + 1, len(log) + 1):
                history.received(name, LOG, 7, offset, log[offset - 1])
            history.finished(name)
        if change:
            received = [at for at, record in enumerate(history.records) if record[0] == "received"]
            change(chance.choice(received), history.records)
        return history.check()

    def test_one_changed_record_is_always_found(self):
        def drop(at, records):
            del records[at]

        def repeat(at, records):
            records.insert(at + 1, records[at])

        def swap(at, records):
            after = next((later for later in range(at + 1, len(records))
                          if records[later][:2] == records[at][:2]), None)
            if after is None:
                return drop(at, records)
            records[at], records[after] = records[after], records[at]

        def forge(at, records):
            records[at] = (*records[at][:5], "forged")

        for seed in range(20):
            self.assertTrue(self.make(seed).clean)
            self.assertTrue(self.make(seed, drop).faults["lost"])
            self.assertTrue(self.make(seed, repeat).faults["duplicated"])
            swapped = self.make(seed, swap).faults
            self.assertTrue(swapped["reordered"] or swapped["lost"])
            self.assertTrue(self.make(seed, forge).faults["invented"])


class ProgramTest(unittest.TestCase):
    def test_a_saved_history_is_checked_again(self):
        program = Path(__file__).with_name("history.py")
        for script, code in [(three().finish("a"), 0), (three().finish("a", "b"), 1)]:
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/history"
                History.merged([script.history]).save(path)
                done = subprocess.run([sys.executable, program, path], capture_output=True,
                                      text=True, check=False)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn(f"lost {code}, duplicated 0, reordered 0, invented 0", done.stdout)


if __name__ == "__main__":
    unittest.main()
