"""One DKIM-Signature or ARC-Message-Signature field, read and judged by itself.

RFC 6376 §3.5, §6.1.1; RFC 8301 §3.1; RFC 8616 §5 (domains in U-labels); RFC 8617 §4.1.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import idna

from message.dkim_body import BodyForm
from message.dkim_signing_key import Algorithm
from message.dkim_tags import (
    DkimFault,
    Status,
    TagError,
    colon_list,
    decode_base64,
    parse_tags,
    without_folds,
)

MAX_FIELD = 64 * 1024
# Clocks of signers run wrong; t= further ahead than this is no clock.
AHEAD = 24 * 3600
_DIGITS = re.compile(rb"[0-9]{1,20}")
_LENGTH = re.compile(rb"[0-9]{1,76}")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*+"
)
_CANON = {b"simple": False, b"relaxed": True}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that could be verified. `domain` and `selector` are A-labels in lower case,
    `agent` is i= or "" (of ARC always ""); `names` h= in lower case; `value` and `body_hash` the
    octets of b= and bh=; `tag` the first characters of b= (RFC 6008). Times are seconds since 1970.
    """

    domain: str
    selector: str
    algorithm: Algorithm
    relaxed: bool
    body: BodyForm
    names: tuple[bytes, ...]
    body_hash: bytes
    value: bytes
    tag: str
    agent: str = ""
    signed_at: int | None = None
    expires: int | None = None

    @property
    def key_name(self) -> str:
        """Where the key's record stands."""
        return f"{self.selector}._domainkey.{self.domain}"

    def judge_times(self, now: int) -> None:
        """Raises DkimFault for what has expired or comes from the future."""
        if self.expires is not None and now > self.expires:
            raise DkimFault(Status.POLICY, "signature expired")
        if self.signed_at is not None and self.signed_at > now + AHEAD:
            raise DkimFault(Status.POLICY, "signature from the future")


@dataclass(frozen=True, slots=True)
class Mentioned:
    """What a field says of itself, whether it is right or wrong: for reports. "" where unclear."""

    domain: str = ""
    selector: str = ""
    agent: str = ""
    algorithm: str = ""
    tag: str = ""


def parse_signature(value: bytes) -> Signature:
    """The signature of a DKIM-Signature field's value, folded or not. Raises DkimFault."""
    tags = _tags(value)
    if tags.get(b"v") != b"1":
        raise DkimFault(Status.NEUTRAL, "v= is not 1")
    names = tuple(name.lower() for name in colon_list(_need(tags, b"h")))
    if b"from" not in names:
        raise DkimFault(Status.PERMERROR, "From is not signed")
    domain = _domain(tags, b"d")
    return _signature(tags, domain, names, _agent(tags, domain), b"simple/simple")


def parse_message_signature(value: bytes) -> Signature:
    """The same of an ARC-Message-Signature, where i= is the instance, and no v= and no From are
    asked for. Raises DkimFault. Without c= it is relaxed/relaxed: RFC 8617 says nothing of it, but
    the ARC test suite does.
    """
    tags = _tags(value)
    names = tuple(name.lower() for name in colon_list(_need(tags, b"h")))
    if b"arc-seal" in names:
        raise DkimFault(Status.PERMERROR, "an ARC-Seal is signed")
    return _signature(tags, _domain(tags, b"d"), names, "", b"relaxed/relaxed")


def mentioned(value: bytes) -> Mentioned:
    """For reports on a field that can't be used; raises nothing."""
    try:
        tags = parse_tags(value[:MAX_FIELD])
    except TagError:
        return Mentioned()
    try:
        domain = _domain(tags, b"d")
        selector = _domain(tags, b"s")
        agent = _agent(tags, domain)
    except DkimFault:
        domain = selector = agent = ""
    algorithm = tags.get(b"a", b"")
    known = algorithm.decode() if re.fullmatch(rb"[a-z0-9-]{1,30}", algorithm) else ""
    return Mentioned(domain, selector, agent, known, _tag(tags.get(b"b", b"")))


def algorithm_of(tags: Mapping[bytes, bytes]) -> Algorithm:
    """a=. Raises DkimFault."""
    name = _need(tags, b"a")
    if name == b"rsa-sha1":
        raise DkimFault(Status.PERMERROR, "rsa-sha1 proves nothing any more")
    try:
        return Algorithm(name.decode("ascii", "replace"))
    except ValueError:
        raise DkimFault(Status.NEUTRAL, "unknown algorithm") from None


