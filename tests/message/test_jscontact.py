"""JSContact out of vCard and back (RFC 9555): every rule there and back, and nothing lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.jscontact import (
    Card,
    emails_of,
    full_name,
    kind_of,
    members_of,
    search_words,
    uid_key,
)
from message.jscontact_reading import jscontact_of
from message.jscontact_writing import vcard_of
from message.vcard import V3, V4, Vcard, format_vcard, parse_vcard

APPLE = b"""BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//iPhone OS 17//EN
N:Doe;John;Q.,Public;Dr.;Jr.
FN:John Doe
ORG:ABC\\, Inc.;North;Sales
EMAIL;type=INTERNET;type=HOME;type=pref:j@doe.test
item1.TEL;type=pref:+1 2
item1.X-ABLabel:_$!<Mobile>!$_
item2.ADR;type=HOME:;;1 Main St;Town;ST;123;USA
item2.X-ABADR:us
item2.X-ABLabel:Cottage
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ
 SkZJ
BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-02
X-SOCIALPROFILE;type=twitter;x-user=jd:http://twitter.com/jd
X-PHONETIC-FIRST-NAME:Jon
X-IMAGETYPE;odd="a,b":PHOTO\\;x
UID:abc
REV:2024-01-02T03:04:05Z
END:VCARD
"""


def there_and_back(card: Card, version: str) -> Card:
    return jscontact_of(parse_vcard(format_vcard(vcard_of(card, version))))


def read(*lines: str, version: str = V4) -> Card:
    text = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", "UID:u", *lines, "END:VCARD", ""])
    return jscontact_of(parse_vcard(text.encode()))


@pytest.mark.parametrize("version", [V3, V4])
def test_what_apple_keeps_survives_an_edit(version: str) -> None:
    card = jscontact_of(parse_vcard(APPLE))
    assert card["vCardProps"] == [
        ["x-abadr", {"group": "item2"}, "unknown", "us"],
        ["x-phonetic-first-name", {}, "unknown", "Jon"],
        ["x-imagetype", {"odd": "a,b"}, "unknown", "PHOTO\\;x"],
    ]
    assert card["phones"] == {"1": {"number": "+1 2", "pref": 1, "label": "Mobile"}}
    assert card["addresses"]["1"]["label"] == "Cottage"
    assert card["anniversaries"]["1"]["date"] == {"@type": "PartialDate", "month": 3, "day": 2}
    assert card["media"]["1"]["uri"] == "data:image/jpeg;base64,/9j/4AAQSkZJ"
    edited = {**card, "keywords": {"friend": True}}
    assert there_and_back(edited, version) == edited
    text = format_vcard(vcard_of(edited, version))
    assert b"item2.X-ABADR:us\r\n" in text and b"item2.X-ABLABEL:Cottage\r\n" in text


# A line of vCard 4, and what it is in JSContact.
RULES: list[tuple[str, dict[str, Any]]] = [
    ("FN:A\\, B", {"name": {"full": "A, B"}}),
    (
        "N;SORT-AS=Doe,John:Doe;John;;;",
        {
            "name": {
                "components": [
                    {"kind": "surname", "value": "Doe"},
                    {"kind": "given", "value": "John"},
                ],
                "sortAs": {"surname": "Doe", "given": "John"},
            }
        },
    ),
    (
        "N:Diaz,Ruiz;Ana;;;Jr.;Ruiz;Jr.",
        {
            "name": {
                "components": [
                    {"kind": "surname", "value": "Diaz"},
                    {"kind": "given", "value": "Ana"},
                    {"kind": "surname2", "value": "Ruiz"},
                    {"kind": "generation", "value": "Jr."},
                ]
            }
        },
    ),
    (
        'N;JSCOMPS=";1;9":Doe;John;Q;;',
        {
            "name": {
                "components": [
                    {"kind": "surname", "value": "Doe"},
                    {"kind": "given", "value": "John"},
                    {"kind": "given2", "value": "Q"},
                ]
            }
        },
    ),
    (
        'N;JSCOMPS="s,-;1;s, ;0":Doe;John;;;',
        {
            "name": {
                "components": [
                    {"kind": "given", "value": "John"},
                    {"kind": "separator", "value": " "},
                    {"kind": "surname", "value": "Doe"},
                ],
                "isOrdered": True,
                "defaultSeparator": "-",
            }
        },
    ),
    ("KIND:org", {"kind": "org"}),
    ("MEMBER:urn:uuid:1", {"members": {"urn:uuid:1": True}}),
    ("NICKNAME;TYPE=work:Bo", {"nicknames": {"1": {"name": "Bo", "contexts": {"work": True}}}}),
    (
        'ORG;SORT-AS="abc":ABC;North',
        {"organizations": {"1": {"name": "ABC", "sortAs": "abc", "units": [{"name": "North"}]}}},
    ),
    ("TITLE:Boss", {"titles": {"1": {"name": "Boss", "kind": "title"}}}),
    ("ROLE:Lead", {"titles": {"1": {"name": "Lead", "kind": "role"}}}),
    (
        "EMAIL;PROP-ID=e9;PREF=2;X-ODD=1:a@b.test",
        {"emails": {"e9": {"address": "a@b.test", "pref": 2, "vCardParams": {"x-odd": "1"}}}},
    ),
    (
        "TEL;VALUE=uri;TYPE=cell,text,home,x-sat:tel:+1",
        {
            "phones": {
                "1": {
                    "number": "tel:+1",
                    "contexts": {"private": True},
                    "features": {"mobile": True, "text": True},
                    "vCardParams": {"type": "x-sat"},
                }
            }
        },
    ),
    (
        "IMPP:xmpp:a@b.test",
        {"onlineServices": {"1": {"uri": "xmpp:a@b.test", "vCardName": "impp"}}},
    ),
    (
        "SOCIALPROFILE;SERVICE-TYPE=Mastodon;USERNAME=@a:https://m.test/@a",
        {
            "onlineServices": {
                "1": {"service": "Mastodon", "user": "@a", "uri": "https://m.test/@a"}
            }
        },
    ),
    ("LANG;PREF=1:de", {"preferredLanguages": {"1": {"language": "de", "pref": 1}}}),
    (
        'ADR;CC=us;TZ=America/X;GEO="geo:1,2";LABEL="1 St^nTown":;;1 St;Town;;9;USA',
        {
            "addresses": {
                "1": {
                    "components": [
                        {"kind": "name", "value": "1 St"},
                        {"kind": "locality", "value": "Town"},
                        {"kind": "postcode", "value": "9"},
                        {"kind": "country", "value": "USA"},
                    ],
                    "full": "1 St\nTown",
                    "coordinates": "geo:1,2",
                    "timeZone": "America/X",
                    "countryCode": "us",
                }
            }
        },
    ),
    (
        "ADR:;2;3 Main;Town;;;;;2;;3;Main;;;;;;",
        {
            "addresses": {
                "1": {
                    "components": [
                        {"kind": "locality", "value": "Town"},
                        {"kind": "apartment", "value": "2"},
                        {"kind": "number", "value": "3"},
                        {"kind": "name", "value": "Main"},
                    ]
                }
            }
        },
    ),
    (
        "PHOTO;MEDIATYPE=image/png:https://a.test/p.png",
        {
            "media": {
                "1": {"kind": "photo", "uri": "https://a.test/p.png", "mediaType": "image/png"}
            }
        },
    ),
    (
        "KEY:data:application/pgp-keys;base64,AA==",
        {"cryptoKeys": {"1": {"uri": "data:application/pgp-keys;base64,AA=="}}},
    ),
    (
        "BDAY:19850412",
        {
            "anniversaries": {
                "1": {
                    "kind": "birth",
                    "date": {"@type": "PartialDate", "year": 1985, "month": 4, "day": 12},
                }
            }
        },
    ),
    (
        "DEATHDATE:2001-05",
        {
            "anniversaries": {
                "1": {"kind": "death", "date": {"@type": "PartialDate", "year": 2001, "month": 5}}
            }
        },
    ),
    (
        "ANNIVERSARY:19960415T231000Z",
        {
            "anniversaries": {
                "1": {
                    "kind": "wedding",
                    "date": {"@type": "Timestamp", "utc": "1996-04-15T23:10:00Z"},
                }
            }
        },
    ),
    (
        "BDAY:---12",
        {"anniversaries": {"1": {"kind": "birth", "date": {"@type": "PartialDate", "day": 12}}}},
    ),
    ("URL:https://a.test/", {"links": {"1": {"uri": "https://a.test/"}}}),
    (
        "CONTACT-URI:mailto:a@b.test",
        {"links": {"1": {"uri": "mailto:a@b.test", "kind": "contact"}}},
    ),
    (
        "CALURI:https://a.test/c",
        {"calendars": {"1": {"uri": "https://a.test/c", "kind": "calendar"}}},
    ),
    (
        "FBURL:https://a.test/f",
        {"calendars": {"1": {"uri": "https://a.test/f", "kind": "freeBusy"}}},
    ),
    ("CALADRURI:mailto:a@b.test", {"schedulingAddresses": {"1": {"uri": "mailto:a@b.test"}}}),
    (
        "SOURCE:https://a.test/s",
        {"directories": {"1": {"uri": "https://a.test/s", "kind": "entry"}}},
    ),
    (
        "ORG-DIRECTORY;INDEX=2:ldap://a.test",
        {"directories": {"1": {"uri": "ldap://a.test", "kind": "directory", "listAs": 2}}},
    ),
    ("CATEGORIES:a,b\\,c", {"keywords": {"a": True, "b,c": True}}),
    (
        "NOTE;CREATED=20221123T150132Z;AUTHOR-NAME=Jo:x\\ny",
        {
            "notes": {
                "1": {
                    "note": "x\ny",
                    "created": "2022-11-23T15:01:32Z",
                    "author": {"name": "Jo"},
                }
            }
        },
    ),
    (
        "RELATED;TYPE=friend:urn:uuid:2",
        {"relatedTo": {"urn:uuid:2": {"relation": {"friend": True}}}},
    ),
    ("RELATED;VALUE=text:Jim", {"relatedTo": {"Jim": {"relation": {}}}}),
    (
        "EXPERTISE;LEVEL=expert;INDEX=1:chess",
        {
            "personalInfo": {
                "1": {"kind": "expertise", "value": "chess", "level": "high", "listAs": 1}
            }
        },
    ),
    (
        "HOBBY;LEVEL=high:x",
        {"personalInfo": {"1": {"kind": "hobby", "value": "x", "level": "high"}}},
    ),
    ("GRAMGENDER:feminine", {"speakToAs": {"grammaticalGender": "feminine"}}),
    ("PRONOUNS:they/them", {"speakToAs": {"pronouns": {"1": {"pronouns": "they/them"}}}}),
    ("PRODID:x", {"prodId": "x"}),
    ("LANGUAGE:de", {"language": "de"}),
    ("REV:20240102T030405Z", {"updated": "2024-01-02T03:04:05Z"}),
    ("CREATED:20240102T030405+0100", {"created": "2024-01-02T02:04:05Z"}),
    ('JSPROP;JSPTR="test.example:a":{"b":[1]}', {"test.example:a": {"b": [1]}}),
    ("GENDER:F", {"vCardProps": [["gender", {}, "unknown", "F"]]}),
    ("BDAY;VALUE=text:circa 1800", {"vCardProps": [["bday", {}, "text", "circa 1800"]]}),
    (
        "g1.X-B;VALUE=integer;P=a,b:1",
        {"vCardProps": [["x-b", {"p": ["a", "b"], "group": "g1"}, "integer", "1"]]},
    ),
]


@pytest.mark.parametrize(
    ("line", "wanted"),
    RULES,
    ids=[f"{n}-{line.split(':')[0].split(';')[0].lower()}" for n, (line, _) in enumerate(RULES)],
)
def test_each_rule_there_and_back(line: str, wanted: dict[str, Any]) -> None:
    card = read(line)
    assert card == {"@type": "Card", "version": "1.0", "uid": "u", **wanted}
    again = there_and_back(card, V4)
    assert again == card


def test_the_same_in_another_language_is_kept() -> None:
    card = read("TITLE;ALTID=1;LANGUAGE=en:Boss", "TITLE;ALTID=1;LANGUAGE=fr:Patron")
    assert list(card["titles"]) == ["1"] and card["vCardProps"][0][3] == "Patron"
    assert there_and_back(card, V4)["vCardProps"] == card["vCardProps"]


def test_what_vcard_has_no_property_for_is_kept() -> None:
    card: Card = {
        "@type": "Card",
        "version": "1.0",
        "uid": "u",
        "name": {"full": "A"},
        "localizations": {"de": {"name/full": "Ä"}},
        "test.example:x": [1, "a;b,c\n"],
    }
    for version in (V3, V4):
        assert there_and_back(card, version) == card


def test_a_group_for_apple_and_for_others() -> None:
    card: Card = {"@type": "Card", "version": "1.0", "uid": "g", "kind": "group"}
    card |= {"name": {"full": "Team"}, "members": {"urn:uuid:1": True, "plain": True}}
    for version, kind in ((V3, b"X-ADDRESSBOOKSERVER-KIND:group"), (V4, b"\r\nKIND:group")):
        assert kind in format_vcard(vcard_of(card, version))
        assert there_and_back(card, version) == card


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.text('a:;,\\\n"^é-', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "1",
                    "@type",
                    "kind",
                    "name",
                    "value",
                    "components",
                    "address",
                    "number",
                    "uri",
                    "pref",
                    "contexts",
                    "label",
                    "date",
                    "year",
                    "month",
                    "vCardParams",
                    "units",
                    "isOrdered",
                    "relation",
                    "group",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
_KEYS = [
    "name",
    "emails",
    "phones",
    "addresses",
    "media",
    "anniversaries",
    "members",
    "vCardProps",
    "keywords",
    "notes",
    "relatedTo",
    "onlineServices",
    "organizations",
    "speakToAs",
    "kind",
    "updated",
    "personalInfo",
    "links",
    "localizations",
]


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4))
def test_any_json_is_written(card: Card) -> None:
    made = {"uid": "u", **card}
    for version in (V3, V4):
        again = there_and_back(made, version)
        assert again["uid"] == "u"
        json.dumps(again)
    full_name(made), emails_of(made), kind_of(made), members_of(made), search_words(made)


_PROPERTIES = (
    ("FN", "N", "ORG", "EMAIL", "TEL", "ADR", "BDAY", "PHOTO", "NOTE", "URL", "X-ABLABEL"),
    ("X-Y", "RELATED", "CATEGORIES", "KIND", "IMPP", "NICKNAME", "TITLE", "REV", "KEY"),
)
_LINES = st.tuples(
    st.sampled_from(["", "item1.", "g."]),
    st.sampled_from([name for names in _PROPERTIES for name in names]),
    st.sampled_from(
        [
            "",
            ";TYPE=home",
            ";PREF=1",
            ";X=1",
            ";VALUE=text",
            ";PROP-ID=1",
            ";ALTID=1",
            ";ALTID=1;LANGUAGE=fr",
        ]
    ),
    st.text("a:;,\\n1é -", max_size=12).map(":".__add__),
).map("".join)


@given(st.lists(_LINES, max_size=6))
def test_reading_settles(lines: list[str]) -> None:
    """What is written of what was read is read as the same; a group without company may go."""
    card = read("FN:Somebody", *lines)
    assert without_groups(there_and_back(card, V4)) == without_groups(card)


def without_groups(value: Any) -> Any:
    if isinstance(value, list):
        return [without_groups(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: without_groups(one) for key, one in value.items() if key != "group"}
    return {key: one for key, one in made.items() if key != "vCardParams" or one}


def test_uids_are_one_in_all_spellings() -> None:
    assert uid_key("URN:UUID:AB") == uid_key("ab") == uid_key(" urn:uuid:ab ")


def test_names_are_made_of_what_there_is() -> None:
    assert full_name({"organizations": {"1": {"name": "ABC"}}}) == "ABC"
    parts = [{"kind": "surname", "value": "Doe"}, {"kind": "given", "value": "Jo"}]
    assert full_name({"name": {"components": parts}}) == "Jo Doe"
    assert full_name({"name": {"components": parts, "isOrdered": True}}) == "Doe Jo"
    assert search_words(
        {"name": {"full": "Ängström-Née"}, "emails": {"1": {"address": "a.b@c.test"}}}
    ) >= {"angstrom", "nee", "a", "b", "c", "test", "a.b@c.test"}


def test_a_card_without_a_uid_gets_that_of_its_reader() -> None:
    assert jscontact_of(Vcard(V4, ()), "given")["uid"] == "given"
