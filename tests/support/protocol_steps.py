"""One account as IMAP, JMAP and REST show it, and random steps that each of them makes on it.

A step is four numbers, which choose among what there is when it is made.
"""

import imaplib
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.jmap import Jmap
from tests.support.rest import Rest

Step = tuple[int, int, int, int]
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Work", "blue", "\\Deleted")
KEYWORDS = {
    "\\Seen": "$seen",
    "\\Flagged": "$flagged",
    "\\Answered": "$answered",
    "\\Draft": "$draft",
}
NAMES = ("Work", "Play", "Work/Deep", "Old", "Play/Deep")
_FETCHED = re.compile(rb"UID (\d+).*EMAILID \((\w+)\)")
_MAILBOXID = re.compile(rb"MAILBOXID \(([\w-]+)\)")


@dataclass(frozen=True)
class View:
    """`emails`: mailbox ids and keywords by id; `boxes`: by id the name, the numbers of messages
    and of those not seen.
    """

    emails: dict[str, tuple[frozenset[str], frozenset[str]]]
    boxes: dict[str, tuple[str, int, int]]


@dataclass(frozen=True)
class Message:
    """One copy, as IMAP shows it."""

    box: str
    uid: str
    email: str
    flags: frozenset[str]


class ByImap:
    """The account through IMAP: all is asked for anew each time."""

    def __init__(self, client: imaplib.IMAP4) -> None:
        self._client = client
        self._numbers = itertools.count(1)

    def boxes(self) -> dict[str, str]:
        """Ids by name."""
        names = [
            line.decode().rpartition(' "/" ')[2].strip('"')
            for line in self._client.list()[1]
            if isinstance(line, bytes) and b"\\Noselect" not in line
        ]
        return {name: self._id(name) for name in names}

    def _id(self, name: str) -> str:
        found = _MAILBOXID.search(self._client.status(_quoted(name), "(MAILBOXID)")[1][0])
        assert found is not None
        return found[1].decode()

    def messages(self) -> list[Message]:
        found = []
        for box in self.boxes():
            empty = self._client.select(_quoted(box))[1] == [b"0"]
            lines = [] if empty else self._client.fetch("1:*", "(UID FLAGS EMAILID)")[1]
            for line in lines:
                assert isinstance(line, bytes)
                match = _FETCHED.search(line)
                assert match is not None, line
                flags = {one.decode() for one in imaplib.ParseFlags(line)} - {"\\Recent"}
                found.append(Message(box, match[1].decode(), match[2].decode(), frozenset(flags)))
            self._client.unselect()  # a mailbox that is deleted ends the connections in it
        return found

    def view(self) -> View:
        """As JMAP ought to show it (RFC 8621 §4.1.1: what is \\Deleted is not there)."""
        ids = self.boxes()
        emails: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        counts = dict.fromkeys(ids, (0, 0))
        shown = [one for one in self.messages() if "\\Deleted" not in one.flags]
        for one in shown:
            boxes, keywords = emails.get(one.email, (frozenset(), frozenset()))
            mine = frozenset(KEYWORDS.get(flag, flag.lower()) for flag in one.flags)
            emails[one.email] = (boxes | {ids[one.box]}, keywords | mine)
        for box, email in {(one.box, one.email) for one in shown}:
            total, new = counts[box]
            counts[box] = total + 1, new + (not emails[email][1] & {"$seen", "$draft"})
        return View(emails, {ids[name]: (name, *count) for name, count in counts.items()})

    def steps(self) -> list[Callable[[Step], None]]:
        return [
            self._append,
            self._append,
            self._store,
            self._store,
            self._copy,
            self._move,
            self._expunge,
            self._create,
            self._rename,
            self._delete,
        ]

    def _append(self, step: Step) -> None:
        data = f"Subject: {next(self._numbers)}\r\n\r\nbody {step[3] % 3}\r\n".encode()
        self._client.append(_quoted(self._box(step[1])), FLAGS[step[2] % 6], "", data)

    def _store(self, step: Step) -> None:
        if uid := self._select(step[1]):
            sign = "+-"[step[3] % 2]
            self._uid("STORE", uid, f"{sign}FLAGS", f"({FLAGS[step[2] % len(FLAGS)]})")

    def _copy(self, step: Step) -> None:
        if uid := self._select(step[1]):
            self._uid("COPY", uid, _quoted(self._box(step[2])))

    def _move(self, step: Step) -> None:
        if uid := self._select(step[1]):
            self._uid("MOVE", uid, _quoted(self._box(step[2])))

    def _expunge(self, step: Step) -> None:
        if uid := self._select(step[1]):
            self._uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
            self._uid("EXPUNGE", uid)

    def _create(self, step: Step) -> None:
        self._client.create(_quoted(NAMES[step[1] % len(NAMES)]))

    def _rename(self, step: Step) -> None:
        self._client.rename(_quoted(self._box(step[1])), _quoted(NAMES[step[2] % len(NAMES)]))

    def _delete(self, step: Step) -> None:
        name = self._box(step[1])
        if name in NAMES:
            self._client.delete(_quoted(name))

    def _box(self, number: int) -> str:
        names = sorted(self.boxes())
        return names[number % len(names)]

    def _select(self, number: int) -> str:
        """A message's UID, its mailbox selected; "" where there is none."""
        found = self.messages()
        if not found:
            return ""
        one = found[number % len(found)]
        self._client.select(_quoted(one.box))
        return one.uid

    def _uid(self, command: str, *words: str) -> None:
        kind, data = self._client.uid(command, *words)
        if command != "STORE" or "+FLAGS.SILENT" not in words:
            self._client.unselect()
        assert kind == "OK", (command, words, data)


