"""Base subjects for sorting and threading (RFC 5256 §2.1)."""

import re
from typing import NamedTuple

from message.words import decode_words

MAX_SUBJECT = 1000

_SPACES = re.compile(r"\s+")
_TRAILER = re.compile(r"(?:\(fwd\)|\s)+\Z", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_LEADER = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*", re.IGNORECASE)
_FORWARD = re.compile(r"\[fwd:(.*)\]\Z", re.IGNORECASE)


class Subject(NamedTuple):
    """The base subject with its case, and whether what was taken away marks a reply or forward."""

    base: str
    is_reply: bool


def split_subject(value: bytes) -> Subject:
    """The subject without Re:, Fwd:, (fwd), [blobs] and their encoding."""
    text = _SPACES.sub(" ", decode_words(value[: 4 * MAX_SUBJECT]))[:MAX_SUBJECT].strip()
    reply = False
    while True:
        text, trailed = _trim_trailer(text)
        text, led = _trim_leaders(text)
        forward = _FORWARD.match(text)
        reply = reply or trailed or led or forward is not None
        if forward is None:
            return Subject(text, reply)
        text = forward[1].strip()


def base_subject(value: bytes) -> str:
    """The base subject alone."""
    return split_subject(value).base


def _trim_trailer(text: str) -> tuple[str, bool]:
    """The text, and whether a (fwd) went."""
    match = _TRAILER.search(text)
    return (text, False) if match is None else (text[: match.start()], not match[0].isspace())


def _trim_leaders(text: str) -> tuple[str, bool]:
    """The text, and whether a Re: or Fwd: went."""
    position, reply = 0, False
    while True:
        start = position
        while (leader := _match_leader(text, position)) > position:
            position, reply = leader, True
        blob = _BLOB.match(text, position)
        if blob is not None and blob.end() < len(text):
            position = blob.end()
        if position == start:
            return text[position:], reply


def _match_leader(text: str, position: int) -> int:
    """The position behind `*(blob) Re:` at `position`, or `position` itself."""
    start = position
    while (blob := _BLOB.match(text, position)) is not None:
        position = blob.end()
    leader = _LEADER.match(text, position)
    return start if leader is None else leader.end()
