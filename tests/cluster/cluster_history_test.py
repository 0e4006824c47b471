"""The checker of a cluster's histories finds each kind of fault, and takes what is right."""

import unittest

import nodes  # sets the path of the next one; pylint: disable=unused-import
from cluster_history import ClusterHistory


def history(*records):
    made = ClusterHistory()
    for kind, *fields in records:
        getattr(made, kind)(*fields)
    return made


class ClusterHistoryTest(unittest.TestCase):
    def assert_counts(self, made, evicts=False, **wanted):
        verdict = made.check(evicts)
        got = {kind: count for kind, count in verdict.counts().items() if count}
        self.assertEqual(wanted, got, str(verdict))
        return verdict

    def test_unavailable_says_nothing(self):
        """It was published, or was not; and when, nobody knows."""
        self.assert_counts(history(
            ("follows", "b", "t", 7, 0),
            ("sent", "a", "m1", "t"), ("refused", "a", "m1", "UNAVAILABLE"),
            ("sent", "a", "m2", "t"), ("acked", "a", "m2", "t", 7, 1),
            ("received", "b", "t", 7, 1, "m2"), ("received", "b", "t", 7, 2, "m1"),
            ("finished", "b")))

    def test_overloaded_says_that_it_was_not(self):
        self.assert_counts(history(
            ("follows", "b", "t", 7, 0),
            ("sent", "a", "m1", "t"), ("refused", "a", "m1", "OVERLOADED"),
            ("received", "b", "t", 7, 1, "m1")), invented=1)

    def test_sent_again_in_a_later_epoch(self):
        records = [("follows", "b", "t", 7, 0),
                   ("sent", "a", "m1", "t"), ("refused", "a", "m1", "UNAVAILABLE"),
                   ("received", "b", "t", 7, 1, "m1"),
                   ("gap", "b", "t", 8, 1, 0, "NEW_EPOCH"),
                   ("sent", "a", "m1", "t"), ("acked", "a", "m1", "t", 8, 1),
                   ("received", "b", "t", 8, 1, "m1"), ("finished", "b")]
        self.assertEqual(1, self.assert_counts(history(*records)).again)
        once = [record for record in records if record[0] != "refused"]
        del once[4]  # the second time
        self.assert_counts(history(*once), duplicated=1)

    def test_twice_in_one_epoch(self):
        records = [("follows", "b", "t", 7, 0), ("sent", "a", "m1", "t"), ("sent", "a", "m1", "t"),
                   ("received", "b", "t", 7, 1, "m1"), ("received", "b", "t", 7, 2, "m1")]
        self.assert_counts(history(*records), duplicated=1)
        self.assertEqual(1, self.assert_counts(history(*records), evicts=True).again)

    def test_twice_in_a_later_epoch(self):
        self.assert_counts(history(
            ("follows", "b", "t", 7, 0), ("sent", "a", "m1", "t"), ("sent", "a", "m1", "t"),
            ("received", "b", "t", 7, 1, "m1"), ("gap", "b", "t", 8, 1, 0, "NEW_EPOCH"),
            ("received", "b", "t", 8, 1, "m1"), ("received", "b", "t", 8, 2, "m1")), duplicated=1)

    def test_a_direct_message_twice(self):
        records = [("sent", "a", "m1", "", "b"), ("received_direct", "b", "m1"),
                   ("received_direct", "b", "m1")]
        self.assert_counts(history(*records), duplicated=1)
        self.assertEqual(1, history(*records).check(forgets=True).counts()["duplicated"])
        records.insert(0, records[0])
        self.assertEqual(1, history(*records).check(forgets=True).again)
        self.assert_counts(history(*records), duplicated=1)

    def test_a_place_of_two_messages(self):
        self.assert_counts(history(
            ("sent", "a", "m1", "t"), ("acked", "a", "m1", "t", 7, 1),
            ("sent", "b", "m2", "t"), ("acked", "b", "m2", "t", 7, 1)), reordered=1)

    def test_nothing_was_published_yet(self):
        first = [("follows", "b", "t", 0, 0), ("sent", "a", "m1", "t")]
        self.assert_counts(history(*first, ("acked", "a", "m1", "t", 7, 1),
                                   ("received", "b", "t", 7, 1, "m1"), ("finished", "b")))
        # The first epoch that somebody knows of is lost untold.
        self.assert_counts(history(*first, ("acked", "a", "m1", "t", 7, 1),
                                   ("sent", "a", "m2", "t"), ("acked", "a", "m2", "t", 8, 1),
                                   ("received", "b", "t", 8, 1, "m2"), ("finished", "b")), lost=1)

    def test_the_first_events_of_a_topic_are_told_as_lost(self):
        first = [("follows", "b", "t", 3, 0), ("sent", "a", "m1", "t"), ("acked", "a", "m1", "t", 7, 1),
                 ("sent", "a", "m2", "t"), ("acked", "a", "m2", "t", 7, 2)]
        self.assert_counts(history(*first, ("gap", "b", "t", 7, 1, 2, "EXPIRED"), ("finished", "b")))
        # Not all of them are.
        self.assert_counts(history(*first, ("gap", "b", "t", 7, 2, 2, "EXPIRED"), ("finished", "b")), lost=1)

    def test_told_that_there_is_nothing(self):
        records = [("sent", "a", "m1", "t"), ("acked", "a", "m1", "t", 7, 1),
                   ("sent", "a", "m2", "t"), ("acked", "a", "m2", "t", 9, 1),
                   ("follows", "b", "t", 0, 0), ("received", "b", "t", 7, 1, "m1"),
                   ("gap", "b", "t", 0, 1, 0, "NEW_EPOCH"), ("received", "b", "t", 9, 1, "m2"),
                   ("finished", "b")]
        self.assert_counts(history(*records))
        self.assert_counts(history(*records[:6], *records[7:]), lost=1)
        # It never goes back.
        self.assert_counts(history(*records[:7], ("received", "b", "t", 7, 1, "m1")), duplicated=1)

    def test_a_later_epoch_untold(self):
        records = [("sent", "a", "m0", "t"), ("acked", "a", "m0", "t", 7, 1),
                   ("follows", "b", "t", 7, 1), ("sent", "a", "m1", "t"),
                   ("acked", "a", "m1", "t", 8, 1), ("finished", "b")]
        self.assert_counts(history(*records), lost=1)
        records[5:5] = [("received", "b", "t", 8, 1, "m1")]
        self.assert_counts(history(*records), lost=1)
        records[5:5] = [("gap", "b", "t", 8, 1, 0, "NEW_EPOCH")]
        self.assert_counts(history(*records))


if __name__ == "__main__":
    unittest.main(verbosity=2)
