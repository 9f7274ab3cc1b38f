"""Body canonicalisation: the standard's examples, a plain model, any split into chunks, memory."""

import hashlib
import re
import tracemalloc
from base64 import b64encode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.dkim_body import BodyForm, Canonical, body_hashes

PARTS = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b" ", b"\t", b"  ", b"x", b"\xe4", b"text"]),
    max_size=40,
).map(b"".join)


def canonical(body: bytes, relaxed: bool, cuts: tuple[int, ...] = ()) -> bytes:
    one = Canonical(relaxed)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [piece for a, b in pairwise(edges) for piece in one.feed(body[a:b])]
    return b"".join([*pieces, *one.finish()])


def model(body: bytes, relaxed: bool) -> bytes:
    """RFC 6376 §3.4.3 and §3.4.4 word by word; the body's end ends its last line."""
    lines = body.split(b"\r\n")
    if relaxed:
        lines = [re.sub(rb"[ \t]+", b" ", line).removesuffix(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return b"" if relaxed else b"\r\n"
    return b"\r\n".join(lines) + b"\r\n"


@pytest.mark.parametrize(
    ("relaxed", "body", "wanted"),
    [
        (False, b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n"),
        (True, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (False, b"", b"\r\n"),
        (True, b"", b""),
        (True, b"\r\n\r\n", b""),
        (True, b" \t\r\n \r\n", b""),
        (False, b"\r\n\r\n", b"\r\n"),
        (False, b"no end", b"no end\r\n"),
        (True, b"a \r b\r", b"a \r b\r\r\n"),
    ],
)
def test_examples(relaxed: bool, body: bytes, wanted: bytes) -> None:
    assert canonical(body, relaxed) == wanted == model(body, relaxed)


def test_hashes_of_an_empty_body() -> None:
    """RFC 6376 §3.4.3 and §3.4.4 print them."""
    simple, relaxed = BodyForm(relaxed=False), BodyForm(relaxed=True)
    found = body_hashes([], [simple, relaxed])
    assert b64encode(found[simple].digest) == b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
    assert b64encode(found[relaxed].digest) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@given(PARTS, st.booleans(), st.lists(st.integers(0, 100), max_size=8).map(tuple))
def test_any_split_gives_what_the_model_says(
    body: bytes, relaxed: bool, cuts: tuple[int, ...]
) -> None:
    assert canonical(body, relaxed, cuts) == model(body, relaxed)


@given(PARTS, st.lists(st.integers(0, 80), max_size=4))
def test_several_forms_in_one_reading(body: bytes, lengths: list[int]) -> None:
    forms = [BodyForm(relaxed, n) for relaxed in (True, False) for n in (None, *lengths)]
    found = body_hashes([body[:7], body[7:]], forms)
    for form in forms:
        whole = model(body, form.relaxed)
        assert found[form].total == len(whole)
        assert found[form].digest == hashlib.sha256(whole[: form.length]).digest()


@pytest.mark.parametrize("filling", [b"\r\n", b" ", b"\t\r\n", b"\r", b"x"], ids=repr)
@pytest.mark.parametrize("relaxed", [True, False], ids=["relaxed", "simple"])
def test_long_runs_take_no_memory(filling: bytes, relaxed: bool) -> None:
    """16 MiB of what may have to be forgotten at the end, and then is not the end."""
    form = BodyForm(relaxed)
    chunk = filling * (65536 // len(filling))
    tracemalloc.start()
    body_hashes((*(chunk for _ in range(256)), b"end"), [form])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 1024 * 1024
