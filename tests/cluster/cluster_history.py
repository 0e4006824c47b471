"""What is right in a cluster whose clients send again, beside what tests/faults/history.py knows.

- UNAVAILABLE says that it is not known what has become of a message. It may have been published, then or
  later; its sender sends it again with the same id.
- What was sent again may be in a later epoch once more: Redis had lost the topic, and the id with it.
  That is counted (`again`). Within one epoch it is a duplicate, unless Redis was made to evict keys
  (`evicts`), and the id was one of them.
- Where Redis was made to lose its scripts (`overtakes`), one sender's messages may change places.
- Direct messages have no epochs. What was sent again may come again where Redis lost ids (`forgets`).
- A topic to which nothing was published, or of which Redis knows nothing any more, has an epoch without
  messages. Who stands there at offset 0 needs no NEW_EPOCH for the first event that comes, or for a gap that
  names it, if no messages of an epoch in between were published since.
- Epochs grow. Whoever stays in one that is not the last is not told of the last one.
"""

from collections import Counter, defaultdict

from history import History, _Check, _place


class ClusterHistory(History):
    def check(self, evicts=False, forgets=False, overtakes=False):
        return _ClusterCheck(self.records, evicts, forgets, overtakes).run()

    def told(self):
        """What clients were told of, by reason."""
        return Counter(record[-1] for record in self.records if record[0] == "gap") + \
            Counter("mailbox" for record in self.records if record[0] == "mailbox_gap") + \
            Counter(record[-1] for record in self.records if record[0] == "refused")


class _ClusterCheck(_Check):
    def __init__(self, records, evicts, forgets, overtakes):
        super().__init__(records)
        self.overtakes = overtakes
        self.evicts, self.forgets = evicts, forgets or evicts
        self.all_sends = Counter(record[2] for record in records if record[0] == "sent")
        self.unknown = set()  # messages that were answered UNAVAILABLE
        self.verdict.again = 0
        self._so_far = defaultdict(set)  # topic -> epochs of which there were messages by now
        self._known = {}  # (client, topic) -> that, when it was told of an epoch without messages
        self._places = {}  # (message, topic, epoch) -> its offset
        for record in records:
            if record[0] == "refused" and record[3] == "UNAVAILABLE":
                self.unknown.add(record[2])

    def _note_place(self, record):
        """As it is there, but a message may have a place in each epoch, where it was sent again."""
        if record[0] == "received":
            _, client, topic, epoch, offset, message = record
        else:
            _, client, message, topic, epoch, offset, _ = record
            if offset == 0:
                return
        place = (topic, epoch, offset)
        self.heads[topic, epoch] = max(self.heads[topic, epoch], offset)
        other = self.at.setdefault(place, message)
        if other != message:
            self.verdict.add("reordered", f"{_place(*place)} is {message} for {client}, and {other} "
                                          "for somebody else")
            return
        first = self.published.setdefault(message, place)
        if first == place or (message, place) in self.again:
            return
        self.again.add((message, place))
        known = self._places.setdefault((message, topic, epoch), offset)
        anew = epoch != first[1] and known == offset
        if self.all_sends[message] > 1 and (anew or self.evicts):
            self.verdict.again += 1
        else:
            self.verdict.add("duplicated", f"{message} is at {_place(*first)} and, for {client}, at "
                                           f"{_place(*place)}")

    def _acked(self, state, client, message, topic, epoch, offset, recipients):
        super()._acked(state, client, message, topic, epoch, offset, recipients)
        if offset > 0:
            self._so_far[topic].add(epoch)

    def _follows(self, state, client, topic, epoch, offset):
        if topic not in state.places and offset == 0:
            self._known[client, topic] = set(self._so_far[topic])
        super()._follows(state, client, topic, epoch, offset)

    def _advance(self, state, client, topic, epoch, first, last, how, reason):
        if reason is None:
            self._so_far[topic].add(epoch)
        place = state.places.get(topic)
        if reason == "NEW_EPOCH" and self.heads.get((topic, epoch), 0) == 0:
            # Also back to one: Redis knows nothing of the topic.
            state.epochs_left.add((topic, place[0] if place else epoch))
            state.epochs_left.discard((topic, epoch))
            state.places[topic] = (epoch, 0)
            self._known[client, topic] = set(self._so_far[topic])
            return
        if place and self.heads.get((topic, place[0]), 0) == 0 and reason != "NEW_EPOCH" and \
                first == 1 and epoch > place[0] and (topic, epoch) not in state.epochs_left:
            known = self._known.get((client, topic), set())
            between = [other for (where, other), head in self.heads.items() if where == topic and
                       head > 0 and place[0] < other < epoch and other not in known]
            # Where Redis throws away a topic of which a node has not heard yet, nobody knows of it.
            if not between or self.evicts:
                state.epochs_left.add((topic, place[0]))
                state.places[topic] = (epoch, last)
                return
        super()._advance(state, client, topic, epoch, first, last, how, reason)

    def _direct(self, state, client, message):
        if client in self.delivered[message] and self.forgets and self.all_sends[message] > 1:
            self.verdict.again += 1
            return
        super()._direct(state, client, message)

    def _check_refusals(self):
        for message in self.unknown:
            self.refusals.pop(message, None)
        super()._check_refusals()

    def _check_senders_order(self):
        if self.overtakes:
            return
        for message in self.unknown:  # when it was published, if it was, is not known
            self.sends[message] += 1
        super()._check_senders_order()

    def _finished(self, state, client):
        super()._finished(state, client)
        for topic, (epoch, _) in state.places.items():
            last = max(other for where, other in self.heads if where == topic)
            if last > epoch:
                self.verdict.add("lost", f"{client} stayed in {topic!r} epoch {epoch}, and was never "
                                         f"told of epoch {last}")
