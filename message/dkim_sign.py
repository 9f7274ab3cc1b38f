"""DKIM signatures for a message (RFC 6376 §5), by several keys at once.

Pure, but not for the event loop: an RSA signature takes half a millisecond. Always relaxed/relaxed
over the whole body (l= would let anybody append to it).
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence

from message.dkim_body import BodyForm, body_hashes
from message.dkim_header import Header, relaxed_form
from message.dkim_signing_key import SigningKey

RELAXED = BodyForm(relaxed=True)
# RFC 6376 §5.4.1, with RFC 8058 §4 (List-Unsubscribe-Post). Never those that change on the way.
SIGNED = (
    *(b"from", b"to", b"cc", b"subject", b"date", b"message-id", b"reply-to", b"sender"),
    *(b"in-reply-to", b"references", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"content-disposition", b"content-id", b"content-description"),
    *(b"resent-date", b"resent-from", b"resent-sender", b"resent-to", b"resent-cc"),
    *(b"resent-message-id", b"list-id", b"list-help", b"list-unsubscribe"),
    *(b"list-unsubscribe-post", b"list-subscribe", b"list-post", b"list-owner", b"list-archive"),
    *(b"autocrypt", b"openpgp"),
)
# Listed once more than they stand there: RFC 5322 §3.6 allows one, and readers show the first.
OVERSIGNED = frozenset((b"from", b"to", b"cc", b"subject", b"date", b"reply-to", b"sender"))
# Of one kind; a signature that lists thousands is refused by others.
MOST = 50
_LINE = 76
_BASE64_LINE = 72


def sign(
    header: bytes,
    body: Iterable[bytes],
    keys: Sequence[SigningKey],
    now: int,
    *,
    expires: int | None = None,
    identity: str = "",
) -> tuple[bytes, ...]:
    """One complete DKIM-Signature field (folded, with CRLF) for each key, in their order; put
    them before the header.

    `header` is the block as it will be sent, CRLF line ends, with or without its blank line; fields
    added above it later do no harm unless they are of a signed kind. `body` gives all that follows
    the blank line, in chunks of any size, and is read once. `now` and `expires` (x=) are seconds
    since 1970. `identity` is i=, an address at the key's domain or below it; "" leaves it out.

    From is signed even if it is absent, and listed once more than it stands there, as are the other
    fields that a message has only once: a second one added on the way breaks the signature.
    Raises nothing but what reading `body` raises.
    """
    if not keys:
        return ()
    fields = Header(header)
    digest = body_hashes(body, (RELAXED,))[RELAXED].digest
    names = signed_names(fields)
    signed = fields.forms(fields.chosen(names), relaxed=True)
    made = []
    for key in keys:
        tags = [
            *(b"v=1", b"a=" + key.algorithm.value.encode(), b"c=relaxed/relaxed"),
            *(b"d=" + key.domain.encode(), b"s=" + key.selector.encode(), b"t=%d" % now),
        ]
        if expires is not None:
            tags.append(b"x=%d" % expires)
        if identity:
            tags.append(b"i=" + identity.encode())
        tags += [b"h=" + b":".join(names), b"bh=" + b64encode(digest), b"b="]
        made.append(signed_field(b"DKIM-Signature", tags, signed, key))
    return tuple(made)


def signed_names(header: Header) -> list[bytes]:
    """h=: what is there of SIGNED, in its order, with the extra mention of OVERSIGNED; of more than
    MOST fields of a kind the lowest.
    """
    names = []
    for name in SIGNED:
        times = len(header.places(name))
        if (times or name == b"from") and name in OVERSIGNED:
            times += 1
        names += [name] * min(times, MOST)
    return names


def signed_field(name: bytes, tags: Sequence[bytes], signed: bytes, key: SigningKey) -> bytes:
    """The complete field of `tags`, one of which is `b=`; its signature covers `signed`, which is
    canonical (relaxed), and the field itself. A tag longer than a line is folded at its colons.
    """
    place = tags.index(b"b=") + 1
    before = _folded(len(name) + 1, tags[:place])
    after = b";" + _folded(_LINE, tags[place:]) if tags[place:] else b""
    own = relaxed_form(name, before + after).removesuffix(b"\r\n")
    text = b64encode(key.sign(signed + own))
    return name + b":" + before + b"".join(_base64_lines(text)) + after + b"\r\n"


def _folded(length: int, tags: Sequence[bytes]) -> bytes:
    """` tag; tag; ...` with the folds; `length` is that of what stands before it on its line."""
    pieces: list[bytes] = []
    for glue, word in _words(tags):
        if length + len(glue) + len(word) > _LINE:
            glue, length = b"\r\n ", -1
        pieces += (glue, word)
        length += len(glue) + len(word)
    return b"".join(pieces)


def _words(tags: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """What may stand on a line of its own, each after what parts it from the last: tags, and the
    words of a list that is longer than a line.
    """
    for number, tag in enumerate(tags, 1):
        text = tag + b";" if number < len(tags) else tag
        words = text.split(b":") if len(text) >= _LINE else [text]
        for place, word in enumerate(words):
            yield b"" if place else b" ", word + b":" if word is not words[-1] else word


def _base64_lines(text: bytes) -> Iterator[bytes]:
    for start in range(0, len(text), _BASE64_LINE):
        yield b"\r\n " + text[start : start + _BASE64_LINE]
