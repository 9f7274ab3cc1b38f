"""Messages for tests: built from parts of known bytes, hostile ones, and a folder of real ones."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """A part with its exact bytes; `children` of a multipart, or the one message of a message."""

    header: bytes
    body: bytes
    children: tuple["Node", ...] = ()
    kind: str = "leaf"

    @property
    def whole(self) -> bytes:
        return self.header + self.body


def leaf(body: bytes, content_type: str = "text/plain", extra: bytes = b"") -> Node:
    return Node(b"Content-Type: " + content_type.encode() + b"\r\n" + extra + b"\r\n", body)


def multipart(boundary: str, *children: Node, extra: bytes = b"", preamble: bytes = b"") -> Node:
    head = extra + b'Content-Type: multipart/mixed; boundary="' + boundary.encode() + b'"\r\n\r\n'
    line = b"--" + boundary.encode()
    body = preamble + b"".join(line + b"\r\n" + child.whole + b"\r\n" for child in children)
    return Node(head, body + line + b"--\r\n", children, "multipart")


def message(inside: Node) -> Node:
    return Node(b"Content-Type: message/rfc822\r\n\r\n", inside.whole, (inside,), "message")


ENVELOPE_HEADER = (
    b'From: "Doe, John" <john@example.org>\r\nTo: Jane <jane@example.com>, bob@example.net\r\n'
    b"Subject: =?utf-8?q?h=C3=A9llo?=\r\nDate: Mon, 2 Jan 2006 15:04:05 -0700\r\n"
    b"Message-ID: <abc.def@example.org>\r\nMIME-Version: 1.0\r\n"
)
TYPICAL = multipart(
    "=_outer",
    multipart(
        "=_inner",
        leaf(b"Hello\r\nthere\r\n", "text/plain; charset=utf-8"),
        leaf(b"<p>Hello</p>", "text/html; charset=utf-8"),
    ),
    leaf(
        b"JVBERi0=\r\n",
        'application/pdf; name="a.pdf"',
        b'Content-Disposition: attachment; filename="a.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n",
    ),
    extra=ENVELOPE_HEADER,
    preamble=b"preamble\r\n",
)


def hostile(size: int) -> dict[str, bytes]:
    """Messages of about `size` octets, each an attack on a parser's time or memory."""
    mixed = b"Content-Type: multipart/mixed; boundary=q\r\n\r\n"
    nested = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return {
        "dashes": mixed + b"\r\n--" * (size // 4),
        "dashes with text": mixed + b"\r\n--a" * (size // 5),
        "many parts": mixed + b"--q\r\n\r\nx\r\n" * (size // 10),
        "no blank lines": mixed + b"--q\r\nA: b\r\n" * (size // 11),
        "empty parts": mixed + b"--q\r\n" * (size // 5),
        "deep": b"".join(nested % (i, i) for i in range(1000)),
        "deep in one boundary": (mixed + b"--q\r\n") * (size // 50),
        "closed too often": mixed + b"--q\r\n" + b"\r\n--q--\r\n" * (size // 9),
        "messages": b"Content-Type: message/rfc822\r\n\r\n" * (size // 32),
        "digests": b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" * (size // 53),
        "10,000 fields": b"".join(b"X-%d: xxxxx xxxxx\r\n" % i for i in range(10_000)) + b"\r\n",
        "long lines": (b"x" * 100_000 + b"\r\n") * max(size // 100_000, 1),
        "folds": b"Content-Type: a/b" + b";\r\n a=b" * (size // 8),
        "open quote": b'Content-Type: a/b; x="' + b"\\" * size,
        "types": b"Content-Type: a/b\r\n" * (size // 19),
        "NUL": bytes(size),
        "LF": b"\n" * size,
        "CR": b"\r" * size,
        "CRLF": b"\r\n" * (size // 2),
        "long boundary": b"Content-Type: multipart/mixed; boundary=" + b"a" * 300 + b"\r\n\r\n"
        + (b"\r\n--" + b"a" * 299) * (size // 303),
        "addresses": b"To: " + b"a@b, " * (size // 5),
        "angles": b"To: " + b"<" * size,
        "comments": b"To: " + b"(" * size,
        "quotes": b"To: " + b'"' * size,
        "ats": b"To: " + b"@" * size,
        "spaces": b"To: a" + b" " * size + b"b",
        "groups": b"To: " + b"a:;" * (size // 3),
        "words": b"Subject: " + b"=?utf-8?q?a?= " * (size // 14),
        "brackets": b"Subject: " + b"[a]" * (size // 3),
        "re": b"Subject: " + b"Re: " * (size // 4),
        "references": b"References: " + b"<a@b> " * (size // 6),
    }  # fmt: skip


def corpus() -> dict[str, bytes]:
    """Messages by name, CRLF: some built here, and the files of $MAILSERVER_TEST_DATA/mime where
    that is set. The name of a file has its folder before it.
    """
    messages = {"typical": TYPICAL.whole, "in a message": message(TYPICAL).whole}
    for number in range(60):
        kind = ("text/plain", "text/html; charset=utf-8", "image/png", "application/pdf")[
            number % 4
        ]
        inner = leaf(f"part {number}\r\n".encode() * number, kind)
        deep = multipart(f"b{number}", inner, message(inner), leaf(b""), preamble=b"pre\r\n" * 2)
        node = multipart("outer", deep, inner) if number % 3 else message(deep)
        messages[f"built {number}"] = ENVELOPE_HEADER + node.whole
    folder = os.environ.get("MAILSERVER_TEST_DATA")
    if folder:
        files = sorted(Path(folder, "mime").rglob("*.eml"))
        assert files, f"MAILSERVER_TEST_DATA is set, but {folder}/mime has no *.eml"
        for path in files:
            data = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            messages[f"{path.parent.name}/{path.name}"] = data
    return messages
