"""Contacts as CSV with the column names of Google and of Outlook, read and written. Pure.

Reading takes either, whatever columns there are; what no column says is not there. Writing is for
one of the two.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from message.jscontact import Card, full_name, name_components, objects, text_of
from message.jscontact_dates import date_of, date_text
from message.vcard import V3

MAX_FIELD: Final = 128 * 1024
_NAMES: Final = (
    ("title", ("Name Prefix", "Title")),
    ("given", ("First Name", "Given Name")),
    ("given2", ("Middle Name", "Additional Name")),
    ("surname", ("Last Name", "Family Name")),
    ("generation", ("Name Suffix", "Suffix")),
)
_PARTS: Final = (
    ("name", ("Street",)),
    ("postOfficeBox", ("PO Box",)),
    ("locality", ("City",)),
    ("region", ("Region", "State")),
    ("postcode", ("Postal Code",)),
    ("country", ("Country", "Country/Region")),
)
_OUTLOOK_PHONES: Final = (
    ("Mobile Phone", "", ("mobile",)),
    ("Home Phone", "private", ()),
    ("Home Phone 2", "private", ()),
    ("Business Phone", "work", ()),
    ("Business Phone 2", "work", ()),
    ("Home Fax", "private", ("fax",)),
    ("Business Fax", "work", ("fax",)),
    ("Pager", "", ("pager",)),
    ("Other Phone", "", ()),
)
_OUTLOOK_EMAILS: Final = ("E-mail Address", "E-mail 2 Address", "E-mail 3 Address")
_OUTLOOK_PLACES: Final = (("Home", "private"), ("Business", "work"), ("Other", ""))
_LABELS: Final = {"home": "private", "work": "work", "mobile": "", "other": ""}
_BETWEEN: Final = " ::: "
_MANY: Final = 20


class Columns(StrEnum):
    """Whose names the columns have."""

    GOOGLE = "google"
    OUTLOOK = "outlook"


class NotCsv(ValueError):
    """No table of contacts; the text says why."""


def read_csv(data: bytes) -> Iterator[Card]:
    """The cards of a table, without UID. Raises NotCsv."""
    csv.field_size_limit(MAX_FIELD)
    text = _text(data)
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    try:
        names = rows.fieldnames or []
        if not any("name" in name.lower() or "e-mail" in name.lower() for name in names):
            raise NotCsv("No column is named as Google or Outlook name theirs")
        for row in rows:
            plain = {key: value.strip() for key, value in row.items() if isinstance(value, str)}
            if (card := _card(plain)) is not None:
                yield card
    except csv.Error as error:
        raise NotCsv(f"The table breaks off: {error}") from error


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").replace("\0", "")
    try:
        return data.decode("utf-8-sig").replace("\0", "")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace").replace("\0", "")


def _card(row: Mapping[str, str]) -> Card | None:
    card: Card = {"@type": "Card", "version": "1.0"}
    parts = [
        {"kind": kind, "value": value} for kind, names in _NAMES if (value := _of(row, *names))
    ]
    name: dict[str, Any] = {"components": parts} if parts else {}
    if full := _of(row, "Name", "File As", "Display Name"):
        name["full"] = full
    if name:
        card["name"] = name
    _put(card, "nicknames", [{"name": one} for one in _all(row, "Nickname")])
    _put(card, "emails", list(_emails(row)))
    _put(card, "phones", list(_phones(row)))
    _put(card, "addresses", list(_addresses(row)))
    organization = {"name": _of(row, "Organization Name", "Organization 1 - Name", "Company")}
    if unit := _of(row, "Organization Department", "Organization 1 - Department", "Department"):
        organization["units"] = [{"name": unit}]  # type: ignore[assignment]
    _put(card, "organizations", [organization] if any(organization.values()) else [])
    title = _of(row, "Organization Title", "Organization 1 - Title", "Job Title")
    _put(card, "titles", [{"name": title, "kind": "title"}] if title else [])
    links = [*_numbered(row, "Website"), ("", _of(row, "Web Page"))]
    _put(card, "links", [{"uri": value} for _, value in links if value])
    _put(card, "notes", [{"note": one} for one in _all(row, "Notes")])
    if (date := date_of(_of(row, "Birthday"))) is not None:
        _put(card, "anniversaries", [{"kind": "birth", "date": date}])
    words = _of(row, "Labels", "Group Membership").split(_BETWEEN.strip())
    words += _of(row, "Categories").split(";")
    keywords = [one.strip() for one in words if one.strip() and not one.strip().startswith("* ")]
    if keywords:
        card["keywords"] = dict.fromkeys(keywords, True)
    return card if len(card) > len(("@type", "version")) else None


def _put(card: Card, name: str, found: list[dict[str, Any]]) -> None:
    if found:
        card[name] = {str(number): one for number, one in enumerate(found, 1)}


def _of(row: Mapping[str, str], *names: str) -> str:
    return next((row[name] for name in names if row.get(name)), "")


def _all(row: Mapping[str, str], name: str) -> list[str]:
    return [row[name]] if row.get(name) else []


def _numbered(row: Mapping[str, str], what: str) -> Iterator[tuple[str, str]]:
    """Label and value of Google's columns, which may hold several values each."""
    for number in range(1, _MANY):
        label = _of(row, f"{what} {number} - Label", f"{what} {number} - Type")
        for value in row.get(f"{what} {number} - Value", "").split(_BETWEEN):
            if value.strip():
                yield label.removeprefix("* ").strip(), value.strip()


