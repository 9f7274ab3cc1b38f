"""xtext (RFC 3461 §4): how ENVID, ORCPT and AUTH carry arbitrary text; and its form for addresses
in UTF-8 (RFC 6533 §3).
"""

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_ESCAPE = re.compile(r"\+([0-9A-F]{2})")
_EMBEDDED = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_UTF8_ADDRESS = re.compile(r"(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")
_NOT_XTEXT_ADDRESS = re.compile(r"[^!-*,-<>-\[\]-~]")
_NOT_UNITEXT = re.compile(r"[^!-*,-<>-\[\]-~\u0080-\U0010ffff]")
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


def decode_utf8_address(text: str) -> str:
    """The address of an ORCPT of type utf-8, from each of its forms. Raises ValueError."""
    if not _UTF8_ADDRESS.fullmatch(text):
        raise ValueError("not an address in UTF-8")
    decoded = _EMBEDDED.sub(lambda found: chr(int(found[1], 16)), text)
    decoded.encode()  # no surrogates
    if not decoded.isprintable():
        raise ValueError("not printable")
    return decoded


def encode_utf8_address(text: str, *, ascii_only: bool) -> str:
    """utf-8-addr-xtext, or utf-8-addr-unitext for a peer that takes UTF-8 (RFC 6533 §3)."""
    unsafe = _NOT_XTEXT_ADDRESS if ascii_only else _NOT_UNITEXT
    return unsafe.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", text)


def orcpt_of(address: str) -> str:
    """The ORCPT of an address that a message came to, as it is kept with its recipients."""
    if address.isascii():
        return f"rfc822;{encode_xtext(address)}"
    return f"utf-8;{encode_utf8_address(address, ascii_only=False)}"


def orcpt_for(orcpt: str, *, utf8: bool) -> str:
    """The kept ORCPT as a peer may be told it: one without `utf8` hears ASCII alone."""
    kind, _, address = orcpt.partition(";")
    try:
        if kind.lower() == "utf-8":
            decoded = decode_utf8_address(address)
            return f"{kind};{encode_utf8_address(decoded, ascii_only=not utf8)}"
    except ValueError:
        return ""
    return orcpt if is_xtext(address) else f"{kind};{encode_xtext(address)}"


def readable_orcpt(orcpt: str) -> str:
    """`type;address` with the address decoded, for reports (RFC 3461 §6.3)."""
    kind, found, address = orcpt.partition(";")
    decode = decode_utf8_address if kind.lower() == "utf-8" else decode_xtext
    try:
        return f"{kind};{decode(address)}" if found else ""
    except ValueError:
        return orcpt
