"""What the account answers while its user is away (storage/vacations.py), as JMAP has it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field

from storage.vacations import MAX_BODY, MAX_SUBJECT, VacationResponse, Vacations
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.errors import RestError
from web.rest.models import LINE, Give, Take, Time

TAG: Final = "vacation"
Body = Annotated[str, Field(max_length=MAX_BODY, pattern="^[^\x00]*$")]


class VacationBody(Take):
    """It answers from `from_date` on, up to `to_date` without it; null where there is no bound.
    What is null of subject and bodies the server makes up.
    """

    enabled: bool
    from_date: AwareDatetime | None = None
    to_date: AwareDatetime | None = None
    subject: Annotated[str, Field(max_length=MAX_SUBJECT, pattern=LINE)] | None = None
    text_body: Body | None = None
    html_body: Body | None = None


class VacationShape(Give):
    """As it is in force."""

    enabled: bool
    from_date: Time | None
    to_date: Time | None
    subject: str | None
    text_body: str | None
    html_body: str | None


class VacationResource:
    """Handlers."""

    def __init__(self, vacations: Vacations) -> None:
        self._vacations = vacations

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                *("GET", "/vacation", TAG, "getVacation", "The answer while away", self._get),
                gives=VacationShape,
            ),
            Endpoint(
                *("PUT", "/vacation", TAG, "putVacation", "Set the answer", self._put),
                *(Access.OWN, VacationBody),
                gives=VacationShape,
            ),
        ]

    async def _get(self, call: Call) -> dict[str, Any]:
        return _shown(await self._vacations.get(call.account))

    async def _put(self, call: Call) -> dict[str, Any]:
        body = call.taken(VacationBody)
        for text in (body.text_body, body.html_body):
            if text is not None and len(text.encode()) > MAX_BODY:
                raise RestError(422, f"a body has at most {MAX_BODY} octets")
        made = VacationResponse(
            body.enabled,
            None if body.from_date is None else body.from_date.timestamp(),
            None if body.to_date is None else body.to_date.timestamp(),
            body.subject,
            body.text_body,
            body.html_body,
        )
        await self._vacations.set(call.account, made)
        return _shown(made)


def _shown(found: VacationResponse) -> dict[str, Any]:
    return {
        "enabled": found.enabled,
        "from_date": _time(found.from_date),
        "to_date": _time(found.to_date),
        "subject": found.subject,
        "text_body": found.text_body,
        "html_body": found.html_body,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
