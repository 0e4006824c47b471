"""Who is in a topic, as one watcher knows it: by the Presence and the changes that it was told. And that
these fit together: no version is missing, nobody comes twice, the numbers are those of the names."""

import time

import faults

MOST_NAMES = 100  # in one change
MOST_USERS = 1000  # in one Presence


class Room:
    """`users` and `sessions` are what is known now, `told` the Presences and changes so far, in order.
    `took`: how many seconds it waited for its first Presence. `session`: of session.py, or what has its
    `events`, `watch` and `check`."""

    @classmethod
    async def watch(cls, session, topic):
        room = cls()
        room.session, room.topic = session, topic
        room.users, room.sessions, room.user_count, room.version = set(), 0, 0, 0
        room.all_named = True  # False: some came or went in a crowd
        room.told, room.took, room._seen = [], None, len(session.events)
        await room.again()
        return room

    async def again(self):
        """Subscribes, whether it did before or not. Returns the Presence that it is told."""
        self.look()
        known, began = len(self.told), time.monotonic()
        await self.session.watch(self.topic)

        def find():
            self.look()
            return next((event for event in self.told[known:] if _is_presence(event)), None)
        first = await faults.until(lambda: f"a Presence for {self}", find)
        self.took = time.monotonic() - began
        return first

    async def leave(self):
        """Follows no more. From here on, nothing may come."""
        await self.session.unfollow(self.topic)
        self.look()
        self.version = 0

    async def becomes(self, users, sessions):
        """Waits until it knows that these are there."""
        users = set(users)

        def same():
            self.look()
            return self.sessions == sessions and self.user_count == len(users) and \
                (not self.all_named or self.users == users)
        await faults.until(lambda: f"{sessions} sessions of {sorted(users)[:50]} for {self}", same)

    def count(self, name):
        """How many users came (joined_count) or went (left_count), by what was told."""
        return sum(getattr(event, name) for event in self.told if not _is_presence(event))

    def look(self):
        """Takes what has come."""
        self.session.check()
        events, self._seen = self.session.events[self._seen:], len(self.session.events)
        for event in events:
            kind = event.WhichOneof("event")
            if kind == "presence" and event.presence.version > 0 and event.presence.topic == self.topic:
                self._begin(event.presence)
            elif kind == "presence_change" and event.presence_change.topic == self.topic:
                self._change(event.presence_change)
            elif kind == "gap" and event.gap.presence and event.gap.topic == self.topic:
                self._fail("a gap", event.gap)

    def _begin(self, presence):
        self.told.append(presence)
        users = set(presence.users)
        if len(users) != len(presence.users):
            self._fail("a user twice", presence)
        if len(users) != min(presence.user_count, MOST_USERS):
            self._fail("a wrong number", presence)
        if presence.version < self.version:
            self._fail("an older version", presence)
        if presence.version == self.version and (
                presence.sessions != self.sessions or presence.user_count != self.user_count or
                (self.all_named and len(users) == presence.user_count and users != self.users)):
            self._fail("something else of the same version", presence)
        self.users, self.sessions, self.user_count = users, presence.sessions, presence.user_count
        self.version, self.all_named = presence.version, len(users) == presence.user_count

    def _change(self, change):
        self.told.append(change)
        if self.version == 0 or change.version != self.version + 1:
            self._fail("not the next version", change)
        named = change.joined_count + change.left_count <= MOST_NAMES
        if (len(change.joined), len(change.left)) != (
                (change.joined_count, change.left_count) if named else (0, 0)):
            self._fail("other names than numbers", change)
        if change.user_count != self.user_count + change.joined_count - change.left_count:
            self._fail("a wrong number of users", change)
        joined, left = set(change.joined), set(change.left)
        if len(joined) + len(left) != len(change.joined) + len(change.left) or joined & left:
            self._fail("a user twice", change)
        if self.all_named and (joined & self.users or left - self.users):
            self._fail("somebody comes who was there, or goes who was not", change)
        self.users = (self.users | joined) - left
        self.all_named = self.all_named and named
        self.sessions, self.user_count, self.version = change.sessions, change.user_count, change.version

    def _fail(self, what, event):
        text = str(event)
        raise AssertionError(f"{what}: {text[:2000]}\nfor {self}")

    def __str__(self):
        return (f"{self.session.user} ({self.session.dialect}) in {self.topic!r}, who knows of version "
                f"{self.version}: {self.sessions} sessions of {self.user_count} users, "
                f"{sorted(self.users)[:50]}")


def _is_presence(event):
    return event.DESCRIPTOR.name == "Presence"
