"""What clients sent, were answered, received and were told as lost, and what is wrong with it.

A history is a list of records, in the order in which each client saw them. Record with the methods of
History; then check() gives a Verdict. Every message has an id of its own, which its body carries, so a
message is known wherever it turns up. Only this file knows what a right history is; it knows nothing of
servers, so any test can use it: of one server, of several lives of one, of a cluster.

What is right, for every topic:
- Offsets within an epoch have no holes, for each client: what it has not received, a gap named.
- A client comes to another epoch only by a gap of the reason NEW_EPOCH, and never comes back.
- A place (topic, epoch, offset) holds the same message for everybody, and for its sender's ack.
- A message is at one place only, and comes to each client once.
- What one session sends once to a topic stays in order.
- Every publish of a session that is alive is answered, once, unless a gap of its mailbox was told. What
  was in flight when a session ended may have been published or not. What was refused is not published.
- Who was sent a direct message, and neither lost its session nor was told of a gap, gets it once.

Standard library only. As a program: history.py FILE checks what save() wrote.
"""

import json
import sys
from collections import Counter, defaultdict

SHOWN = 10  # faults of each kind that a Verdict prints


class History:
    """Records. Not thread-safe; each process has its own, and merged() puts them together."""

    def __init__(self):
        self.records = []

    def _add(self, kind, client, *fields):
        self.records.append((kind, client, *fields))

    def sent(self, client, message, topic="", to=None):
        """Before it is written: to a topic, or to a user. Again for each repetition."""
        self._add("sent", client, message, topic, to)

    def acked(self, client, message, topic, epoch, offset, recipients=0):
        self._add("acked", client, message, topic, epoch, offset, recipients)

    def refused(self, client, message, outcome):
        self._add("refused", client, message, outcome)

    def follows(self, client, topic, epoch, offset):
        """A subscription begins after this offset. Means nothing where the client resumes: what a resume
        leaves out has to be told by gaps."""
        self._add("follows", client, topic, epoch, offset)

    def left(self, client, topic):
        """It no longer follows the topic, and does not want to know what it misses."""
        self._add("left", client, topic)

    def received(self, client, topic, epoch, offset, message):
        self._add("received", client, topic, epoch, offset, message)

    def received_direct(self, client, message):
        """Clients are users here: `to` of sent() is the name of a client."""
        self._add("direct", client, message)

    def gap(self, client, topic, epoch, first, last, reason):
        self._add("gap", client, topic, epoch, first, last, reason)

    def mailbox_gap(self, client):
        self._add("mailbox_gap", client)

    def ended(self, client):
        """Its session is over, by whomever. The client may come back with another one."""
        self._add("ended", client)

    def finished(self, client):
        """Nothing more was sent, and the client has had the time to get everything."""
        self._add("finished", client)

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            for record in self.records:
                file.write(json.dumps(record) + "\n")

    @staticmethod
    def load(path):
        history = History()
        with open(path, encoding="utf-8") as file:
            history.records = [tuple(json.loads(line)) for line in file]
        return history

    @staticmethod
    def merged(histories):
        """Of clients with different names. Their order among each other means nothing."""
        whole = History()
        for history in histories:
            whole.records += history.records
        return whole

    def count(self, kind):
        return sum(1 for record in self.records if record[0] == kind)

    def check(self):
        return _Check(self.records).run()


class Verdict:
    """Faults by kind, each in words. Clean: there is none."""

    KINDS = ("lost", "duplicated", "reordered", "invented")

    def __init__(self):
        self.faults = {kind: [] for kind in self.KINDS}

    def add(self, kind, words):
        self.faults[kind].append(words)

    @property
    def clean(self):
        return not any(self.faults.values())

    def counts(self):
        return {kind: len(words) for kind, words in self.faults.items()}

    def __str__(self):
        lines = [", ".join(f"{kind} {len(words)}" for kind, words in self.faults.items())]
        for kind, words in self.faults.items():
            lines += [f"  {kind}: {fault}" for fault in words[:SHOWN]]
            if len(words) > SHOWN:
                lines.append(f"  {kind}: and {len(words) - SHOWN} more")
        return "\n".join(lines)


class _Client:
    """Where one client stands."""

    def __init__(self):
        self.places = {}  # of each topic that it follows: (epoch, offset) of the last event it knows of
        self.epochs_left = set()  # (topic, epoch)
        self.seen = set()  # (topic, epoch, offset) received
        self.session = 0
        self.open = Counter()  # messages that wait for an answer
        self.sent_by_session = defaultdict(list)  # (session, topic) -> messages, in order
        self.mailbox_whole = True
        self.answers_whole = True  # in this session


