"""The accounts of a scenario: what everybody is to be told, and so what was lost and what told twice."""

import re
from collections import defaultdict

# A subject that names none of these tells of the incident that an earlier one has named.
NAMES = re.compile(r"\b(osd\.\d+|node\d+)\b")


class Ledger:
    """Compares what is owed with what a relay took."""

    def __init__(self, relay, recipients):
        self.relay = relay
        self.recipients = recipients
        self._down = []
        self._up = []
        self._subjects = []

    def owe_down(self, name):
        """Everybody is to be told that this is down."""
        self._down.append(name)

    def owe_up(self, name):
        """And that it is up again."""
        self._up.append(name)

    def owe(self, subject):
        """Everybody is to get a mail whose subject matches this."""
        self._subjects.append(re.compile(subject))

    def lost(self):
        """What has not arrived so far: recipient and what he is owed."""
        mails = defaultdict(list)
        for mail in list(self.relay.taken):
            mails[mail.to].append(mail)
        lost = []
        for to in self.recipients:
            told = mails[to]
            lost += [f"{name} down, to {to}" for name in self._down if not _incidents(told, name)]
            lost += [f"{name} up, to {to}" for name in self._up if not _is_over(told, name)]
            lost += [
                f"/{subject.pattern}/, to {to}"
                for subject in self._subjects
                if not any(subject.search(mail.subject) for mail in told)
            ]
        return lost

    def repeats(self):
        """What was told more than once, as lists of the mails that told the same."""
        first = {}
        tellings = defaultdict(list)
        for mail in list(self.relay.taken):
            first.setdefault((mail.to, mail.incident), mail.subject)
            root = "" if NAMES.search(mail.subject) else first[mail.to, mail.incident]
            tellings[mail.to, mail.subject, root].append(mail)
        return [mails for mails in tellings.values() if len(mails) > 1]

    def counts(self):
        """Repeated mails, those left out of which the sender can't have known that they were taken; how many of
        these there were; how many had a Message-ID of their own, which no mailbox can collapse."""
        repeated = excused = strangers = 0
        for mails in self.repeats():
            forgiven = sum(mail.last_words for mail in mails[:-1])
            excused += forgiven
            repeated += len(mails) - 1 - forgiven
            strangers += len({mail.message_id for mail in mails}) - 1
        return repeated, excused, strangers


def _incidents(mails, name):
    """The incidents in which these mails call it down."""
    return {
        mail.incident
        for mail in mails
        if "up again" not in mail.subject and re.search(rf"\b{re.escape(name)}\b", mail.text)
    }


def _is_over(mails, name):
    incidents = _incidents(mails, name)
    return any(mail.incident in incidents and "up again" in mail.subject for mail in mails)
