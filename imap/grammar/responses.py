"""Untagged responses and response codes as bytes (RFC 9051 §7).

Each `*_line` ends with CRLF; each `*_code` is what stands between the brackets. What goes into a
FETCH response (envelopes, structures) comes ready from message; here it is only put together.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from imap.grammar.encode import NIL, encode_id, joined, mailbox, quoted, uid_set
from imap.grammar.mailbox_commands import StatusItem

CHUNK: Final = 250


def fetch_line(number: int, parts: Iterable[bytes]) -> bytes:
    """`* n FETCH (...)` of parts such as `UID 5`."""
    return b"* %d FETCH (%s)\r\n" % (number, b" ".join(parts))


def list_line(
    name: str,
    attributes: Iterable[str],
    separator: str | None,
    *,
    command: bytes = b"LIST",
    child_info: Iterable[str] = (),
    old_name: str | None = None,
    utf8: bool = False,
) -> bytes:
    """LIST or LSUB; `child_info` names the options that children match (RFC 5258 §4), `old_name` is
    what the mailbox was called before, or by the client (RFC 9051 §7.3.1).
    """
    names = joined(lambda option: quoted(option.encode()), child_info)
    extended = b"" if names == b"()" else b' ("CHILDINFO" %s)' % names
    if old_name is not None:
        extended = b' ("OLDNAME" (%s))' % mailbox(old_name, utf8)
    return b"* %s (%s) %s %s%s\r\n" % (
        command,
        " ".join(attributes).encode(),
        _separator(separator),
        mailbox(name, utf8),
        extended,
    )


def status_line(
    name: str, values: Mapping[StatusItem, int | bytes | None], utf8: bool = False
) -> bytes:
    """STATUS; None is NIL, which only APPENDLIMIT may be (RFC 7889 §4), bytes go as they are."""
    pairs = [
        b"%s %s" % (item.value.encode(), _status_value(value)) for item, value in values.items()
    ]
    return b"* STATUS %s (%s)\r\n" % (mailbox(name, utf8), b" ".join(pairs))


def _status_value(value: int | bytes | None) -> bytes:
    if value is None:
        return NIL
    return value if isinstance(value, bytes) else b"%d" % value


def esearch_start(tag: str, *, uid: bool) -> bytes:
    """The beginning of ESEARCH (RFC 4731 §3.1)."""
    return b"* ESEARCH (TAG %s)%s" % (quoted(tag.encode()), b" UID" if uid else b"")


Namespaces: TypeAlias = Sequence[tuple[str, str | None]]


def namespace_line(
    personal: Namespaces, others: Namespaces = (), shared: Namespaces = (), utf8: bool = False
) -> bytes:
    """NAMESPACE of (prefix, separator) pairs (RFC 9051 §7.3.4)."""
    groups = [_namespaces(group, utf8) for group in (personal, others, shared)]
    return b"* NAMESPACE %s\r\n" % b" ".join(groups)


def _namespaces(group: Namespaces, utf8: bool) -> bytes:
    if not group:
        return NIL
    pairs = [(_quoted_name(prefix, utf8), _separator(separator)) for prefix, separator in group]
    return b"(%s)" % b"".join([b"(%s %s)" % pair for pair in pairs])


def _quoted_name(prefix: str, utf8: bool) -> bytes:
    """A prefix, which is a string and no astring."""
    name = mailbox(prefix, utf8)
    return name if name.startswith((b'"', b"{")) else quoted(name)


def _separator(separator: str | None) -> bytes:
    return NIL if separator is None else quoted(separator.encode())


def id_line(parameters: Iterable[tuple[str, str | None]] | None) -> bytes:
    """ID (RFC 2971 §3.2)."""
    return b"* ID %s\r\n" % encode_id(parameters)


def appenduid_code(uidvalidity: int, uids: Sequence[int]) -> bytes:
    """APPENDUID (RFC 4315 §3)."""
    return b"APPENDUID %d %s" % (uidvalidity, uid_set(uids))


def copyuid_code(uidvalidity: int, source: Sequence[int], target: Sequence[int]) -> bytes:
    """COPYUID of the target's UIDVALIDITY; both are ascending and pair off (RFC 4315 §3)."""
    return b"COPYUID %d %s %s" % (uidvalidity, uid_set(source), uid_set(target))


def highest_code(modseq: int) -> bytes:
    """HIGHESTMODSEQ (RFC 7162 §3.1.2.1)."""
    return b"HIGHESTMODSEQ %d" % modseq


def modified_code(numbers: Sequence[int]) -> bytes:
    """MODIFIED (RFC 7162 §3.1.3)."""
    return b"MODIFIED " + uid_set(numbers)


def mailboxid_code(mailbox_id: bytes) -> bytes:
    """MAILBOXID (RFC 8474 §4.1)."""
    return b"MAILBOXID (%s)" % mailbox_id


def vanished_line(uids: Sequence[int], *, earlier: bool = False) -> bytes:
    """VANISHED of ascending UIDs, at least one (RFC 7162 §3.2.10)."""
    return b"* VANISHED %s%s\r\n" % (b"(EARLIER) " if earlier else b"", uid_set(uids))