class _Check:
    def __init__(self, records):
        self.records = records
        self.verdict = Verdict()
        self.clients = defaultdict(_Client)
        self.targets = {}  # message -> (topic, to)
        self.senders = {}
        self.sends = Counter()
        self.refusals = Counter()
        self.published = {}  # message -> its first place
        self.again = set()  # (message, place) of further places, reported once each
        self.at = {}  # place -> message
        self.heads = defaultdict(int)  # (topic, epoch) -> the last offset anybody knows of
        self.delivered = defaultdict(set)  # direct message -> clients

    def run(self):
        for record in self.records:  # a message may be received before its sender's record is read
            if record[0] == "sent":
                self._note_send(*record[1:])
            elif record[0] in ("received", "acked"):
                self._note_place(record)
        for kind, client, *fields in self.records:
            getattr(self, "_" + kind)(self.clients[client], client, *fields)
        self._check_refusals()
        self._check_senders_order()
        self._check_direct()
        return self.verdict

    # --- What all records say together.

    def _note_send(self, client, message, topic, to):
        target = (topic, to)
        if self.targets.setdefault(message, target) != target or \
                self.senders.setdefault(message, client) != client:
            raise ValueError(f"the test sent two different messages as {message}")
        self.sends[message] += 1

    def _note_place(self, record):
        if record[0] == "received":
            _, client, topic, epoch, offset, message = record
        else:
            _, client, message, topic, epoch, offset, _ = record
            if offset == 0:  # a direct message
                return
        place = (topic, epoch, offset)
        self.heads[topic, epoch] = max(self.heads[topic, epoch], offset)
        other = self.at.setdefault(place, message)
        if other != message:
            self.verdict.add("reordered", f"{_place(*place)} is {message} for {client}, and {other} "
                                          "for somebody else")
        elif self.published.setdefault(message, place) != place and \
                (message, place) not in self.again:
            self.again.add((message, place))
            self.verdict.add("duplicated", f"{message} is at {_place(*self.published[message])} and, "
                                           f"for {client}, at {_place(*place)}")

    # --- One client's records.

    def _sent(self, state, _, message, topic, to):
        state.open[message] += 1
        state.sent_by_session[state.session, topic if to is None else ("to", to)].append(message)

    def _answer(self, state, client, message, how):
        if self.senders.get(message) != client:
            self.verdict.add("invented", f"{client} never sent {message}, and it was {how}")
        elif state.open[message] == 0:
            self.verdict.add("duplicated", f"{message} was {how}, and had been answered")
        else:
            state.open[message] -= 1

    def _acked(self, state, client, message, topic, *_):
        self._answer(state, client, message, "acked")
        target, to = self.targets.get(message, (topic, None))
        if to is None and target != topic:
            self.verdict.add("invented", f"{message} was sent to {target!r} and acked in {topic!r}")

    def _refused(self, state, client, message, outcome):
        self._answer(state, client, message, f"refused ({outcome})")
        self.refusals[message] += 1

    def _follows(self, state, _, topic, epoch, offset):
        state.places.setdefault(topic, (epoch, offset))

    def _left(self, state, _, topic):
        state.places.pop(topic, None)

    def _received(self, state, client, topic, epoch, offset, message):
        if self.targets.get(message) != (topic, None):
            what = "nobody sent it" if message not in self.targets else "it was sent elsewhere"
            self.verdict.add("invented",
                             f"{client} received {message} at {_place(topic, epoch, offset)}; {what}")
        place = (topic, epoch, offset)
        if place in state.seen:
            self.verdict.add("duplicated", f"{client} received {_place(*place)} twice")
            return
        state.seen.add(place)
        self._advance(state, client, topic, epoch, offset, offset, "received", None)

    def _gap(self, state, client, topic, epoch, first, last, reason):
        # What a gap names exists, unless it is empty.
        self.heads[topic, epoch] = max(self.heads[topic, epoch], last)
        self._advance(state, client, topic, epoch, first, last, "was told as lost", reason)

    def _advance(self, state, client, topic, epoch, first, last, how, reason):
        """What is next for the client are the events first to last, received or told as lost."""
        if topic not in state.places:
            state.places[topic] = (epoch, last)
            return
        old_epoch, old = state.places[topic]
        if epoch == old_epoch and first == old + 1:
            state.places[topic] = (epoch, last)
            return
        what = f"{client} {how} {_place(topic, epoch, first)}"
        if epoch != old_epoch:
            if (topic, epoch) in state.epochs_left:
                self.verdict.add("reordered", f"{what}, after a later epoch ({old_epoch})")
                return
            state.epochs_left.add((topic, old_epoch))
            if reason != "NEW_EPOCH":
                self.verdict.add("lost", f"{what} after {_place(topic, old_epoch, old)}, and no gap "
                                         "told of the new epoch")
                state.places[topic] = (epoch, last)
                return
            old = 0
        if first > old + 1:
            self.verdict.add("lost", f"{what}, but neither received nor was told of "
                                     f"{old + 1} to {first - 1}")
        elif first <= old:
            if reason is None:
                self.verdict.add("reordered", f"{what} after {old}")
            elif last >= first:
                self.verdict.add("invented", f"{what} to {last}, but had come to {old}")
        state.places[topic] = (epoch, max(old, last))

    def _direct(self, _, client, message):
        if self.targets.get(message, (None, None))[1] != client:
            self.verdict.add("invented", f"{client} received {message}, which nobody sent it")
        if client in self.delivered[message]:
            self.verdict.add("duplicated", f"{client} received the direct message {message} twice")
        self.delivered[message].add(client)

    def _mailbox_gap(self, state, _):
        state.mailbox_whole = state.answers_whole = False

    def _ended(self, state, _):
        state.open.clear()
        state.session += 1
        state.mailbox_whole = False
        state.answers_whole = True

    def _finished(self, state, client):
        for message, count in state.open.items():
            if count > 0 and state.answers_whole:
                self.verdict.add("lost", f"{client} got no answer to {message}")
        for topic, (epoch, offset) in state.places.items():
            head = self.heads[topic, epoch]
            if offset < head:
                self.verdict.add("lost", f"{client} neither received nor was told of "
                                         f"{_place(topic, epoch, offset + 1)} to {head}")
            for other in [other for where, other in self.heads if where == topic]:
                if other != epoch and (topic, other) not in state.epochs_left and \
                        self._later(topic, other, epoch):
                    self.verdict.add("lost", f"{client} stayed in {topic!r} epoch {epoch}, and was "
                                             f"never told of epoch {other}")

    def _later(self, topic, epoch, than):
        """By a client that saw both: it had left the earlier one."""
        return any((topic, than) in state.epochs_left and
                   state.places.get(topic, (None,))[0] == epoch for state in self.clients.values())

    # --- Over all clients.

    def _check_refusals(self):
        for message, count in self.refusals.items():
            if count == self.sends[message] and (message in self.published or
                                                 self.delivered.get(message)):
                self.verdict.add("invented", f"{message} was refused, and published all the same")

    def _check_senders_order(self):
        for client, state in self.clients.items():
            for (_, topic), messages in state.sent_by_session.items():
                last = {}  # epoch -> (offset, message)
                for message in messages:
                    # One that was sent again may have been published by the later one.
                    if self.sends[message] > 1 or message not in self.published:
                        continue
                    _, epoch, offset = self.published[message]
                    if epoch in last and offset < last[epoch][0]:
                        self.verdict.add("reordered", f"{client} sent {message} to {topic!r} after "
                                                      f"{last[epoch][1]}, which is later there")
                    last[epoch] = (offset, message)

    def _check_direct(self):
        finished = {record[1] for record in self.records if record[0] == "finished"}
        arrived = defaultdict(list)  # (sender, recipient) -> messages in the order of arrival
        for record in self.records:
            if record[0] == "acked" and record[6] > 0:
                message = record[2]
                to = self.targets.get(message, (None, None))[1]
                if to in finished and self.clients[to].mailbox_whole and \
                        to not in self.delivered[message]:
                    self.verdict.add("lost", f"{to} neither received the direct message {message} "
                                             "nor was told of a gap")
            elif record[0] == "direct" and record[2] in self.senders:
                arrived[self.senders[record[2]], record[1]].append(record[2])
        for (sender, to), messages in arrived.items():
            for session in range(self.clients[sender].session + 1):
                sent = self.clients[sender].sent_by_session.get((session, ("to", to)), [])
                once = {message: at for at, message in enumerate(sent) if self.sends[message] == 1}
                order = [once[message] for message in messages if message in once]
                if order != sorted(order):
                    self.verdict.add("reordered", f"{to} received the direct messages of {sender} in "
                                                  "another order than they were sent")


def _place(topic, epoch, offset):
    return f"{topic!r} {epoch}/{offset}"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: history.py FILE, where FILE is what History.save wrote")
    verdict = History.load(sys.argv[1]).check()
    print(verdict)
    sys.exit(0 if verdict.clean else 1)
