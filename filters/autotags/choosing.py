"""Which messages a tag is learned from: the newest that have it, and of the others a sample. Flags
are read from the views, messages from their files, one at a time.

A message that got the tag by itself teaches it no further; one that got it so and has lost it again
is a mistake, and counts.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from filters.autotags.model import Example
from net.threads import Offload, Pool
from storage.errors import MessageMissing
from storage.store import Store
from storage.values import AccountId, Mailbox, MailboxId

BY_ITSELF: Final = "$AutoTagged"
TAGGED: Final = 200
OTHERS: Final = 400
READ: Final = 128 * 1024
_LEFT_OUT: Final = frozenset(("\\junk", "\\trash", "\\drafts", "\\sent"))
_NAMES: Final = frozenset(("junk", "trash", "drafts", "sent"))

Extract = Callable[[bytes], "array[int]"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A message and its keywords, in lower case."""

    mailbox: MailboxId
    uid: int
    keywords: frozenset[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The messages of one tag: with it, and without."""

    tagged: tuple[Seen, ...]
    others: tuple[Seen, ...]

    @property
    def all(self) -> tuple[Seen, ...]:
        return (*self.tagged, *self.others)


def choose(messages: Iterable[Seen], keyword: str) -> Chosen:
    """The newest come last in a mailbox. Of the others every so many, mistakes first."""
    keyword, mark = keyword.lower(), BY_ITSELF.lower()
    tagged: list[Seen] = []
    mistakes: list[Seen] = []
    others: list[Seen] = []
    for one in messages:
        if keyword in one.keywords:
            if mark not in one.keywords:
                tagged.append(one)
        else:
            (mistakes if mark in one.keywords else others).append(one)
    room = OTHERS - len(mistakes[-OTHERS:])
    apart = max(1, -(-len(others) // room)) if room else 1
    sample = others[::apart][:room] if room else []
    return Chosen(tuple(tagged[-TAGGED:]), (*mistakes[-OTHERS:], *sample))


class Reader:
    """Reads an account's mail for learning. Raises StoreError, Busy, OSError."""

    def __init__(self, store: Store, offload: Offload, extract: Extract) -> None:
        self._store, self._offload, self._extract = store, offload, extract

    async def messages(self, account: AccountId) -> list[Seen]:
        """All that may teach, with their keywords; those in Junk, Trash, Drafts and Sent do not."""
        found: list[Seen] = []
        for box in await self._store.mailboxes(account):
            if not _is_left_out(box):
                found += await self._of(box)
        return found

    async def _of(self, box: Mailbox) -> list[Seen]:
        view = await self._store.view(box.account, box.id)
        try:
            words = {field: _keywords(view.flags_text(field)) for field in view.fields()}
            uids, fields = view.uids[:], view.flags[:]
        finally:
            view.release()
        return await self._offload.run(Pool.MIME, _seen, box.id, uids, fields, words)

    async def features(self, account: AccountId, one: Seen) -> "array[int] | None":
        """None where the message is gone."""
        try:
            async for rows in self._store.rows(account, one.mailbox, [one.uid]):
                for row in rows:
                    data = await self._store.read_message(account, one.mailbox, row, 0, READ)
                    return await self._offload.run(Pool.MIME, self._extract, data)
        except MessageMissing:
            pass
        return None

    async def examples(self, account: AccountId, chosen: Chosen) -> list[Example]:
        """With the tag and without it, mixed."""
        tagged = set(chosen.tagged)
        found = []
        for one in sorted(chosen.all, key=lambda one: (one.uid, one.mailbox)):
            features = await self.features(account, one)
            if features:
                found.append((features, one in tagged))
        return found


def _seen(
    box: MailboxId,
    uids: "array[int]",
    fields: "array[int]",
    words: Mapping[int, frozenset[str]],
) -> list[Seen]:
    """Beside the loop: a mailbox may be large."""
    return [Seen(box, uid, words[field]) for uid, field in zip(uids, fields, strict=True)]


def _keywords(flags: bytes) -> frozenset[str]:
    words = flags.decode().lower().split()
    return frozenset(word for word in words if not word.startswith("\\"))


def _is_left_out(box: Mailbox) -> bool:
    return (
        not box.selectable
        or box.special_use.lower() in _LEFT_OUT
        or (not box.special_use and box.name.lower() in _NAMES)
    )