class ByJmap:
    """The account through JMAP: what was told at first, and since then by /changes alone."""

    def __init__(self, client: Jmap) -> None:
        self._client = client
        self._emails: dict[str, Any] = {}
        self._boxes: dict[str, Any] = {}
        self._states = {
            kind: client.call(f"{kind}/get", ids=[])["state"] for kind in ("Email", "Mailbox")
        }
        for one in client.call("Mailbox/get", ids=None)["list"]:
            self._boxes[one["id"]] = one

    def view(self) -> View:
        self._follow("Mailbox", self._boxes)
        self._follow("Email", self._emails, "mailboxIds", "keywords")
        emails = {
            id_: (frozenset(one["mailboxIds"]), frozenset(one["keywords"]))
            for id_, one in self._emails.items()
        }
        boxes = {
            id_: (full_name(self._boxes, id_), one["totalEmails"], one["unreadEmails"])
            for id_, one in self._boxes.items()
        }
        return View(emails, boxes)

    def _follow(self, kind: str, known: dict[str, Any], *properties: str) -> None:
        more = True
        while more:
            told = self._client.call(
                f"{kind}/changes", sinceState=self._states[kind], maxChanges=50
            )
            assert "error" not in told, told
            asked = {"properties": ["id", *properties]} if properties else {}
            wanted = [*told["created"], *told["updated"]]
            found = self._client.call(f"{kind}/get", ids=wanted, **asked)
            for one in found["list"]:
                known[one["id"]] = one
            for id_ in [*told["destroyed"], *found["notFound"]]:
                known.pop(id_, None)
            self._states[kind], more = told["newState"], told["hasMoreChanges"]

    def steps(self) -> list[Callable[[Step], None]]:
        return [
            self._keyword,
            self._keyword,
            self._mailboxes,
            self._mailboxes,
            self._destroy,
            self._create,
            self._rename,
            self._destroy_mailbox,
        ]

    def _email(self, number: int) -> str:
        found = sorted(self._emails)
        return found[number % len(found)] if found else ""

    def _keyword(self, step: Step) -> None:
        flag = FLAGS[step[2] % (len(FLAGS) - 1)]
        word = KEYWORDS.get(flag, flag)
        if id_ := self._email(step[1]):
            patch = {f"keywords/{word}": True if step[3] % 2 else None}
            self._set("Email", update={id_: patch})

    def _mailboxes(self, step: Step) -> None:
        if id_ := self._email(step[1]):
            boxes = sorted(self._boxes)
            chosen = {boxes[step[2] % len(boxes)]: True, boxes[step[3] % len(boxes)]: True}
            self._set("Email", update={id_: {"mailboxIds": chosen}})

    def _destroy(self, step: Step) -> None:
        if id_ := self._email(step[1]):
            self._set("Email", destroy=[id_])

    def _create(self, step: Step) -> None:
        made = {"name": NAMES[step[1] % len(NAMES)].rpartition("/")[2], "parentId": None}
        self._set("Mailbox", create={"new": made})

    def _rename(self, step: Step) -> None:
        if id_ := self._named(step[1]):
            name = NAMES[step[2] % len(NAMES)].rpartition("/")[2]
            self._set("Mailbox", update={id_: {"name": name, "parentId": None}})

    def _destroy_mailbox(self, step: Step) -> None:
        if id_ := self._named(step[1]):
            self._set("Mailbox", destroy=[id_], onDestroyRemoveEmails=bool(step[2] % 2))

    def _named(self, number: int) -> str:
        found = sorted(id_ for id_, one in self._boxes.items() if one["role"] is None)
        return found[number % len(found)] if found else ""

    def _set(self, kind: str, **asked: Any) -> None:
        done = self._client.call(f"{kind}/set", **asked)
        assert "error" not in done, done


