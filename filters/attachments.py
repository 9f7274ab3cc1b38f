"""The attachment policy: what is refused, kept back or marked by name, real kind and content.

`examine` reads a message, decodes its attachments and looks into archives within the bounds of
message/archive.py. Files that stand uuencoded in its text are attachments too. What the spam rules
think of names is not asked here.
Invariant: pure, no more work than the bounds allow, whatever the message is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from typing import Final

from config.sections_filters import Attachments
from filters.context import Message
from filters.verdict import ACCEPT, Action, Scored, Verdict, reject
from message.archive import WHOLE, WORK, Bounds, Contents, look_into
from message.attached import Attached, attached
from message.file_kinds import (
    ARCHIVES,
    EXECUTABLES,
    IMAGES,
    MACROS,
    OFFICE,
    SCRIPTS,
    kind_of_name,
)
from message.magic import has_macros, is_late_zip, kind_of
from message.unpacking import Budget
from message.uuencode import MARK
from net.threads import PROCESS_ABOVE, Offload, Pool

POLICY: Final = "ATTACHMENT_POLICY"
BOMB: Final = "MIME_ARCHIVE_BOMB"
MOST: Final = 200
INLINE: Final = 32 * 1024
# What a thread does, some milliseconds; more is a process's.
QUICK_WORK: Final = 2 * 1024**2
QUICK_MEMBERS: Final = 200
_SHOWN: Final = 100
FAMILIES: Final = {
    "executable": EXECUTABLES,
    "script": SCRIPTS,
    "archive": ARCHIVES,
    "office": OFFICE,
    "image": IMAGES,
    "macro": MACROS,
}
# Another type than text, or a name.
_OTHER: Final = re.compile(
    rb"^content-type[ \t]*:(?!\s{0,99}text/(?:plain|html)(?=[\s;]|\Z))"
    rb"|name[0-9*]{0,5}\s{0,9}=",
    re.I | re.M,
)
_LINE: Final = b"\n" + MARK
_SYMBOLS: Final = {
    "bomb": BOMB,
    "encrypted": "MIME_ENCRYPTED_ARCHIVE",
    "nested": "MIME_ARCHIVE_IN_ARCHIVE",
    "unread": "MIME_OBFUSCATED_ARCHIVE",
    "macro": "MIME_MACRO_DOCUMENT",
}
_PROGRAM_INSIDE: Final = "MIME_ARCHIVE_BAD_EXTENSION"
_ACTIONS: Final = {
    "reject": Action.REJECT,
    "quarantine": Action.QUARANTINE,
    "mark": Action.ACCEPT,
}


@dataclass(frozen=True, slots=True)
class Thing:
    """An attachment, or a file in one: its name and all that a policy may call it; `bomb` says why
    it is one.
    """

    name: str
    words: frozenset[str]
    bomb: str = ""


def examine(bounds: Bounds, data: bytes, budget: Budget | None = None) -> tuple[Thing, ...]:
    """Everything attached to the message, with what is in archives; nothing for plain text."""
    return _things(attached(data), bounds, budget or Budget(WORK))


def examine_small(bounds: Bounds, data: bytes) -> tuple[Thing, ...] | None:
    """The same, or None when anything attached is more than a look at its octets."""
    files = list(islice(attached(data), MOST + 1))
    if any(_archive(kind_of(one.content), one) for one in files):
        return None
    return _things(files, bounds, Budget(WORK))


def examine_quickly(bounds: Bounds, data: bytes) -> tuple[Thing, ...] | None:
    """The same, or None when it takes more work than a thread of the server should do."""
    budget = Budget(QUICK_WORK)
    quick = replace(bounds, members=min(QUICK_MEMBERS, bounds.members))
    things = examine(quick, data, budget)
    if budget.left <= 0 or len(things) > quick.members or any(one.bomb for one in things):
        return None
    return things


def examine_path(bounds: Bounds, path: str) -> tuple[Thing, ...]:
    """The same of a spooled file. Blocks. Raises OSError."""
    with open(path, "rb") as file:  # noqa: PTH123
        return examine(bounds, file.read())


def is_plain(header: bytes) -> bool:
    """Nothing can be attached, as far as the message's own header tells."""
    return _OTHER.search(header) is None


def may_hold_files(data: bytes) -> bool:
    """Whether a file may stand in the text, for a message that is plain by its header."""
    return _LINE in data


def judge(policy: Attachments, things: Sequence[Thing]) -> Verdict:
    """The worst action that the policy has for any of them, and symbols for what was found."""
    if not things:
        return ACCEPT
    symbols = tuple(dict.fromkeys(name for one in things for name in _symbols(one)))
    action, text = _worst(policy, things)
    if not text:
        return Verdict(symbols=symbols) if symbols else ACCEPT
    # the others have no weight here: the spam filter gives it
    scored, symbols = (Scored(POLICY, 0.0, text),), (POLICY, *symbols)
    if action is not Action.REJECT:
        return Verdict(action, scored, symbols)
    told = reject(f"Attachment not accepted here: {_printable(text)}")
    return Verdict(action, scored, symbols, code=told.code, status=told.status, text=told.text)