def _labelled(made: dict[str, Any], label: str) -> dict[str, Any]:
    known = label.lower()
    if known in _LABELS:
        context = _LABELS[known]
        return {**made, "contexts": {context: True}} if context else made
    return {**made, "label": label} if label else made


def _emails(row: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for label, value in _numbered(row, "E-mail"):
        yield _labelled({"address": value}, label)
    for name in _OUTLOOK_EMAILS:
        if value := _of(row, name):
            yield {"address": value}


def _phones(row: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for label, value in _numbered(row, "Phone"):
        made = _labelled({"number": value}, label)
        yield {**made, "features": {"mobile": True}} if label.lower() == "mobile" else made
    for name, context, features in _OUTLOOK_PHONES:
        if value := _of(row, name):
            made = {"number": value}
            if context:
                made["contexts"] = {context: True}
            if features:
                made["features"] = dict.fromkeys(features, True)
            yield made


def _addresses(row: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number in range(1, _MANY):
        before = f"Address {number} - "
        label = _of(row, f"{before}Label", f"{before}Type").removeprefix("* ")
        if made := _place(row, before):
            yield _labelled(made, label)
    for place, context in _OUTLOOK_PLACES:
        if made := _place(row, f"{place} "):
            yield {**made, "contexts": {context: True}} if context else made


def _place(row: Mapping[str, str], before: str) -> dict[str, Any]:
    parts = [
        {"kind": kind, "value": value}
        for kind, names in _PARTS
        if (value := _of(row, *(before + name for name in names)))
    ]
    full = row.get(f"{before}Formatted", "")
    if parts:
        return {"components": parts, **({"full": full} if full else {})}
    return {"full": full} if full else {}


def write_csv(cards: Iterable[Card], columns: Columns) -> bytes:
    """The cards of people as a table; groups are left to vCard."""
    rows = [_google(card) if columns is Columns.GOOGLE else _outlook(card) for card in cards]
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    to = io.StringIO(newline="")
    writer = csv.DictWriter(to, list(names) or ["First Name"], restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return to.getvalue().encode("utf-8", "replace")


def _common(card: Card) -> dict[str, str]:
    held: dict[str, list[str]] = {}
    for kind, value in name_components(card):
        held.setdefault({"surname2": "surname"}.get(kind, kind), []).append(value)
    row = {names[0]: " ".join(held.get(kind, [])) for kind, names in _NAMES}
    if not any(row.values()):
        row["First Name"] = full_name(card)
    row["Nickname"] = _first(card, "nicknames", "name")
    row["Notes"] = "\n".join(text_of(one.get("note")) for _, one in objects(card, "notes"))
    births = [one for _, one in objects(card, "anniversaries") if one.get("kind") == "birth"]
    row["Birthday"] = date_text(births[0].get("date"), V3) if births else ""
    return row


def _google(card: Card) -> dict[str, str]:
    row = _common(card)
    row["Organization Name"] = _first(card, "organizations", "name")
    row["Organization Title"] = _first(card, "titles", "name")
    row["Labels"] = _BETWEEN.join(_keywords(card))
    fields = (
        ("emails", "E-mail", "address"),
        ("phones", "Phone", "number"),
        ("links", "Website", "uri"),
    )
    for name, what, key in fields:
        for number, (_, one) in enumerate(objects(card, name), 1):
            row[f"{what} {number} - Label"] = _label(one)
            row[f"{what} {number} - Value"] = text_of(one.get(key))
    for number, (_, one) in enumerate(objects(card, "addresses"), 1):
        before = f"Address {number} - "
        row[f"{before}Label"] = _label(one)
        row[f"{before}Formatted"] = text_of(one.get("full"))
        row |= _placed(one, before, 0)
    return row


def _outlook(card: Card) -> dict[str, str]:
    row = _common(card)
    row["Title"], row["Suffix"] = row.pop("Name Prefix", ""), row.pop("Name Suffix", "")
    row["Company"] = _first(card, "organizations", "name")
    row["Job Title"] = _first(card, "titles", "name")
    row["Categories"] = ";".join(_keywords(card))
    row["Web Page"] = _first(card, "links", "uri")
    for column, (_, one) in zip(_OUTLOOK_EMAILS, objects(card, "emails"), strict=False):
        row[column] = text_of(one.get("address"))
    for _, one in objects(card, "phones"):
        if column := _phone_column(one, row):
            row[column] = text_of(one.get("number"))
    for _, one in objects(card, "addresses"):
        context = next((key for key in ("private", "work") if _in(one, key)), "")
        place = {"private": "Home", "work": "Business", "": "Other"}[context]
        row = {**_placed(one, f"{place} ", -1), **row}
    return row


def _phone_column(one: Mapping[str, Any], row: Mapping[str, str]) -> str:
    held = one.get("features")
    features = set(held) if isinstance(held, dict) else set()
    for column, context, wanted in _OUTLOOK_PHONES:
        fits = (not context or _in(one, context)) and set(wanted) == features & {
            "mobile",
            "fax",
            "pager",
        }
        if fits and column not in row:
            return column
    return "" if "Other Phone" in row else "Other Phone"


def _in(one: Mapping[str, Any], context: str) -> bool:
    held = one.get("contexts")
    return isinstance(held, dict) and held.get(context) is True


def _label(one: Mapping[str, Any]) -> str:
    if label := text_of(one.get("label")):
        return label
    held = one.get("features")
    if isinstance(held, dict) and held.get("mobile") is True:
        return "Mobile"
    return "Home" if _in(one, "private") else "Work" if _in(one, "work") else ""


def _placed(one: Mapping[str, Any], before: str, name: int) -> dict[str, str]:
    held: dict[str, list[str]] = {}
    for kind, value in name_components({"name": one}):
        held.setdefault({"number": "name", "apartment": "name"}.get(kind, kind), []).append(value)
    return {before + names[name]: " ".join(held.get(kind, [])) for kind, names in _PARTS}


def _first(card: Card, name: str, key: str) -> str:
    return next((text_of(one.get(key)) for _, one in objects(card, name)), "")


def _keywords(card: Card) -> list[str]:
    held = card.get("keywords")
    return [key for key, there in held.items() if there is True] if isinstance(held, dict) else []