def place_of(tags: Mapping[bytes, bytes]) -> tuple[str, str]:
    """d= and s=. Raises DkimFault."""
    return _domain(tags, b"d"), _domain(tags, b"s")


def octets_of(tags: Mapping[bytes, bytes], name: bytes) -> bytes:
    """A tag in base64. Raises DkimFault."""
    try:
        return decode_base64(_need(tags, name))
    except TagError:
        raise DkimFault(Status.NEUTRAL, f"{name.decode()}= is not base64") from None


def time_of(tags: Mapping[bytes, bytes], name: bytes) -> int | None:
    """Seconds since 1970; None when the tag is absent. Raises DkimFault."""
    value = tags.get(name)
    if value is None:
        return None
    if not _DIGITS.fullmatch(value):
        raise DkimFault(Status.NEUTRAL, f"{name.decode()}= is no number")
    return int(value)


def _tags(value: bytes) -> dict[bytes, bytes]:
    if len(value) > MAX_FIELD:
        raise DkimFault(Status.POLICY, "the signature field is too long")
    try:
        return parse_tags(value)
    except TagError as error:
        raise DkimFault(Status.NEUTRAL, str(error)) from None


def _signature(
    tags: Mapping[bytes, bytes],
    domain: str,
    names: tuple[bytes, ...],
    agent: str,
    canonicalization: bytes,
) -> Signature:
    if b"dns/txt" not in colon_list(tags.get(b"q", b"dns/txt")):
        raise DkimFault(Status.NEUTRAL, "unknown query method")
    signed_at, expires = time_of(tags, b"t"), time_of(tags, b"x")
    if signed_at is not None and expires is not None and expires <= signed_at:
        raise DkimFault(Status.NEUTRAL, "x= is not later than t=")
    relaxed, body = _forms(tags, canonicalization)
    return Signature(
        domain,
        _domain(tags, b"s"),
        algorithm_of(tags),
        relaxed,
        body,
        names,
        octets_of(tags, b"bh"),
        octets_of(tags, b"b"),
        _tag(tags[b"b"]),
        agent,
        signed_at,
        expires,
    )


def _need(tags: Mapping[bytes, bytes], name: bytes) -> bytes:
    value = tags.get(name)
    if value is None:
        raise DkimFault(Status.NEUTRAL, f"{name.decode()}= is missing")
    return value


def _domain(tags: Mapping[bytes, bytes], name: bytes) -> str:
    try:
        text = _need(tags, name).decode("utf-8").lower()
        if not text.isascii():
            text = idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        text = ""
    if not _DOMAIN.fullmatch(text):
        raise DkimFault(Status.NEUTRAL, f"{name.decode()}= is no domain name")
    return text


def _agent(tags: Mapping[bytes, bytes], domain: str) -> str:
    """i=, whose domain is d= or below it (RFC 6376 §3.5). Its local part may be anything."""
    value = tags.get(b"i")
    if value is None:
        return ""
    local, at, _ = value.rpartition(b"@")
    if not at:
        raise DkimFault(Status.NEUTRAL, "i= is no address")
    below = _domain({b"i": value[len(local) + 1 :]}, b"i")
    if below != domain and not below.endswith("." + domain):
        raise DkimFault(Status.NEUTRAL, "i= is outside of d=")
    return f"{local.decode('utf-8', 'replace')}@{below}"


def _forms(tags: Mapping[bytes, bytes], default: bytes) -> tuple[bool, BodyForm]:
    header, slash, body = tags.get(b"c", default).partition(b"/")
    if not slash:
        body = b"simple"
    if header not in _CANON or body not in _CANON:
        raise DkimFault(Status.NEUTRAL, "unknown canonicalization")
    length = tags.get(b"l")
    if length is not None and not _LENGTH.fullmatch(length):
        raise DkimFault(Status.NEUTRAL, "l= is no number")
    return _CANON[header], BodyForm(_CANON[body], None if length is None else int(length))


def _tag(value: bytes) -> str:
    return without_folds(value)[:8].decode("ascii", "ignore")
