"""RFC 2047 encoded words, both ways, headers in UTF-8 (RFC 6532), and text of any charset.

Nothing raises: what no codec can read is UTF-8 where it is valid UTF-8, and Windows-1252 otherwise,
which is what unlabelled 8-bit mail nearly always is.
"""

import base64
import binascii
import codecs
import re
from functools import lru_cache

WORD_BYTES = 45

_WORD = re.compile(rb"=\?([^?\s*]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?\r\n]*)\?=")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
# Labels that mail uses for a superset, or that no codec bears.
_ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "x-gbk": "gb18030",
    "utf8mb4": "utf-8",
    "cp-850": "cp850",
    "iso-2022-jp": "iso-2022-jp-ext",
}
# Not charsets of text that is sent: slow (idna), escapes, or codecs that refuse everything.
_REFUSED = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})


def decode_words(value: bytes) -> str:
    """An unfolded header value as text; broken words stay as they are written."""
    if b"=?" not in value:
        return decode_text(value, "")
    out: list[str] = []
    run, run_charset, last = b"", "", 0
    for match in _WORD.finditer(value):
        between = value[last : match.start()]
        charset = match[1].decode("ascii", "replace").lower()
        data = _decode_word(match[2], match[3])
        # Blanks between two words are not text; a character may be split across words.
        joined = last > 0 and not between.strip()
        if not joined or charset != run_charset:
            out.append(decode_text(run, run_charset))
            run = b""
            if not joined:
                out.append(decode_text(between, ""))
        run, run_charset, last = run + data, charset, match.end()
    out.append(decode_text(run, run_charset))
    out.append(decode_text(value[last:], ""))
    return "".join(out)


def encode_words(text: str, force: bool = False) -> bytes:
    """ASCII for a header: words that need it as RFC 2047 words in UTF-8, each below 76 octets.

    With `force` all of it, so that no word is longer than that.
    """
    if force:
        return _encode_run(text)
    if text.isascii() and "=?" not in text:
        return text.encode("ascii")
    out: list[bytes] = []
    run: list[str] = []
    for word in text.split(" "):
        if word.isascii() and not ("=?" in word and not _WORD.fullmatch(word.encode("ascii"))):
            if run and word == "":
                run.append(word)
                continue
            if run:
                out.append(_encode_run(" ".join(run)))
                run = []
            out.append(word.encode("ascii"))
        else:
            run.append(word)
    if run:
        out.append(_encode_run(" ".join(run)))
    return b" ".join(out)


def decode_text(data: bytes, charset: str) -> str:
    """Bytes of a declared charset as text ("" for none declared)."""
    name = _codec(charset) if charset else ""
    if name:
        try:
            text = data.decode(name, "replace")
            return _whole(text) if name == "utf-7" else text
        except (LookupError, ValueError):
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _whole(text: str) -> str:
    """Without the halves of surrogate pairs that UTF-7 can bring, and nothing can write."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(maxsize=256)
def _codec(charset: str) -> str:
    """The codec's name, or "" for one that is unknown, refused or no more than ASCII."""
    charset = charset.strip().strip("\"'").lower()
    charset = _ALIASES.get(charset, charset)
    try:
        name = codecs.lookup(charset).name
        b"".decode(charset)
    except (LookupError, ValueError):
        return ""
    return "" if name in _REFUSED or name.replace("_", "-") in _REFUSED or name == "ascii" else name


def _decode_word(kind: bytes, text: bytes) -> bytes:
    if kind in b"Qq":
        return _QUOTED.sub(lambda match: bytes.fromhex(match[1].decode()), text.replace(b"_", b" "))
    text = _NOT_BASE64.sub(b"", text)
    if len(text) % 4 == 1:
        text = text[:-1]
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return text


def _encode_run(text: str) -> bytes:
    pieces: list[bytes] = [b""]
    for char in text:
        data = char.encode("utf-8", "replace")
        if len(pieces[-1]) + len(data) > WORD_BYTES:
            pieces.append(b"")
        pieces[-1] += data
    return b" ".join(b"=?utf-8?B?" + base64.b64encode(piece) + b"?=" for piece in pieces)
