"""Which name each message must have, and which steps lead there. Pure.

A message that never had a flag stays in new/; from its first flag on it lives in cur/. Keywords
take the folder's letters a-z in the order of their first use; its small file has those past 26.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from storage.folder_file import LETTERS, FolderFile
from storage.maildir_names import BaseName, flag_letters, parse_base
from storage.mirror_values import Place, Step, Wanted
from storage.values import BlobId, MailboxId


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in one folder: `steps` on disk, `gone` places that no message has any more.

    `unplaced` are messages whose blob has no name anywhere.
    """

    steps: tuple[Step, ...] = ()
    gone: tuple[Place, ...] = ()
    unplaced: tuple[Wanted, ...] = ()


def with_keywords(file: FolderFile, uids: Iterable[int], wanted: Sequence[Wanted]) -> FolderFile:
    """The folder file with letters for the keywords of `wanted`; `uids` are all that were looked
    at, so that what `extra` says of vanished ones goes.
    """
    letters = list(file.letters)
    known = set(letters)
    for word in sorted({word for one in wanted for word in one.words} - known):
        if len(letters) < len(LETTERS):
            letters.append(word)
            known.add(word)
    touched = set(uids)
    extra = {uid: words for uid, words in file.extra.items() if uid not in touched}
    for one in wanted:
        if rest := one.words - known:
            extra[one.uid] = tuple(sorted(rest))
    return replace(file, letters=tuple(letters), extra=extra)


def name_of(base: BaseName, wanted: Wanted, letters: Sequence[str], old: str = "new/") -> str:
    """`new/NAME` or `cur/NAME:2,FLAGS` for a message whose path was `old`."""
    marks = "".join(LETTERS[n] for n, word in enumerate(letters) if word in wanted.words)
    flags = flag_letters(wanted.system, marks)
    if not flags and old.startswith("new/"):
        return f"new/{base}"
    return f"cur/{base}:2,{flags}"


def make_plan(
    mailbox: MailboxId,
    wanted: Sequence[Wanted],
    places: Sequence[Place],
    elsewhere: Mapping[BlobId, Sequence[Place]],
    letters: Sequence[str],
) -> Plan:
    """Compares the messages of one folder with its places.

    `elsewhere` gives, for messages without a place of their own, the places of their blob.
    """
    own = {(place.uid, place.blob): place for place in places}
    steps: list[Step] = []
    unplaced: list[Wanted] = []
    for one in wanted:
        place = own.pop((one.uid, one.blob), None)
        step = (
            _rename(place, one, letters)
            if place is not None
            else _copy(mailbox, one, elsewhere.get(one.blob, ()), letters)
        )
        if step is None:
            unplaced.append(one)
        elif step.source != step.target:
            steps.append(step)
    return Plan(tuple(steps), tuple(own.values()), tuple(unplaced))


def _rename(place: Place, wanted: Wanted, letters: Sequence[str]) -> Step | None:
    base = parse_base(place.path.partition("/")[2])
    if base is None:
        return None
    return Step(place, replace(place, path=name_of(base, wanted, letters, place.path)))


def _copy(
    mailbox: MailboxId, wanted: Wanted, sources: Sequence[Place], letters: Sequence[str]
) -> Step | None:
    base = parse_base(sources[0].path.partition("/")[2]) if sources else None
    if base is None:
        return None
    named = replace(base, uid=wanted.uid, seconds=int(wanted.internaldate))
    path = name_of(named, wanted, letters)
    source, *others = sources
    return Step(source, Place(wanted.blob, mailbox, wanted.uid, path), tuple(others))
