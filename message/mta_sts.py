"""MTA-STS: the TXT record that announces a policy, and the policy's text (RFC 8461 §3). Pure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

MAX_POLICY = 64 * 1024
"""Octets of a policy that are read; RFC 8461 §3.3 suggests this bound."""
MAX_AGE = 31_557_600
"""Seconds: no policy is kept longer than a year (RFC 8461 §3.2)."""
MAX_PATTERNS = 100

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_PATTERN = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


class StsInvalid(Exception):
    """The policy can't be used; the text says why."""


class Mode(Enum):
    """What a policy asks of senders: ENFORCE refuses other hosts, TESTING only reports."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """`max_age` in seconds; `mx` host names or `*.` patterns, lower case."""

    mode: Mode
    max_age: int
    mx: tuple[str, ...] = ()

    def allows(self, host: str) -> bool:
        """True when a pattern fits: a star stands for exactly one label (RFC 8461 §4.1)."""
        name = host.rstrip(".").lower()
        parent = name.partition(".")[2]
        return any(
            pattern == name or (pattern.startswith("*.") and pattern[2:] == parent)
            for pattern in self.mx
        )


def parse_record(texts: Sequence[bytes]) -> str | None:
    """The id of the one MTA-STS record among TXT records; None when there is none, several, or
    one that is wrong: the domain then has no policy (RFC 8461 §3.1).
    """
    records = [text for text in texts if re.match(rb"v=STSv1[ \t]*;", text)]
    if len(records) != 1:
        return None
    try:
        text = records[0].decode("ascii")
    except UnicodeDecodeError:
        return None
    for part in text.split(";")[1:]:
        key, equals, value = part.strip(" \t").partition("=")
        if equals and key == "id":
            return value if _ID.fullmatch(value) else None
    return None


def parse_policy(data: bytes) -> StsPolicy:
    """Raises StsInvalid. Of keys given twice the first counts; unknown ones are ignored."""
    if len(data) > MAX_POLICY:
        raise StsInvalid(f"longer than {MAX_POLICY} octets")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise StsInvalid("not UTF-8") from None
    values, patterns = _fields(text)
    if values.get("version") != "STSv1":
        raise StsInvalid("no version: STSv1")
    try:
        mode = Mode(values.get("mode", ""))
    except ValueError:
        raise StsInvalid("no known mode") from None
    age = values.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", age):
        raise StsInvalid("no max_age")
    if mode is not Mode.NONE and not patterns:
        raise StsInvalid("no mx")
    return StsPolicy(mode, min(int(age), MAX_AGE), tuple(patterns))


def _fields(text: str) -> tuple[dict[str, str], list[str]]:
    values: dict[str, str] = {}
    patterns: list[str] = []
    for line in re.split(r"\r?\n", text):
        if not line.strip(" \t"):
            continue
        key, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon:
            raise StsInvalid("a line without a colon")
        if key == "mx":
            patterns.append(_pattern(value))
        else:
            values.setdefault(key, value)
    if len(patterns) > MAX_PATTERNS:
        raise StsInvalid(f"more than {MAX_PATTERNS} mx patterns")
    return values, patterns


def _pattern(value: str) -> str:
    try:
        name = value.rstrip(".").lower()
        star = "*." if name.startswith("*.") else ""
        pattern = star + name.removeprefix(star).encode("idna").decode()
    except UnicodeError:
        pattern = ""
    if not _PATTERN.fullmatch(pattern):
        raise StsInvalid("an mx pattern that is no host name")
    return pattern


def format_policy(policy: StsPolicy) -> bytes:
    """The policy as it is served; `parse_policy` gives the same value back."""
    lines = ["version: STSv1", f"mode: {policy.mode.value}"]
    lines += [f"mx: {pattern}" for pattern in policy.mx]
    lines.append(f"max_age: {policy.max_age}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def policy_id(policy: StsPolicy) -> str:
    """An id for the TXT record that changes when the policy does."""
    return hashlib.sha256(format_policy(policy)).hexdigest()[:20]
