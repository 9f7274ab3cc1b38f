"""Columns that are filled for the rows that somebody asks about: what stands in a message's header
and structure, and never changes.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import Final

from message.address_list import parse_address_list
from message.bodystructure import Structure, names, parse_structure
from message.casemap import casemap
from message.headers import all_values
from message.meta import Meta, meta_fields, unpack_meta
from message.shown import bodies
from net.pacing import Slices
from storage.mail_query.table import UNKNOWN, Interned, Rows
from storage.mail_query.texts import Texts
from storage.values import AccountId, BlobId

_PIECE: Final = 250
_BLOCK: Final = 5_000
_NO_DATE: Final = -(1 << 62)
_LONGEST: Final = 1_000
"""Characters of a text that are compared."""


class Filler:
    """Of a store."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def attached(self, account: AccountId, rows: Rows, among: Sequence[int]) -> None:
        """Whether these rows have an attachment."""

        def fill(at: int, meta: bytes) -> None:
            rows.attached[at] = has_attachment(meta)

        await self._each(account, rows, await _unknown(rows.attached, among), fill)

    async def keys(
        self, account: AccountId, rows: Rows, texts: Interned[str], among: Sequence[int]
    ) -> None:
        """What Emails are sorted by: texts, which are numbered in `texts`, and dates."""

        def fill(at: int, blob: bytes) -> None:
            meta = unpack_meta(blob)
            rows.sent[at] = _NO_DATE if meta.date is None else meta.date
            subject = meta.subject_base[: 4 * _LONGEST].decode("utf-8", "replace")
            rows.subjects[at] = texts.number(subject[:_LONGEST])
            fields = meta_fields(blob) or b""
            rows.senders[at] = texts.number(first_name(fields, b"from"))
            rows.to[at] = texts.number(first_name(fields, b"to"))

        await self._each(account, rows, await _unknown(rows.subjects, among), fill)

    async def named(
        self, account: AccountId, rows: Rows, text: str, among: Sequence[int]
    ) -> list[int]:
        """Rows with a file whose name contains a text."""
        wanted = casemap(text)
        found: list[int] = []

        def look(at: int, meta: bytes) -> None:
            if any(wanted in casemap(name) for name in file_names(meta)):
                found.append(at)

        await self._each(account, rows, among, look)
        return found

    async def _each(
        self,
        account: AccountId,
        rows: Rows,
        among: Sequence[int],
        use: Callable[[int, bytes], None],
    ) -> None:
        pause = Slices()
        for start in range(0, len(among), _PIECE):
            piece = among[start : start + _PIECE]
            metas = await self._texts.metas(account, [BlobId(rows.blobs[at]) for at in piece])
            for at in piece:
                meta = metas.get(BlobId(rows.blobs[at]))
                if meta is not None:
                    use(at, meta)
            await pause()


async def _unknown(column: "array[int]", among: Sequence[int]) -> list[int]:
    """The rows of which nobody asked yet."""
    pause, found = Slices(), list[int]()
    for start in range(0, len(among), _BLOCK):
        found += [at for at in among[start : start + _BLOCK] if column[at] == UNKNOWN]
        await pause()
    return found


def has_attachment(blob: bytes) -> bool:
    """hasAttachment of RFC 8621 §4.1.4, of a message's `meta`."""
    structure = _of(unpack_meta(blob))
    return structure is not None and bodies(structure).has_attachment


def file_names(blob: bytes) -> list[str]:
    """Those in a message, of its `meta`."""
    structure = _of(unpack_meta(blob))
    return [] if structure is None else names(structure)


def _of(meta: Meta) -> Structure | None:
    try:
        return parse_structure(meta.bodystructure)
    except ValueError:
        return None


def first_name(fields: bytes, name: bytes) -> str:
    """The name, else the address, of the first address of the last field of that name; groups
    dissolved (RFC 8621 §4.4.2).
    """
    values = all_values(fields, name)
    found = parse_address_list(values[-1][: 16 * _LONGEST]) if values else []
    first = next((one for one in found if one.domain is not None), None)
    return "" if first is None else (first.display or first.text)[:_LONGEST]
