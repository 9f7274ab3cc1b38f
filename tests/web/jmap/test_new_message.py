"""New Emails as values: whatever a client sends is a message or a SetError, and what it says comes
back (RFC 8621 §4.6).
"""

import unicodedata
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from message.compose import Source
from web.jmap.errors import SetError
from web.jmap.mail.body import DEFAULT_PART
from web.jmap.mail.content import BodyOptions, email_content
from web.jmap.mail.new_message import Stamp, blobs_of, new_message, refuse_unknown

STAMP = Stamp("1@example.test", datetime(2026, 11, 29, tzinfo=UTC))
NAMES = [
    "from",
    "to",
    "subject",
    "sentAt",
    "messageId",
    "header:X-A",
    "header:To:asGroupedAddresses:all",
    "header:Content-Type",
    "textBody",
    "htmlBody",
    "attachments",
    "bodyStructure",
    "bodyValues",
    "mailboxIds",
]
INSIDE = [
    *("name", "email", "addresses", "partId", "blobId", "type", "subParts", "disposition", "cid"),
    *("language", "location", "charset", "size", "value", "isTruncated", "1", "header:X-B:asText"),
]
TYPES = ["text/plain", "text/html", "multipart/mixed", "message/rfc822", "image/png", "1", "S1"]
LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.sampled_from(TYPES)
)
VALUES = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(INSIDE), inner, max_size=5)
    ),
    max_leaves=12,
)
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80).map(
    lambda value: " ".join(value.split())
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=300)


def octets(_blob_id: str, kind: str) -> Source:
    return b"Subject: inside\r\n\r\nx" if kind.startswith("message/") else b"octets"


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_anything_is_a_message_or_refused(made: dict[str, Any]) -> None:
    try:
        refuse_unknown(made)
        blobs_of(made)
        data = new_message(made, octets, STAMP).data
    except SetError as error:
        assert error.kind == "invalidProperties"
        return
    header = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(line[:1] in b" \t" or b":" in line for line in header)
    assert data.lower().count(b"\r\nmime-version: 1.0\r\n") == 1
    email_content(data, "B1", frozenset({"bodyStructure"}), BodyOptions(DEFAULT_PART))


@given(WORD, WORD, TEXT, TEXT)
def test_what_is_said_comes_back(subject: str, name: str, plain: str, html: str) -> None:
    made = {
        "subject": subject,
        "to": [{"name": name or None, "email": "ada@example.test"}],
        "textBody": [{"partId": "t"}],
        "htmlBody": [{"partId": "h"}],
        "attachments": [{"blobId": "S1", "name": subject or "x", "type": "image/png"}],
        "bodyValues": {"t": {"value": plain}, "h": {"value": html}},
    }
    data = new_message(made, octets, STAMP).data
    asked = frozenset({"subject", "to", "bodyValues", "textBody", "htmlBody", "attachments"})
    found = email_content(data, "B1", asked, BodyOptions(DEFAULT_PART, all_values=True))
    assert found["subject"].split() == _nfc(subject).split()
    assert found["to"] == [{"name": _nfc(name) or None, "email": "ada@example.test"}]
    (attachment,) = found["attachments"]
    assert (attachment["name"], attachment["size"]) == (subject or "x", 6)
    values = found["bodyValues"]
    texts = [values[found[one][0]["partId"]]["value"] for one in ("textBody", "htmlBody")]
    assert [one.removesuffix("\n") for one in texts] == [
        one.removesuffix("\n") for one in (plain, html)
    ]


def _nfc(value: str) -> str:
    return unicodedata.normalize("NFC", value)
