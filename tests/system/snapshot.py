"""All that IMAP shows of an account, as a value that can be compared."""

import hashlib
import imaplib
import re
from dataclasses import dataclass
from typing import Any

from tests.system.ledger import folders
from tests.system.peers import imap, quoted, ready

Message = tuple[frozenset[str], str, int, str]
"""Flags, INTERNALDATE, RFC822.SIZE, digest of the bytes."""
_ITEM = re.compile(rb'UID (\d+) .*INTERNALDATE "([^"]+)" RFC822.SIZE (\d+)')


@dataclass(frozen=True, slots=True)
class Folder:
    """`listed` is the LIST line: attributes and name."""

    listed: str
    subscribed: bool
    uidvalidity: int
    uidnext: int
    highestmodseq: int
    messages: dict[int, Message]

    def same(self) -> tuple[str, bool, int, dict[int, Message]]:
        """What must not change at all; UIDNEXT and HIGHESTMODSEQ may rise."""
        return (self.listed, self.subscribed, self.uidvalidity, self.messages)


Snapshot = dict[str, Folder]


def take(port: int, account: str) -> Snapshot:
    """Every selectable folder by name."""
    with imap(port, account) as client:
        listed = {_name(line): line for line in _lines(client.list())}
        subscribed = {_name(line) for line in _lines(client.lsub())}
        return {
            name: _folder(client, name, listed[name], name in subscribed)
            for name in folders(client)
        }


def rises(before: Snapshot, after: Snapshot) -> None:
    """Fails unless `after` shows the same, with counters equal or higher."""
    assert after.keys() == before.keys()
    for name, one in after.items():
        assert one.same() == before[name].same(), name
        assert one.uidnext >= before[name].uidnext, name
        assert one.highestmodseq >= before[name].highestmodseq, name


def _folder(client: imaplib.IMAP4, name: str, listed: str, subscribed: bool) -> Folder:
    count = ready(client.select(quoted(name), readonly=True))[0]
    validity, uidnext, modseq = (
        int(client.response(code)[1][0]) for code in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")
    )
    messages = {}
    if count != b"0":
        wanted = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
        for item in ready(client.fetch("1:*", wanted)):
            if isinstance(item, tuple):
                found = _ITEM.search(item[0])
                assert found, item[0]
                flags = frozenset(f.decode() for f in imaplib.ParseFlags(item[0])) - {"\\Recent"}
                digest = hashlib.sha256(item[1]).hexdigest()
                messages[int(found[1])] = (flags, found[2].decode(), int(found[3]), digest)
    return Folder(listed, subscribed, validity, uidnext, modseq, messages)


def _lines(answer: tuple[str, list[Any]]) -> list[str]:
    return [line.decode() for line in ready(answer) if isinstance(line, bytes)]


def _name(line: str) -> str:
    return line.rpartition(' "/" ')[2].strip('"')
