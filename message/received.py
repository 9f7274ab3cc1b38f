"""Trace headers: Received (RFC 5321 §4.4) and Return-Path; loops are found by counting them.

Everything a peer chose is reduced to printable characters without parentheses before it is written,
so that no peer can forge a clause or a field.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from message.date import format_date
from message.headers import all_values

MAX_HOPS = 50

_UNSAFE = re.compile(r"[^!-'*-\[\]-~\u00a1-\U0010ffff]")
_UNSAFE_COMMENT = re.compile(r"[^ -'*-\[\]-~\u00a1-\U0010ffff]")
_RECEIVED = re.compile(rb"^Received[ \t]*:", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trace:
    """One hop: the peer as it called itself and as it is, and us. `when` is aware.

    `address` is the peer's IP address ("" for a local socket), `reverse` its verified host name
    ("" if unknown), `protocol` comes from `with_protocol`, `tls` is like "TLSv1.3
    TLS_AES_256_GCM_SHA384". `for` is written only for a single recipient (RFC 5321 §7.2),
    `priority` unless it is the ordinary one (RFC 6710).
    """

    helo: str
    address: str
    reverse: str
    hostname: str
    queue_id: str
    when: datetime
    protocol: str
    tls: str = ""
    recipients: tuple[str, ...] = ()
    priority: int = 0


def with_protocol(
    *,
    esmtp: bool = True,
    tls: bool = False,
    auth: bool = False,
    lmtp: bool = False,
    smtputf8: bool = False,
) -> str:
    """The registered name of the protocol (RFC 3848, RFC 6531 §4.3), as ESMTPSA or UTF8LMTPS."""
    if not (esmtp or lmtp):
        return "SMTP"
    base = "LMTP" if lmtp else ("SMTP" if smtputf8 else "ESMTP")
    return ("UTF8" if smtputf8 else "") + base + ("S" if tls else "") + ("A" if auth else "")


def build_received(trace: Trace) -> bytes:
    """The whole field, folded, with CRLF."""
    peer = " ".join(filter(None, (_clean(trace.reverse), _literal(trace.address))))
    lines = [f"Received: from {_clean(trace.helo) or 'unknown'}" + (f" ({peer})" if peer else "")]
    if trace.tls:
        lines.append(f"(using {_UNSAFE_COMMENT.sub('?', trace.tls)})")
    lines.append(f"by {trace.hostname} with {trace.protocol} id {trace.queue_id}")
    if len(trace.recipients) == 1:
        lines.append(f"for <{_path(trace.recipients[0])}>")
    if trace.priority:
        lines.append(f"priority {trace.priority}")
    lines[-1] += ";"
    lines.append(format_date(trace.when))
    return "\r\n\t".join(lines).encode("utf-8", "replace") + b"\r\n"


def build_return_path(sender: str) -> bytes:
    """The whole field with CRLF; "" is the null sender."""
    return f"Return-Path: <{_path(sender)}>\r\n".encode("utf-8", "replace")


def count_received(block: bytes) -> int:
    """How many Received fields a header block has."""
    return len(_RECEIVED.findall(block))


def is_looping(block: bytes, trace_id: str = "", limit: int = MAX_HOPS) -> bool:
    """True for more than `limit` hops, or when a Received field has the `id` `trace_id`.

    `trace_id` is one that this server writes for this message each time it passes.
    """
    if count_received(block) > limit:
        return True
    if not trace_id:
        return False
    ours = re.compile(rb"\bid\s+" + re.escape(trace_id.encode()) + rb"(?![\w.-])")
    return any(ours.search(value) for value in all_values(block, b"received"))


def _clean(text: str) -> str:
    return _UNSAFE.sub("?", text)[:255]


def _path(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f<>]", "?", text)[:998]


def _literal(address: str) -> str:
    if not address:
        return ""
    return f"[IPv6:{_clean(address)}]" if ":" in address else f"[{_clean(address)}]"
