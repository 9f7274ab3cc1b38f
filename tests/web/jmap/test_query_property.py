"""Email/query against a naive evaluation of what Email/get tells, over random mail that changes by
IMAP and JMAP; and /queryChanges, which leads from any earlier result to the present one.
"""

import imaplib
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from message.casemap import casemap
from tests.support.jmap import BOB, Jmap, append, basic
from tests.support.server import PASSWORD, ServerProcess

WORDS = ("zebra", "quokka", "Wombat", "Übersee", "lynx", "numbat")
PIECES = ("ZEB", "okk", "wombat", "überSEE", "lyn", "umba", "nothing", "lynx zebra")
KEYWORDS = ("$seen", "$flagged", "$work", "$answered")
FLAGS = {"$seen": "\\Seen", "$flagged": "\\Flagged", "$work": "$Work", "$answered": "\\Answered"}
BOXES = ("INBOX", "Sent", "Archive")
PROPERTIES = (
    *("mailboxIds", "keywords", "size", "receivedAt", "threadId", "subject", "from", "to"),
    *("hasAttachment", "textBody", "bodyValues", "attachments", "sentAt"),
)
Email = dict[str, Any]


class World:
    """Random mail in BOB's account."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.chance = random.Random(seed)
        self.jmap = Jmap(server, basic(BOB))
        self.imap = imaplib.IMAP4("127.0.0.1", server.port("imap"))
        self.imap.login(BOB, PASSWORD)
        self.made = 0

    def close(self) -> None:
        self.imap.logout()

    def some(self, values: Any, least: int = 0) -> list[Any]:
        return self.chance.sample(list(values), self.chance.randint(least, min(2, len(values))))

    def letter(self) -> bytes:
        self.made += 1
        mail = EmailMessage()
        name, word = self.chance.choice(WORDS), self.chance.choice(WORDS)
        mail["From"] = f"{name} <{self.chance.choice('abc')}@x.test>"
        mail["To"] = f"{word} <to@x.test>, other@x.test" if self.made % 3 else "ann@x.test"
        mail["Subject"] = self.chance.choice(("", "Re: ")) + " ".join(self.some(WORDS[:2], 1))
        mail["Message-ID"] = f"<{self.made}@x.test>"
        if self.made > 3 and self.made % 2:
            mail["References"] = f"<{self.chance.randint(1, self.made - 1)}@x.test>"
        mail["Date"] = f"{self.chance.randint(1, 28)} Nov 2026 10:00:00 +0000"
        mail.set_content(" ".join(self.some(WORDS)) + "\n")
        if self.made % 4 == 0:
            mail.add_attachment(b"\0\1", maintype="image", subtype="png", filename="a.png")
        return mail.as_bytes()

    def append(self) -> None:
        flags = f"({' '.join(FLAGS[one] for one in self.some(KEYWORDS))})"
        append(self.imap, self.letter(), self.chance.choice(BOXES), flags)

    def change(self) -> None:
        """One step by IMAP."""
        self.imap.select(self.chance.choice(BOXES))
        uids = self.imap.uid("SEARCH", "ALL")[1][0].split()
        kind = self.chance.randrange(7)
        if kind == 0 or not uids:
            self.append()
            return
        uid = self.chance.choice(uids).decode()
        sign, flag = self.chance.choice("+-"), FLAGS[self.chance.choice(KEYWORDS)]
        if kind in (1, 2):
            self.imap.uid("STORE", uid, f"{sign}FLAGS", f"({flag})")
        elif kind == 3:
            self.imap.uid("STORE", uid, f"{sign}FLAGS", "(\\Deleted)")
        elif kind == 4:
            self.imap.uid("COPY", uid, self.chance.choice(BOXES))
        elif kind == 5:
            self.imap.uid("MOVE", uid, self.chance.choice(BOXES))
        else:
            self.imap.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            self.imap.uid("EXPUNGE", uid)

    def emails(self) -> list[Email]:
        found = self.jmap.call(
            "Email/get", ids=None, properties=list(PROPERTIES), fetchTextBodyValues=True
        )
        return list(found["list"])

    # Questions.

    def condition(self, emails: list[Email], boxes: list[str]) -> dict[str, Any]:
        one = self.chance.choice(emails)
        piece, keyword = self.chance.choice(PIECES), self.chance.choice(KEYWORDS)
        return self.chance.choice(
            [
                {"inMailbox": self.chance.choice(boxes)},
                {"inMailboxOtherThan": self.some(boxes)},
                {"before": one["receivedAt"]},
                {"after": one["receivedAt"]},
                {"minSize": one["size"]},
                {"maxSize": one["size"]},
                {"hasKeyword": keyword},
                {"notKeyword": keyword},
                {"allInThreadHaveKeyword": keyword},
                {"someInThreadHaveKeyword": keyword},
                {"noneInThreadHaveKeyword": keyword},
                {"hasAttachment": self.chance.random() < 0.5},
                {"text": piece},
                {"subject": piece},
                {"from": piece},
                {"body": piece},
                {"to": piece, "hasKeyword": keyword},
                {},
            ]
        )

    def filter(self, emails: list[Email], boxes: list[str], depth: int = 0) -> dict[str, Any]:
        if depth > 2 or self.chance.random() < 0.5:
            return self.condition(emails, boxes)
        parts = [self.filter(emails, boxes, depth + 1) for _ in range(self.chance.randint(0, 3))]
        return {"operator": self.chance.choice(("AND", "OR", "NOT")), "conditions": parts}

    def sort(self) -> list[dict[str, Any]]:
        made = []
        names = ["receivedAt", "size", "subject", "from", "to", "sentAt", "hasKeyword"]
        for name in self.some([*names, "allInThreadHaveKeyword", "someInThreadHaveKeyword"]):
            one: dict[str, Any] = {"property": name, "isAscending": self.chance.random() < 0.5}
            if "Keyword" in name:
                one["keyword"] = self.chance.choice(KEYWORDS)
            made.append(one)
        return made

    def question(self, emails: list[Email], boxes: list[str]) -> dict[str, Any]:
        return {
            "filter": self.filter(emails, boxes),
            "sort": self.sort(),
            "collapseThreads": self.chance.random() < 0.3,
        }


def meets(one: Email, filter_: dict[str, Any], every: list[Email]) -> bool:
    if "operator" in filter_:
        found = [meets(one, part, every) for part in filter_["conditions"]]
        if filter_["operator"] == "AND":
            return all(found)
        return any(found) is (filter_["operator"] == "OR")
    return all(_meets(one, name, value, every) for name, value in filter_.items())


def _meets(one: Email, name: str, value: Any, every: list[Email]) -> bool:
    thread = [mate for mate in every if mate["threadId"] == one["threadId"]]
    texts = {
        "subject": one["subject"],
        "from": _addresses(one["from"]),
        "to": _addresses(one["to"]),
        "body": " ".join(
            [
                *(part["value"] for part in one["bodyValues"].values()),
                *(part["name"] or "" for part in one["attachments"]),
            ]
        ),
    }
    texts["text"] = "\n".join(texts.values())
    if name in texts:
        return all(term in texts[name].lower() for term in value.lower().split())
    tests: dict[str, Callable[[], bool]] = {
        "inMailbox": lambda: value in one["mailboxIds"],
        "inMailboxOtherThan": lambda: bool(set(one["mailboxIds"]) - set(value)),
        "before": lambda: one["receivedAt"] < value,
        "after": lambda: one["receivedAt"] >= value,
        "minSize": lambda: one["size"] >= value,
        "maxSize": lambda: one["size"] < value,
        "hasKeyword": lambda: value in one["keywords"],
        "notKeyword": lambda: value not in one["keywords"],
        "allInThreadHaveKeyword": lambda: all(value in mate["keywords"] for mate in thread),
        "someInThreadHaveKeyword": lambda: any(value in mate["keywords"] for mate in thread),
        "noneInThreadHaveKeyword": lambda: all(value not in mate["keywords"] for mate in thread),
        "hasAttachment": lambda: one["hasAttachment"] is value,
    }
    return tests[name]()


def _addresses(found: list[dict[str, Any]]) -> str:
    return " ".join(f"{one['name'] or ''} {one['email']}" for one in found)


def compared(one: Email, by: dict[str, Any], every: list[Email]) -> Any:
    name = by["property"]
    if "Keyword" in name:
        return _meets(one, name, by["keyword"], every)
    if name == "subject":
        return casemap(one["subject"].removeprefix("Re: "))
    if name in ("from", "to"):
        return casemap(one[name][0]["name"] or one[name][0]["email"])
    return datetime.fromisoformat(one[name]).astimezone(UTC) if name == "sentAt" else one[name]


def naive(every: list[Email], asked: dict[str, Any]) -> list[str]:
    """What the standard says, and the server's own last word: by arrival, as the last key goes."""
    sort = asked["sort"] or [{"property": "receivedAt", "isAscending": False}]
    found = [one for one in every if meets(one, asked["filter"], every)]
    found.sort(key=lambda one: int(one["id"][1:], 16), reverse=not sort[-1]["isAscending"])
    for by in reversed(sort):
        keys = {one["id"]: compared(one, by, every) for one in found}
        found.sort(key=lambda one: keys[one["id"]], reverse=not by["isAscending"])
    if not asked["collapseThreads"]:
        return [one["id"] for one in found]
    first: dict[str, str] = {}
    for one in found:
        first.setdefault(one["threadId"], one["id"])
    return list(first.values())


