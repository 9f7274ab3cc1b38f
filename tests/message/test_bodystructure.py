"""BODYSTRUCTURE read back says the same of a message as its parts do."""

import random
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.bodystructure import names, parse_structure
from message.crlf import to_crlf
from message.render import render
from message.scan import scan_crlf, walk
from message.shown import bodies
from web.jmap.mail.body import tree

_KINDS = ("plain", "html", "alternative", "mixed", "related", "image", "pdf", "named", "message")


def made(chance: random.Random, depth: int = 0) -> EmailMessage:
    """A message of random parts."""
    mail = EmailMessage()
    kind = chance.choice(_KINDS[: None if depth < 3 else 2])
    if kind in ("alternative", "mixed", "related"):
        mail["Content-Type"] = f"multipart/{kind}"
        for _ in range(chance.randint(1, 3)):
            mail.attach(made(chance, depth + 1))
    elif kind == "message":
        mail.set_content(made(chance, depth + 1))
    elif kind in ("image", "pdf"):
        main = "image" if kind == "image" else "application"
        mail.set_content(b"\0\1", maintype=main, subtype="png" if kind == "image" else "pdf")
    elif kind == "named":
        mail["Content-Type"] = 'text/plain; name="a (1) \\"x\\".txt"'
        mail.set_payload("text")
    else:
        mail.set_content("text", subtype=kind)
    if kind not in ("alternative", "mixed", "related") and chance.random() < 0.5:
        del mail["Content-Disposition"]
        name = chance.choice(("é.pdf", "plain.txt", 'with "quotes".bin', ""))
        options = {"filename": name} if name else {}
        mail.add_header("Content-Disposition", chance.choice(("inline", "attachment")), **options)
    return mail


@given(st.integers(0, 1 << 32))
def test_it_says_what_the_parts_say(seed: int) -> None:
    data = to_crlf(made(random.Random(seed)).as_bytes())
    root = scan_crlf(data)
    found = parse_structure(render(data).bodystructure)
    assert bodies(found).has_attachment == bodies(tree(root)).has_attachment
    assert len(bodies(found).text) == len(bodies(tree(root)).text)
    shown = [part.filename for part in walk(root) if part.filename]
    assert set(names(found)) <= set(shown)
    if not any(part.is_message for part in walk(root)):
        assert names(found) == shown


@pytest.mark.parametrize("data", [b"", b"(", b"x", b"(NIL)", b'("TEXT")', b'("a" {9}\r\nx)'])
def test_what_is_none_raises_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError, match="structure"):
        parse_structure(data)


@given(st.binary(max_size=200))
def test_any_octets_are_refused_or_read(data: bytes) -> None:
    try:
        parse_structure(data)
    except ValueError:
        pass
