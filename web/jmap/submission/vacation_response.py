"""The VacationResponse object: /get and /set (RFC 8621 §8)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.vacations import MAX_BODY, MAX_SUBJECT, SINGLETON, VacationResponse, Vacations
from web.jmap.arguments import utc_date
from web.jmap.config_type import ConfigType
from web.jmap.context import Account, Context
from web.jmap.errors import SetError, invalid_properties
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Object
from web.jmap.submission.addresses import is_line

VACATION: Final = "urn:ietf:params:jmap:vacationresponse"
_PROPERTIES: Final = ("isEnabled", "fromDate", "toDate", "subject", "textBody", "htmlBody")


class VacationType(ConfigType):
    """One of an account, which is always there."""

    name = "VacationResponse"
    capability = VACATION
    properties = frozenset(_PROPERTIES)
    kinds = frozenset((Kind.VACATION,))

    def __init__(self, database: ConfigDatabase, vacations: Vacations) -> None:
        super().__init__(database)
        self._vacations = vacations

    def id_of(self, account: Account, what: str) -> str:
        return what

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        wanted = [SINGLETON] if ids is None else ids
        missing = [one for one in wanted if one != SINGLETON]
        if SINGLETON not in wanted:
            return [], missing
        found = _shown(await self._vacations.get(account.id))
        picked = {name: value for name, value in found.items() if name in properties}
        return [{"id": SINGLETON, **picked}], missing

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        raise SetError("singleton", "there is one already")

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        if id_ != SINGLETON:
            raise SetError("notFound")
        grant = account.grant
        if not grant.writes or grant.folders or grant.senders:
            raise SetError("forbidden", "this login is not good for that")
        before = {"id": SINGLETON, **_shown(await self._vacations.get(account.id))}
        after = patched(before, patch)
        if unknown := sorted(after.keys() - before.keys()):
            raise invalid_properties("there is no such property", *unknown)
        if after["id"] != SINGLETON:
            raise invalid_properties("cannot be changed", "id")
        await self._vacations.set(account.id, _read(after))
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        raise SetError("singleton" if id_ == SINGLETON else "notFound")


def _shown(found: VacationResponse) -> Object:
    return {
        "isEnabled": found.enabled,
        "fromDate": _utc(found.from_date),
        "toDate": _utc(found.to_date),
        "subject": found.subject,
        "textBody": found.text_body,
        "htmlBody": found.html_body,
    }


def _read(wanted: Object) -> VacationResponse:
    """Raises SetError."""
    enabled, subject = wanted["isEnabled"], wanted["subject"]
    if not isinstance(enabled, bool):
        raise invalid_properties("true or false is needed", "isEnabled")
    if subject is not None and not is_line(subject, MAX_SUBJECT):
        text = f"a line of at most {MAX_SUBJECT} characters is needed"
        raise invalid_properties(text, "subject")
    return VacationResponse(
        enabled,
        _time(wanted, "fromDate"),
        _time(wanted, "toDate"),
        subject,
        _text(wanted, "textBody"),
        _text(wanted, "htmlBody"),
    )


def _time(wanted: Object, name: str) -> float | None:
    value = wanted[name]
    if value is None:
        return None
    found = utc_date(value)
    if found is None:
        raise invalid_properties("a UTCDate or null is needed", name)
    return found.timestamp()


def _text(wanted: Object, name: str) -> str | None:
    value = wanted[name]
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise invalid_properties("a text or null is needed", name)
    if len(value.encode("utf-8", "surrogatepass")) > MAX_BODY:
        raise invalid_properties(f"at most {MAX_BODY} octets", name)
    return value


def _utc(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
