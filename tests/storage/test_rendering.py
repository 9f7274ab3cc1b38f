"""What is rendered in the loop: little work, whatever the size."""

import pytest

from storage.rendering import is_quick

HEAD = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "quick"),
    [
        (HEAD + b"text\r\n" * 10_000, True),
        (HEAD + b"text\r\n" * 20_000, False),
        (HEAD + b"--b\r\n\r\n" * 10 + b"--b--\r\n", True),
        (HEAD + b"--b\r\n\r\n" * 1_000, False),
        (b"To: " + b"a@b.test,\r\n " * 1_000 + b"\r\n\r\n", False),
        (b"a\nmessage\n\nwithout CRLF", False),
    ],
)
def test_only_simple_messages_are_quick(data: bytes, quick: bool) -> None:
    assert is_quick(data) is quick
