"""A mailbox with something of everything: what is to look the same after a bad day."""

from tests.system.load import ACCOUNTS, A, B
from tests.system.peers import answers, imap, quoted, ready, smtp
from tests.system.victim import Victim

STORED = '"17-Jul-1996 02:44:25 -0700"'


def furnish(victim: Victim) -> None:
    """Folders of all kinds, flags, keywords, dates, copies, gaps in UIDs, mail in the queue."""
    with imap(victim.ports["imap"], A) as client, answers():
        for folder in ("Work", "Work/2026", "a.b &- c", "Empty", "Big"):
            ready(client.create(quoted(folder)))
        ready(client.unsubscribe("Work"))
        ready(client.subscribe("Gone"))
        for number in range(12):
            text = victim.ledger.new(f"appended-{number}")
            flags = ("", r"(\Seen)", r"(\Flagged blue)", r"(\Answered \Draft $Important)")[
                number % 4
            ]
            ready(client.append("Work/2026", flags, STORED if number % 3 else "", text))
        ready(client.select("Work/2026"))
        ready(client.uid("COPY", "2:5", quoted("a.b &- c")))
        ready(client.uid("MOVE", "6:7", "Big"))
        ready(client.uid("STORE", "1:3", "+FLAGS", r"(\Deleted)"))
        ready(client.expunge())
        many = " ".join(f"word{number}" for number in range(30))
        ready(client.uid("STORE", "8", "+FLAGS", f"({many})"))
        ready(client.append("Big", "", "", victim.ledger.new("big", 1_500_000)))
    with smtp(victim.ports["smtp"]) as mx, answers():
        for number in range(5):
            mx.sendmail("s@world.test", ACCOUNTS, victim.ledger.new(f"delivered-{number}"))
    with smtp(victim.ports["submission"], A) as submission, answers():
        for number in range(3):
            text = victim.ledger.new(f"queued-{number}")
            submission.sendmail(A, [B, f"x{number}@outside.test", "y@outside.test"], text)


def change(victim: Victim) -> None:
    """What an older copy of the index does not know."""
    with imap(victim.ports["imap"], A) as client, answers():
        ready(client.create("Later"))
        ready(client.unsubscribe("Work/2026"))
        ready(client.append("Later", r"(\Seen green)", STORED, victim.ledger.new("later")))
        ready(client.select("Work/2026"))
        ready(client.uid("STORE", "4", "FLAGS", r"(\Answered yellow)"))
        ready(client.uid("STORE", "5", "-FLAGS", r"(\Flagged blue)"))
        ready(client.uid("MOVE", "9", "Later"))
        ready(client.uid("COPY", "10", "Later"))
        ready(client.uid("STORE", "11", "+FLAGS", r"(\Deleted)"))
        ready(client.expunge())
        ready(client.rename("Empty", "Renamed"))
    with smtp(victim.ports["submission"], A) as submission, answers():
        submission.sendmail(A, [B, "later@outside.test"], victim.ledger.new("queued-later"))
