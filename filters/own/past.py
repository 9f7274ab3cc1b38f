"""What is known of a message that was delivered long since, from its trace header. Pure.

Symbols and the score of its day are not in it.
"""

import re

from filters.own.api import Authenticated, Context
from message.authentication_results import Statement, parse_results
from message.headers import all_values, first, header_block

_RECEIVED = re.compile(
    rb"from\s+(\S+)\s*(?:\((?:([^\s\[\]()]+)\s+)?\[(?:IPv6:)?([0-9A-Fa-f.:]+)\]\))?"
    rb"(?:[^;]*?\bwith\s+(\S+))?"
)
_PATH = re.compile(rb"<([^<>]*)>")
_DOMAINS = {
    "spf": (("smtp", "mailfrom"), ("smtp", "helo")),
    "dkim": (("header", "d"),),
    "dmarc": (("header", "from"),),
    "arc": (),
}


def past_context(raw: bytes, recipients: tuple[str, ...] = ()) -> Context:
    """As far as the header tells."""
    block = header_block(raw)
    path = _PATH.search(first(block, b"return-path") or b"")
    received = _RECEIVED.match(first(block, b"received") or b"")
    helo, reverse, peer, protocol = received.groups() if received else (None,) * 4
    results = first(block, b"authentication-results")
    statements = parse_results(results).statements if results is not None else ()
    to = recipients or tuple(_text(one) for one in all_values(block, b"delivered-to")[:1])
    return Context(
        kind=_kind(_text(protocol)),
        peer=_text(peer),
        reverse=_text(reverse),
        helo=_text(helo),
        sender=_text(path[1]) if path else "",
        recipients=to,
        size=len(raw),
        authentication=tuple(_authenticated(one) for one in statements if one.method in _DOMAINS),
    )


def _kind(protocol: str) -> str:
    if "LMTP" in protocol:
        return "lmtp"
    return "submission" if re.fullmatch(r"(UTF8SMTP|ESMTP)S?A", protocol) else "smtp"


def _authenticated(one: Statement) -> Authenticated:
    values = (one.value(*name) for name in _DOMAINS[one.method])
    domain = next((value for value in values if value), "")
    return Authenticated(one.method, one.result, domain.rpartition("@")[2].lower())


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
