"""SearchSnippet/get: what of an Email matches a filter (RFC 8621 §5)."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from message.snippet import snippet
from net.threads import Offload
from storage.errors import MessageMissing
from storage.mail_query.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Contains,
    HeaderContains,
    Where,
)
from storage.object_ids import blob_of
from storage.rendering import is_quick
from web.jmap.arguments import Arguments, too_many
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import invalid_arguments
from web.jmap.filters import parse_filter
from web.jmap.limits import Limits
from web.jmap.mail.email import EmailType
from web.jmap.mail.email_conditions import email_condition, email_query
from web.jmap.mail.mailbox import MAIL
from web.jmap.methods import Call, Methods, Results
from web.jmap.octets import octets_of
from web.jmap.standard import Object
from web.jmap.standard_query import Query

_NAME: Final = "SearchSnippet/get"


class Terms(NamedTuple):
    """What a filter looks for in subjects and in bodies."""

    subject: tuple[str, ...]
    body: tuple[str, ...]


class Snippets:
    """The method."""

    def __init__(self, emails: EmailType, offload: Offload, limits: Limits) -> None:
        self._emails, self._offload, self._limits = emails, offload, limits

    def add_to(self, methods: Methods[Context]) -> None:
        """Under its name."""
        methods.add(MAIL, _NAME, self._get)

    async def _get(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id = arguments.id("accountId")
        filter_ = arguments.object("filter")
        ids = arguments.ids("emailIds")
        arguments.end()
        if ids is None:
            raise invalid_arguments("emailIds: an array of Ids is needed")
        account = mail_account(call, account_id)
        if len(ids) > self._limits.objects_in_get:
            raise too_many("emailIds", self._limits.objects_in_get)
        query = Query(parse_filter(filter_, email_condition))
        terms = terms_of(email_query(account.id, query).condition)
        found: list[Object] = []
        missing: list[str] = []
        for id_ in ids:
            told = await self._snippet(account, id_, terms)
            if told is None:
                missing.append(id_)
            else:
                found.append(told)
        return [(_NAME, {"accountId": account_id, "list": found, "notFound": missing or None})]

    async def _snippet(self, account: Account, id_: str, terms: Terms) -> Object | None:
        """None where there is no such Email."""
        try:
            data = await self._emails.octets(account, blob_of(id_))
        except MessageMissing:
            return None
        work = partial(snippet, in_subject=terms.subject, in_body=terms.body)
        found = work(data) if is_quick(data) else await self._offload.process(work, data)
        told = {"emailId": id_, "subject": found.subject, "preview": found.preview}
        account.budget.take(octets_of(told))
        return told


def terms_of(condition: Condition) -> Terms:
    """What is looked for; what must not be there is left out."""
    leaves = list(_wanted(condition))
    texts = [one.text for one in leaves if isinstance(one, Contains) and one.where is Where.TEXT]
    bodies = [one.text for one in leaves if isinstance(one, Contains) and one.where is Where.BODY]
    subjects = [
        one.text
        for one in leaves
        if isinstance(one, HeaderContains) and one.name.lower() == "subject" and one.text
    ]
    return Terms(_once([*texts, *subjects]), _once([*texts, *bodies]))


def _wanted(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from _wanted(part)
    else:
        yield condition


def _once(terms: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms))
