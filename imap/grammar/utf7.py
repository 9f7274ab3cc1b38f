"""Modified UTF-7, in which mailbox names travel (RFC 3501 §5.1.3).

`decode(encode(name)) == name` for every name. Decoding is liberal: what is no valid sequence stands
for itself, since Thunderbird sends raw "&" (under UTF8=ACCEPT) and people type it in scripts.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from typing import Final

_PLAIN: Final = re.compile(r"[ -%'-~]*")
_SHIFTED: Final = re.compile(r"[^ -~]+|&")
_SEQUENCE: Final = re.compile(r"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """The name in printable US-ASCII; half surrogates become "?"."""
    if _PLAIN.fullmatch(name):
        return name.encode()
    return _SHIFTED.sub(_shift, name).encode()


def decode(octets: bytes) -> str:
    """The name that stands in `octets`.

    Octets above 127 mean that it came as UTF-8, in which "&" is nothing special; UnicodeDecodeError
    if it is no UTF-8.
    """
    if not octets.isascii():
        return octets.decode("utf-8")
    text = octets.decode("ascii")
    return _SEQUENCE.sub(_unshift, text) if "&" in text else text


def _shift(found: re.Match[str]) -> str:
    if found[0] == "&":
        return "&-"
    base64 = b2a_base64(found[0].encode("utf-16-be", "replace"), newline=False)
    return "&" + base64.rstrip(b"=").replace(b"/", b",").decode() + "-"


def _unshift(found: re.Match[str]) -> str:
    base64 = found[1].replace(",", "/")
    if not base64:
        return "&"
    try:
        octets = a2b_base64(base64 + "=" * (-len(base64) % 4), strict_mode=True)
        return octets.decode("utf-16-be")
    except (Error, UnicodeDecodeError):
        return found[0]