def _symbols(one: Thing) -> Iterator[str]:
    yield from (_SYMBOLS[word] for word in sorted(one.words) if word in _SYMBOLS)
    if "/" in one.name and not one.words.isdisjoint({"executable", "script"}):
        yield _PROGRAM_INSIDE


def _worst(policy: Attachments, things: Sequence[Thing]) -> tuple[Action, str]:
    """With the reason, as `a.zip/b.exe (executable)`; "" when the policy says nothing."""
    for key, action in _ACTIONS.items():
        wanted = getattr(policy, key)
        for one in things if wanted else ():
            for word in wanted:
                if _fits(one, word):
                    why = one.bomb if word == "bomb" else word
                    return action, f"{one.name[-_SHOWN:]} ({why})"
    return Action.ACCEPT, ""


def _fits(one: Thing, word: str) -> bool:
    if "." in word or "*" in word:
        return fnmatchcase(one.name.rpartition("/")[2].strip().rstrip(".").lower(), word)
    return word in one.words


def _things(files: Iterable[Attached], bounds: Bounds, budget: Budget) -> tuple[Thing, ...]:
    things: list[Thing] = []
    for number, file in enumerate(files):
        if number >= MOST or len(things) > bounds.members:
            things.append(Thing(f"more than {number} attachments", frozenset({"unread"})))
            break
        things += _examined(file, bounds, budget)
    return tuple(things)


def _examined(file: Attached, bounds: Bounds, budget: Budget) -> Iterator[Thing]:
    kind = kind_of(file.start)
    if kind and kind not in WHOLE and kind not in ARCHIVES and not _named_zip(file):
        yield Thing(file.name, _words(kind))
        return
    content = file.content
    kind = kind_of(content)
    words = _words(kind) | ({"macro"} if has_macros(content) else set())
    archive = _archive(kind, file)
    if not archive:
        yield Thing(file.name, frozenset(words))
        return
    contents = look_into(content, archive, file.name, bounds, budget)
    words |= _words(archive) | _words_of(contents)
    yield Thing(file.name, frozenset(words), contents.bomb)
    for member in contents.members:
        found = {"encrypted"} if member.encrypted else set[str]()
        found |= {"macro"} if member.macros else set()
        yield Thing(member.name, _words(member.kind) | found)


def _archive(kind: str, file: Attached) -> str:
    """The kind of archive to look into, "" for none: of what begins as an image and is called
    .zip the end counts.
    """
    if kind in ARCHIVES:
        return "" if kind in ("jar", "apk") else kind
    return "zip" if _named_zip(file) and is_late_zip(file.content) else ""


def _named_zip(file: Attached) -> bool:
    return kind_of_name(file.name) == "zip"


def _words_of(contents: Contents) -> frozenset[str]:
    flags = {"bomb": bool(contents.bomb), "nested": contents.nested, "unread": contents.unread}
    return frozenset(word for word, true in flags.items() if true)


def _words(kind: str) -> frozenset[str]:
    families = {family for family, kinds in FAMILIES.items() if kind in kinds}
    return frozenset(families | {kind}) if kind else frozenset()


def _printable(text: str) -> str:
    """Names are the sender's: fit for a reply."""
    return "".join(one if " " <= one <= "~" else "?" for one in text)


class AttachmentPolicy:
    """Small messages without archives are examined in the loop, most others in a thread; those in
    files, and archives that take more work, in a process.
    """

    def __init__(self, settings: Attachments, offload: Offload) -> None:
        self._settings, self._offload = settings, offload
        self._on = bool(settings.reject or settings.quarantine or settings.mark)
        self._bounds = Bounds(settings.depth, settings.members, settings.size, settings.ratio)

    async def judge(self, message: Message) -> Verdict:
        """Raises OSError, Busy."""
        content, data = message.content, message.content.data
        if not self._on:
            return ACCEPT
        if data is None:
            look = partial(examine_path, self._bounds)
            things = await self._offload.process_path(look, str(content.path))
        elif is_plain(message.header) and not may_hold_files(data):
            return ACCEPT
        else:
            things = await self._examine(data)
        return judge(self._settings, things)

    async def _examine(self, data: bytes) -> tuple[Thing, ...]:
        if len(data) <= INLINE:
            small = examine_small(self._bounds, data)
            if small is not None:
                return small
        if len(data) <= PROCESS_ABOVE:
            quick = await self._offload.run(Pool.MIME, examine_quickly, self._bounds, data)
            if quick is not None:
                return quick
        return await self._offload.apart(partial(examine, self._bounds), data)
