"""Links to files of hostile names and types."""

import imaplib

import pytest

from tests.support.drive import attach, get, items, link
from tests.support.server import ServerProcess


@pytest.mark.parametrize(
    ("name", "plain", "extended"),
    [
        ("Übersicht €.pdf", "_bersicht _.pdf", "UTF-8''%C3%9Cbersicht%20%E2%82%AC.pdf"),
        ('a"b\\c;d.txt', "c;d.txt", None),
        ("../../etc/passwd", "passwd", None),
        (
            "x\r\nSet-Cookie: a=b.txt",
            "x Set-Cookie_ a=b.txt",
            "UTF-8''x%20Set-Cookie%3A%20a%3Db.txt",
        ),
        ("photo\u202egpj.exe", "photogpj.exe", None),
        ("...", "file", None),
        ("n" * 400 + ".tar", "n" * 251 + ".tar", None),
    ],
    ids=["unicode", "quotes", "path", "header", "direction", "dots", "long"],
)
def test_hostile_names(
    server: ServerProcess, imap: imaplib.IMAP4, name: str, plain: str, extended: str | None
) -> None:
    mail = _named(name)
    before = {one["id"] for one in items(server)}
    imap.append("INBOX", "", "", mail)
    (made,) = [one for one in items(server) if one["id"] not in before]
    got = get(server, link(server, made["id"])["url"])
    assert got.status == 200
    expected = f'attachment; filename="{plain}"'
    expected += f"; filename*={extended}" if extended else ""
    assert got.fields["content-disposition"] == expected
    assert "set-cookie" not in got.fields


def _named(name: str) -> bytes:
    """With the name as RFC 2231 has it, whatever it holds."""
    coded = "".join(f"%{octet:02X}" for octet in name.encode())
    return (
        b"From: bob@example.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Disposition: attachment; filename*=UTF-8''" + coded.encode() + b"\r\n\r\n"
        b"data of " + coded[:60].encode() + b"\r\n--b--\r\n"
    )


def test_html_is_saved_whatever_was_wished(server: ServerProcess, imap: imaplib.IMAP4) -> None:
    page = attach(server, imap, "a.png", b"<html><script>alert(1)</script></html>")
    got = get(server, link(server, page, inline=True)["url"])
    assert got.fields["content-disposition"].startswith("attachment;")
    picture = attach(server, imap, "b.html", b"\x89PNG\r\n\x1a\n" + bytes(50))
    got = get(server, link(server, picture, inline=True)["url"])
    assert got.fields["content-type"] == "image/png"
    assert got.fields["content-disposition"].startswith("inline;")
