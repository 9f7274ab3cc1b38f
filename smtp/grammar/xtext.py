"""xtext (RFC 3461 §4): how ENVID, ORCPT and AUTH carry arbitrary text."""

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_ESCAPE = re.compile(r"\+([0-9A-F]{2})")
_UNSAFE = re.compile(r"[^!-*,-<>-~]")


def decode_xtext(text: str) -> str:
    """Raises ValueError when the text is not xtext or does not decode to printable ASCII."""
    if not _XTEXT.fullmatch(text):
        raise ValueError("not xtext")
    decoded = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    if not decoded.isascii() or not decoded.isprintable():
        raise ValueError("not printable")
    return decoded


def is_xtext(text: str) -> bool:
    """True when the text could be xtext already."""
    return _XTEXT.fullmatch(text) is not None


def encode_xtext(text: str) -> str:
    """The xtext of printable ASCII."""
    return _UNSAFE.sub(lambda found: f"+{ord(found[0]):02X}", text)