class ByRest:
    """The account through REST: pages of a search for everything."""

    def __init__(self, client: Rest) -> None:
        self._client = client
        self._emails: list[str] = []
        self._boxes: list[str] = []

    def view(self) -> View:
        emails: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        for one in self._pages("/emails?limit=4"):
            assert one["id"] not in emails, "on two pages"
            emails[one["id"]] = (frozenset(one["mailboxes"]), frozenset(one["keywords"]))
        boxes = {one["id"]: one for one in self._pages("/mailboxes?limit=3")}
        self._emails, self._boxes = sorted(emails), sorted(boxes)
        return View(
            emails,
            {
                id_: (full_name(boxes, id_), one["totalEmails"], one["unreadEmails"])
                for id_, one in boxes.items()
            },
        )

    def _pages(self, path: str) -> list[Any]:
        found: list[Any] = []
        more = ""
        while True:
            page = self._client.get(path + more)
            found += page["items"]
            if page["next"] is None:
                return found
            more = f"&cursor={page['next']}"

    def steps(self) -> list[Callable[[Step], None]]:
        return [self._tag, self._move, self._delete, self._many]

    def _tag(self, step: Step) -> None:
        if self._emails:
            flag = FLAGS[step[2] % (len(FLAGS) - 1)]
            name = "add" if step[3] % 2 else "remove"
            self._ask("PATCH", self._one(step[1]), {name: [KEYWORDS.get(flag, flag)]})

    def _move(self, step: Step) -> None:
        if self._emails:
            box = self._boxes[step[2] % len(self._boxes)]
            self._ask("PATCH", self._one(step[1]), {"mailbox": box, "seen": bool(step[3] % 2)})

    def _delete(self, step: Step) -> None:
        if self._emails:
            self._ask("DELETE", f"{self._one(step[1])}?for_good={['false', 'true'][step[2] % 2]}")

    def _many(self, step: Step) -> None:
        if self._emails:
            body = {"ids": self._emails[: step[1] + 1], "flagged": bool(step[2] % 2)}
            self._ask("PATCH", "/emails", body)

    def _one(self, number: int) -> str:
        return f"/emails/{self._emails[number % len(self._emails)]}"

    def _ask(self, method: str, path: str, body: object = None) -> None:
        found = self._client.ask(method, path, body)
        assert found.status in (200, 204), found


def full_name(boxes: Mapping[str, Any], id_: str) -> str:
    """As IMAP names a mailbox of JMAP."""
    box = boxes[id_]
    name: str = box["name"]
    if box["parentId"] is None:
        return name.upper() if box["role"] == "inbox" else name
    return f"{full_name(boxes, box['parentId'])}/{name}"


@dataclass
class Log:
    """What was done, for a failure's message."""

    lines: list[str] = field(default_factory=list)

    def do(self, step: Step, protocol: str, action: Callable[[Step], None]) -> None:
        self.lines.append(f"{protocol} {action.__name__} {step[1:]}")
        action(step)


def _quoted(name: str) -> str:
    return f'"{name}"'
