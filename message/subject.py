"""Base subjects for sorting and threading (RFC 5256 §2.1)."""

import re

from message.words import decode_words

MAX_SUBJECT = 1000

_SPACES = re.compile(r"\s+")
_TRAILER = re.compile(r"(?:\(fwd\)|\s)+\Z", re.IGNORECASE)
_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_LEADER = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*", re.IGNORECASE)
_FORWARD = re.compile(r"\[fwd:(.*)\]\Z", re.IGNORECASE)


def base_subject(value: bytes) -> str:
    """The subject without Re:, Fwd:, (fwd), [blobs] and their encoding; case is kept."""
    text = _SPACES.sub(" ", decode_words(value[: 4 * MAX_SUBJECT]))[:MAX_SUBJECT].strip()
    while True:
        text = _trim_trailer(text)
        text = _trim_leaders(text)
        forward = _FORWARD.match(text)
        if forward is None:
            return text
        text = forward[1].strip()


def _trim_trailer(text: str) -> str:
    match = _TRAILER.search(text)
    return text if match is None else text[: match.start()]


def _trim_leaders(text: str) -> str:
    position = 0
    while True:
        start = position
        while (leader := _match_leader(text, position)) > position:
            position = leader
        blob = _BLOB.match(text, position)
        if blob is not None and blob.end() < len(text):
            position = blob.end()
        if position == start:
            return text[position:]


def _match_leader(text: str, position: int) -> int:
    """The position behind `*(blob) Re:` at `position`, or `position` itself."""
    start = position
    while (blob := _BLOB.match(text, position)) is not None:
        position = blob.end()
    leader = _LEADER.match(text, position)
    return start if leader is None else leader.end()
