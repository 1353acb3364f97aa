"""The accounts of a scenario: what everybody is to be told, and so what was lost and what told twice."""

import re
import time
from collections import defaultdict

# A subject that names none of these tells of the incident that an earlier one has named.
NAMES = re.compile(r"\b(osd\.\d+|node\d+)\b")


class Ledger:
    """Compares what is owed with what a relay took."""

    def __init__(self, relay, recipients):
        self.relay = relay
        self.recipients = recipients
        # With the moment from which on it was owed.
        self._down = []
        self._up = []
        self._subjects = []
        # From each of these moments on the same may happen again.
        self._chapters = [time.monotonic()]
        # The network fell apart: then both sides may speak, each of what it sees.
        self.two_voices = False
        # Incidents that were apart have become one: what was told in the one may end in the other.
        self.ends_elsewhere = False

    def owe_down(self, name):
        """Everybody is to be told that this is down."""
        self._down.append((name, time.monotonic()))

    def owe_up(self, name):
        """And that it is up again."""
        self._up.append((name, time.monotonic()))

    def owe(self, subject):
        """Everybody is to get a mail whose subject matches this."""
        self._subjects.append((re.compile(subject), time.monotonic()))

    def begin_chapter(self):
        """What was told before may happen again from now on."""
        self._chapters.append(time.monotonic())

    def lost(self):
        """What has not arrived so far: recipient and what he is owed."""
        mails = defaultdict(list)
        for mail in list(self.relay.taken):
            mails[mail.to].append(mail)
        lost = []
        for to in self.recipients:
            told = mails[to]
            lost += [f"{name} down, to {to}" for name, at in self._down if not _down(told, name, at)]
            lost += [
                f"{name} up, to {to}"
                for name, at in self._up
                if not _is_up(told, name, at, in_any=self.two_voices or self.ends_elsewhere)
            ]
            lost += [
                f"/{subject.pattern}/, to {to}"
                for subject, at in self._subjects
                if not any(mail.at >= at and subject.search(mail.subject) for mail in told)
            ]
        return lost

    def repeats(self):
        """What was told more than once, as lists of the mails that told the same."""
        roots, tellings, known = {}, defaultdict(list), {}
        for mail in list(self.relay.taken):
            roots.setdefault((mail.to, mail.incident), mail.subject)
            root = "" if NAMES.search(mail.subject) else roots[mail.to, mail.incident]
            chapter = sum(begin <= mail.at for begin in self._chapters)
            telling = (mail.to, mail.subject, root, chapter)
            if self.two_voices:
                # Each side ends what it has told, and the names of that stand in the text alone.
                telling += (frozenset(NAMES.findall(mail.text)),)
            # What is told under the same Message-ID is the same at any time.
            tellings[known.setdefault(mail.message_id, telling)].append(mail)
        return [mails for mails in tellings.values() if len(mails) > 1]

    def counts(self):
        """How much was repeated: mails; those left out of which the sender can't have known that they were taken, which
        come second; third, how many had a Message-ID of their own, which no mailbox collapses."""
        repeated = excused = strangers = 0
        for mails in self.repeats():
            forgiven = sum(mail.last_words for mail in mails[:-1])
            excused += forgiven
            repeated += len(mails) - 1 - forgiven
            strangers += len({mail.message_id for mail in mails}) - 1
        return repeated, excused, strangers


def _down(mails, name, since=0.0):
    """The incidents in which these mails call it down."""
    return {
        mail.incident
        for mail in mails
        if mail.at >= since
        and "up again" not in mail.subject
        and re.search(rf"\b{re.escape(name)}\b", mail.text)
    }


def _is_up(mails, name, since, *, in_any):
    """Whether they tell that it is up again: in an incident that called it down, with `in_any` also in another one that names
    it, or in the mail that comes late to tell that it was down at all."""
    incidents = _down(mails, name)
    everything = f"all {'OSDs' if name.startswith('osd.') else 'nodes'} are up again"
    named = re.compile(rf"\b{re.escape(name)}\b")
    return any(
        mail.at >= since
        and (
            ("up again" in mail.subject and mail.incident in incidents)
            or (in_any and everything in mail.subject and named.search(mail.text))
            or (re.search(r"\bw(as|ere) down\b", mail.subject) and named.search(mail.subject))
        )
        for mail in mails
    )
