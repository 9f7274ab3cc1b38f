"""The parts of a message for foreverypart, `:mime` and body (RFC 5703 §3): bounded, kept."""

from typing import Final

from filters.sieve.errors import RunError
from filters.sieve.limits import Limits
from filters.sieve.mail import Fields, Mail, fields_of
from filters.sieve.state import Run
from filters.sieve.values import Kept
from message.crlf import to_crlf
from message.decoding import decode
from message.html_text import html_text
from message.scan import MAX_HEADER, Part, scan_crlf, walk
from message.words import decode_text

_HTML: Final = (b"html", b"xhtml+xml")


class Parts:
    """`data` is the CRLF form, `root` the whole message."""

    __slots__ = ("_fields", "_limits", "_text_left", "_texts", "data", "kept", "root")

    def __init__(self, mail: Mail, limits: Limits) -> None:
        self.data = to_crlf(mail.read())
        self.root = scan_crlf(self.data)
        self._limits = limits
        self._fields: dict[int, Fields] = {}
        self._texts: dict[tuple[int, bool], str] = {}
        self._text_left = limits.body_size
        self.kept = Kept()

    def below(self, part: Part) -> list[Part]:
        """The part and all within it; raises RunError for more than the limit."""
        found: list[Part] = []
        for one in walk(part):
            found.append(one)
            if len(found) > self._limits.parts:
                raise RunError(f"the message has more than {self._limits.parts} parts")
        return found

    def fields(self, part: Part) -> Fields:
        """The header of a part."""
        found = self._fields.get(part.header_offset)
        if found is None:
            end = part.header_offset + min(part.header_length, MAX_HEADER)
            found = self._fields[part.header_offset] = fields_of(
                self.data[part.header_offset : end]
            )
        return found

    def octets(self, part: Part) -> bytes:
        """The body with its encoding undone, as far as the bound of all bodies goes."""
        start = part.body_offset
        # Base64 and quoted-printable grow: three octets of text may take nine.
        raw = self.data[start : start + min(part.body_length, 4 * self._text_left)]
        whole = part.is_multipart or part.is_message
        found = raw if whole else decode(raw, part.encoding.decode("ascii", "replace"))
        return found[: self._text_left]

    def text(self, part: Part, plain: bool) -> str:
        """The body as text; `plain`: HTML as a reader sees it."""
        key = part.body_offset, plain
        found = self._texts.get(key)
        if found is None:
            octets = self.octets(part)
            self._text_left -= len(octets)
            found = decode_text(octets, part.charset)
            if plain and part.type == b"text" and part.subtype in _HTML:
                found = html_text(found[: self._limits.html_size])
            self._texts[key] = found
        return found


def parts_of(run: Run) -> Parts:
    """The scanned message, once a run."""
    if run.parts is None:
        run.parts = Parts(run.mail, run.limits)
        run.spend(1 + len(run.parts.data) // 512)
    return run.parts
