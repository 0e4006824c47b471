"""A TCP proxy between a node and its Redis, which can fail as networks do: it stops passing bytes without
a word, or breaks its connections; and it can lead to another Redis, as an address that moves does."""

import asyncio


class Link:
    """Belongs to one event loop. await Link.open(port of Redis); then `port` is where it listens."""

    @classmethod
    async def open(cls, target):
        link = cls()
        link.target, link.port = target, None
        link._passes = asyncio.Event()
        link._passes.set()
        link._tasks, link._writers = set(), set()
        link._server = await asyncio.start_server(link._accept, "127.0.0.1", 0)
        link.port = link._server.sockets[0].getsockname()[1]
        return link

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    async def _accept(self, reader, writer):
        self._writers.add(writer)
        task = asyncio.current_task()
        self._tasks.add(task)
        there = None
        try:
            await self._passes.wait()
            far, there = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(there)
            kind = {}  # of this connection: it is a node's for calls (True) or for channels
            done = [asyncio.ensure_future(self._pass(reader, there, self._sees, kind)),
                    asyncio.ensure_future(self._pass(far, writer, self._answers, kind))]
            self._tasks.update(done)
            await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.cancel()
            self._tasks.difference_update(done)
        except OSError:
            pass
        except asyncio.CancelledError:
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()
            self._tasks.discard(task)

    async def _sees(self, data, kind):
        """Before a node's bytes go on. See also SlowLink."""

    async def _answers(self, data, kind):
        """Before Redis's bytes go on."""

    async def _pass(self, reader, writer, look, kind):
        try:
            while data := await reader.read(65536):
                await self._passes.wait()
                await look(data, kind)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass

    def cut(self):
        """Nothing passes any more, and nobody is told. What is on its way is kept until heal()."""
        self._passes.clear()

    def heal(self):
        self._passes.set()

    def lose(self):
        """Breaks all connections, and loses what is on its way."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def close(self):
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self.lose()
        await asyncio.gather(*tasks, return_exceptions=True)


class SlowLink(Link):
    """While `slow` is set, calls are answered only after `answered` is, and channels are subscribed only after
    `subscribed` is. `asked` is set when a call has come that asks for a topic's place: since slow() was
    called, and in all connections."""

    def __init__(self):
        self.answered, self.subscribed, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._slow, self._marks = False, ()

    def slow(self, *marks):
        """marks: bytes that such a call has."""
        self._slow, self._marks = True, marks
        for event in (self.answered, self.subscribed, self.asked):
            event.clear()

    async def _sees(self, data, kind):
        if not self._slow:
            return
        if b"SUBSCRIBE" in data:
            await self.subscribed.wait()
        elif all(mark in data for mark in self._marks):
            kind["asked"] = True
            self.asked.set()

    async def _answers(self, data, kind):
        if kind.get("asked"):
            await self.answered.wait()
