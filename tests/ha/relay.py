"""A mail server that counts: it knows of each mail how often it took it, and can be sick."""

import asyncio
import email
import email.policy
import random
import threading
import time
from dataclasses import dataclass

# Where a dialogue can fail. What fails at the last of them was read and not taken.
STAGES = ("greeting", "MAIL", "RCPT", "DATA", "end")


@dataclass
class Taken:
    """A mail that was answered with 250."""

    at: float
    to: str
    message_id: str
    incident: str
    subject: str
    text: str
    # Nothing more was heard on the connection: the client may never have learned that it was taken.
    last_words: bool = False


class Relay:
    """Listens on a port of its own until it is closed."""

    def __init__(self, seed):
        self.taken = []
        self.port = None
        # Which share of the dialogues fails.
        self.sickness = 0.0
        # Reads a mail and never answers.
        self.hangs = False
        # What it takes its time for, so that a mail can be caught in flight.
        self.delay_s = 0.0
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._connections = set()

    def __enter__(self):
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)

    def wait_until_heard_out(self):
        """Waits until whoever was killed in a dialogue is known to be gone."""
        while self._connections:
            time.sleep(0.001)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 24)
        server = self._loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        self._connections.add(writer)
        talk = Dialogue(self, reader, writer)
        try:
            await talk.hold()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if talk.last and not talk.went_on:
                talk.last.last_words = True
            writer.close()
            self._connections.discard(writer)

    def falls_sick(self, stages=STAGES):
        """At which of these stages the next mail fails, or None."""
        return self._chance.choice(stages) if self._chance.random() < self.sickness else None

    def breaks_off(self):
        """Whether a failure is a broken connection, and not an answer."""
        return self._chance.random() < 0.5


class Dialogue:
    """One connection."""

    def __init__(self, relay, reader, writer):
        self.relay, self.reader, self.writer = relay, reader, writer
        self.last = None
        self.went_on = False
        self.recipient = None
        self.is_first = True
        self.fails_at = relay.falls_sick()

    async def hold(self):
        if not await self._answer("greeting", "220 relay.example.org ESMTP"):
            return
        while line := await self.reader.readline():
            self.went_on = True
            verb = line.split(b" ")[0].strip().upper().decode()
            if verb == "MAIL":
                # Each mail has its own fate, the first one that of the connection.
                if not self.is_first:
                    self.fails_at = self.relay.falls_sick(STAGES[1:])
                self.is_first = False
            if verb == "QUIT":
                await self._say("221 bye")
                return
            if verb == "DATA":
                go_on = await self._take()
            elif verb == "RCPT":
                self.recipient = line.decode().split("<")[1].split(">")[0]
                go_on = await self._answer("RCPT", "250 ok")
            else:
                go_on = await self._answer(verb, "250 ok")
            if not go_on:
                return

    async def _take(self):
        if self.fails_at == "DATA":
            return await self._answer("DATA", "")
        await self._say("354 go ahead")
        raw = await self.reader.readuntil(b"\r\n.\r\n")
        if self.relay.hangs:
            await self.reader.read()
            return False
        if self.relay.delay_s:
            await asyncio.sleep(self.relay.delay_s)
        if self.fails_at == "end":
            return await self._answer("end", "")
        self.last, self.went_on = parse(raw, self.recipient), False
        self.relay.taken.append(self.last)
        await self._say("250 taken")
        return True

    async def _answer(self, stage, well):
        """Answers that all is well unless it fails here; whether the dialogue goes on."""
        if self.fails_at != stage:
            await self._say(well)
            return True
        self.fails_at = None
        if self.relay.breaks_off():
            return False
        await self._say("421 too busy" if stage == "greeting" else "451 too busy")
        return stage != "greeting"

    async def _say(self, line):
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()


def parse(raw, recipient):
    """What counts of a mail."""
    # RFC 5321, 4.5.2.
    raw = raw.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    text = mail.get_body(("plain",)).get_content()
    last = [line for line in text.splitlines() if line.startswith("incident ")]
    return Taken(
        at=time.monotonic(),
        to=recipient,
        message_id=mail["Message-ID"],
        incident=last[-1].split()[1].rstrip(",") if last else "",
        subject=str(mail["Subject"]),
        # What else is wrong is told in mails of its own.
        text=text.split("\nAlso wrong at this moment:")[0],
    )
