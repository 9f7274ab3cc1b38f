"""MIME messages made at random, well formed, broken and hostile, from a seed."""

import base64
import quopri
from random import Random

_TEXTS = (
    b"", b"a", b"text\r\n", b"--\r\n", b"two\r\n\r\nparagraphs", b"\r\n", b"8-bit \xc3\xa9 \xff",
    b"--b\r\nnot a part", b"-- \r\nsignature\r\n", b"x" * 200, b".\r\n..\r\n", b"\xe4" * 9,
    b"--outer--\r\n", b"=\r\n=3D =zz", b"tab\t \r\n",
)  # fmt: skip
_FIELDS = (
    b"Subject: plain\r\n", "Subject: Grüße\r\n".encode(), b"Subject: caf\xe9\r\n", b"X:\r\n",
    b"Subject: =?utf-8?q?a?=\r\n =?iso-8859-1?q?=e9?= =?koi8-r?B?8NLJ18XU?=\r\n", b"no colon\r\n",
    b'From: "a\\"b" <a@b>, c@d (comment)\r\n', b"To: undisclosed:;\r\n", b" folded first\r\n",
    b"Content-ID: <a@b>\r\n", b"Content-Language: de, en\r\n",
    b"Content-Description: d \xc3\xa9\r\n",
    b"Content-Disposition: attachment;\r\n filename*0*=utf-8''a%C3; filename*1*=%A9.txt\r\n",
    b'Content-Disposition: inline; filename="=?utf-8?b?w6k=?="\r\n', b"Content-MD5: x\r\n",
)  # fmt: skip
_TYPES = (
    b"text/plain", b"text/html; charset=utf-8", b"application/octet-stream", b"image/png; name=a",
    b"text/plain; charset=\"utf-8\"; format=flowed", b"TEXT/x;y=\"a;b\\\"c\"", b"broken", b"a/b;;=",
    b"message/rfc822", b"message/delivery-status", b"multipart/mixed", b"text/plain; name*=x",
)  # fmt: skip
_BOUNDARIES = (b"b", b"outer", b"=_x", b"a b", b"--", b"b")
_SUBTYPES = (b"mixed", b"alternative", b"digest", b"related", b"signed")


class Maker:
    """Makes one message after the other."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def message(self) -> bytes:
        """A message in CRLF."""
        return b"".join(self._some(_FIELDS, 4)) + self._entity(0)

    def _entity(self, depth: int) -> bytes:
        """The end of a header, and a body."""
        chance = self._random.random()
        if depth < 4 and chance < 0.45:
            return self._multipart(depth)
        if depth < 4 and chance < 0.6:
            inner = b"".join(self._some(_FIELDS, 3)) + self._entity(depth + 1)
            return b"Content-Type: message/rfc822\r\n\r\n" + inner
        if chance < 0.65:
            return b""  # neither a blank line nor a body
        return self._leaf()

    def _leaf(self) -> bytes:
        head = b"".join(self._some(_FIELDS, 2))
        if self._random.random() < 0.8:
            head += b"Content-Type: " + self._random.choice(_TYPES) + b"\r\n"
        text = self._random.choice(_TEXTS)
        kind = self._random.choice(
            (b"", b"7bit", b"8bit", b"base64", b"quoted-printable", b"x-uue")
        )
        if kind:
            head += b"Content-Transfer-Encoding: " + kind + b"\r\n"
        if kind == b"base64" and self._random.random() < 0.7:
            text = base64.encodebytes(text * 30).replace(b"\n", b"\r\n")
        elif kind == b"quoted-printable" and self._random.random() < 0.7:
            text = quopri.encodestring(text).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return head + b"\r\n" + text

    def _multipart(self, depth: int) -> bytes:
        pick = self._random
        boundary = pick.choice(_BOUNDARIES)
        head = b'Content-Type: multipart/%b; boundary="%b"\r\n' % (pick.choice(_SUBTYPES), boundary)
        out = head + b"\r\n" + pick.choice((b"", b"", b"preamble\r\n", b"\r\n", b"--c\r\n"))
        for _ in range(pick.choice((0, 1, 1, 2, 2, 3))):
            space = pick.choice((b"", b"", b"", b" \t"))
            part = pick.choice((b"", b"\r\n", b"\r\n\r\n")) if pick.random() < 0.15 else None
            out += b"--" + boundary + space + b"\r\n"
            out += (self._entity(depth + 1) if part is None else part) + b"\r\n"
        if pick.random() < 0.75:
            out += b"--" + boundary + b"--"
            out += pick.choice((b"", b"\r\n", b"\r\nepilogue", b" \r\n--" + boundary + b"\r\nlate"))
        return out

    def _some(self, among: tuple[bytes, ...], most: int) -> list[bytes]:
        return self._random.sample(among, self._random.randint(0, most))