def check_counts(world: World, every: list[Email]) -> None:
    """What a Mailbox counts is what its Emails are; nothing here is in the Trash."""
    unread = {one["id"] for one in every if not {"$seen", "$draft"} & set(one["keywords"])}
    unread_threads = {one["threadId"] for one in every if one["id"] in unread}
    for box in world.jmap.call("Mailbox/get", ids=None)["list"]:
        held = [one for one in every if box["id"] in one["mailboxIds"]]
        threads = {one["threadId"] for one in held}
        assert box["totalEmails"] == len(held)
        assert box["unreadEmails"] == len([one for one in held if one["id"] in unread])
        assert box["totalThreads"] == len(threads)
        assert box["unreadThreads"] == len(threads & unread_threads)


def applied(old: list[str], changes: dict[str, Any]) -> list[str]:
    result = [id_ for id_ in old if id_ not in changes["removed"]]
    for one in changes["added"]:
        result.insert(one["index"], one["id"])
    return result


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed-{seed}") for seed in (1, 2, 3)])
def test_results_and_their_changes_are_those_of_the_standard(
    server: ServerProcess, seed: int
) -> None:
    world = World(server, seed)
    for _ in range(25):
        world.append()
    every = world.emails()
    boxes = sorted({box for one in every for box in one["mailboxIds"]})
    asked = [world.question(every, boxes) for _ in range(8)]
    told: list[tuple[dict[str, Any], str, list[str]]] = []
    for _ in range(8):
        fresh = [world.question(every, boxes) for _ in range(6)]
        state = world.jmap.call("Email/query", limit=0)["queryState"]
        for question in (*asked, *fresh):
            wanted = naive(every, question)
            found = world.jmap.call("Email/query", **question)
            assert found["ids"] == wanted, question
            told.append((question, found["queryState"], found["ids"]))
        # one that nobody asked in that state
        unasked = world.question(every, boxes)
        told.append((unasked, state, naive(every, unasked)))
        for _ in range(world.chance.randint(1, 5)):
            world.change()
        every = world.emails()
        check_counts(world, every)
        for question, since, old in world.chance.sample(told, min(10, len(told))):
            changes = world.jmap.call("Email/queryChanges", **question, sinceQueryState=since)
            assert applied(old, changes) == naive(every, question), (question, changes)
    world.close()
