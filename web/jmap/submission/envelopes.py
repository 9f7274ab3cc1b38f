"""The Envelope of an EmailSubmission (RFC 8621 §7): as given by a client, or out of the header.
Pure.
"""

from collections.abc import Mapping
from typing import Any

from filters.mailing.values import BadWish, Grammar, NotSent, To, Why, Wish
from message.address import AddressError, parse_mailbox
from message.address_list import mailboxes
from message.authors import AuthorsError, authors, sender
from message.headers import all_values
from storage.directory_names import address_key
from web.jmap.errors import SetError, invalid_properties

Object = dict[str, Any]
_MAX = 128 * 1024


def derived(header: bytes, identity_email: str) -> Object:
    """From Sender, From, To, Cc and Bcc. Raises NotSent."""
    people: dict[str, None] = {}
    for name in (b"to", b"cc", b"bcc"):
        for value in all_values(header, name):
            people |= dict.fromkeys(one.text for one in mailboxes(value[:_MAX]) if one.text)
    return {
        "mailFrom": {"email": _sender(header, identity_email), "parameters": None},
        "rcptTo": [{"email": one, "parameters": None} for one in people],
    }


def given(value: Any) -> Object:
    """What a client sent, whole. Raises SetError."""
    if not isinstance(value, dict) or value.keys() != {"mailFrom", "rcptTo"}:
        raise _invalid("mailFrom and rcptTo are needed")
    if not isinstance(value["rcptTo"], list):
        raise _invalid("rcptTo is an array of addresses")
    people: dict[str, Object] = {}
    for one in value["rcptTo"]:
        to = _address(one)
        people.setdefault(to["email"], to)
    return {"mailFrom": _address(value["mailFrom"]), "rcptTo": list(people.values())}


def wish_of(envelope: Object, grammar: Grammar, *, admin: bool) -> Wish:
    """Read as SMTP reads it. Raises NotSent, SetError."""
    start = envelope["mailFrom"]
    try:
        wish = grammar.sender(start["email"], start["parameters"] or {}, admin=admin)
    except BadWish as error:
        raise _invalid(f"mailFrom: {error}") from None
    people: list[To] = []
    bad: list[str] = []
    for one in envelope["rcptTo"]:
        try:
            parse_mailbox(one["email"])
            people.append(grammar.recipient(one["email"], one["parameters"] or {}))
        except (AddressError, BadWish):
            bad.append(one["email"])
    if bad:
        text = "not addresses, or with parameters that there are not"
        raise NotSent(Why.INVALID_RECIPIENTS, text, recipients=tuple(bad))
    return Wish(
        wish.sender,
        tuple(people),
        wish.ret,
        wish.envid,
        wish.require_tls,
        wish.hold_until,
        wish.deliver_by,
        wish.priority,
    )


def _sender(header: bytes, identity_email: str) -> str:
    try:
        found = authors(header)
    except AuthorsError as error:
        raise NotSent(Why.INVALID_EMAIL, f"Bad message header: {error}") from None
    named = sender(header)
    if len(named) > 1:
        raise NotSent(Why.INVALID_EMAIL, "Sender has more than one address")
    if not named and found is not None and len(found.addresses) > 1:
        raise NotSent(Why.INVALID_EMAIL, "From has several addresses, and Sender none")
    author = named[0] if named else found.addresses[0] if found is not None else ""
    return author if address_key(author) == address_key(identity_email) else identity_email


def _address(value: Any) -> Object:
    if not isinstance(value, Mapping) or not value.keys() <= {"email", "parameters"}:
        raise _invalid("an address has email and parameters")
    email, parameters = value.get("email"), value.get("parameters")
    if not isinstance(email, str):
        raise _invalid("email is a text")
    if parameters is not None and not (
        isinstance(parameters, dict)
        and all(one is None or isinstance(one, str) for one in parameters.values())
    ):
        raise _invalid("parameters are an object of texts, or null")
    return {"email": email, "parameters": parameters}


def _invalid(text: str) -> SetError:
    return invalid_properties(text, "envelope")
