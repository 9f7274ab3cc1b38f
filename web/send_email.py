"""/sendEmail, bare and under /api/v1/: a letter in JSON, or in the part `message` of a
multipart/form-data with files beside it, which are streamed to the disk.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auth.caller import Caller
from auth.login_values import Login
from filters.mailing.email_service import EmailService, Letter, OfDrive, Uploaded
from filters.mailing.values import NotSent, Origin, Why
from message.address_list import mailboxes
from message.compose_fields import Person
from net.threads import Busy, Offload, Pool
from storage.blob_values import BlobTooLarge, blob_hash
from storage.credential_values import Protocol
from storage.errors import OverQuota
from web.answering import Answering, json_of
from web.auth import PREFIXES
from web.bearers import Bearers
from web.jmap.blob.uploads import Uploads
from web.json_body import BadBody, read_json
from web.multipart import Multipart, Part
from web.paced_body import paced
from web.problem import ProblemResponse

LIMIT: Final = 8 * 1024 * 1024
"""Octets of the JSON."""
MAX_FILES: Final = 100
MAX_PEOPLE: Final = 10_000
MAX_ADDRESSES: Final = 1024 * 1024
"""Characters of all of them."""
_QUICK: Final = 16 * 1024
_PEOPLE: Final = ("to", "cc", "bcc", "reply_to", "from")
MESSAGE: Final = "message"
_KEY: Final = re.compile(r"[!-~]{1,255}")
_KNOWN: Final = frozenset(
    (*_PEOPLE, "subject", "text", "html", "attachments", "in_reply_to", "references", "send_at")
)
STATUS: Final = {
    Why.FORBIDDEN_TO_SEND: 403,
    Why.FORBIDDEN_MAIL_FROM: 403,
    Why.FORBIDDEN_FROM: 403,
    Why.NO_RECIPIENTS: 422,
    Why.INVALID_RECIPIENTS: 422,
    Why.TOO_MANY_RECIPIENTS: 422,
    Why.INVALID_EMAIL: 422,
    Why.TOO_LARGE: 413,
    Why.RATE_LIMIT: 429,
    Why.LATER: 503,
}


class SendEmail:
    """The routes; `answering` wraps each."""

    def __init__(
        self,
        service: EmailService,
        uploads: Uploads,
        bearers: Bearers,
        answering: Answering,
        offload: Offload,
    ) -> None:
        self._service, self._uploads, self._offload = service, uploads, offload
        self._bearers, self._answering = bearers, answering

    def routes(self) -> Sequence[Route]:
        """For the registry."""
        handler = self._answering.answering(self._send)
        return [Route(f"{prefix}/sendEmail", handler, methods=["POST"]) for prefix in PREFIXES]

    async def _send(self, request: Request, caller: Caller) -> Response:
        login = await self._bearers.login(request, caller, Protocol.JMAP)
        if not login.grant.writes:
            return ProblemResponse(403, "This login does not send mail")
        key = request.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise BadBody(400, "Idempotency-Key: 1 to 255 characters of ASCII are needed")
        if request.headers.get("content-type", "").startswith("multipart/"):
            members, files = await self._multipart(request, login)
        else:
            members, files = await read_json(request, LIMIT), []
        try:
            origin = Origin(caller.peer, self._answering.is_secure(request))
            read = partial(letter_of, members, files, None if key is None else f"http:{key}")
            quick = addresses_size(members) <= _QUICK
            letter = read() if quick else await self._offload.run(Pool.MIME, read)
            posted = await self._service.send(login, origin, letter)
        except NotSent as error:
            return refused(error)
        except Busy:
            return refused(NotSent(Why.LATER, "The server has too much to do"))
        told: dict[str, object] = {
            "id": f"S{posted.id:x}",
            "message_id": posted.message_id,
            "email_id": posted.email,
        }
        return json_of(told, 202)

    async def _multipart(
        self, request: Request, login: Login
    ) -> tuple[dict[str, Any], list[Uploaded]]:
        body = Multipart(request.headers["content-type"], paced(request.stream()))
        members: dict[str, Any] | None = None
        files: list[Uploaded] = []
        try:
            async for part in body.parts(MAX_FILES + 1):
                if part.name == MESSAGE and members is None:
                    members = _members(await _whole(part.pieces))
                else:
                    files.append(await self._file(login, part))
        except (BlobTooLarge, OverQuota):
            raise BadBody(413, "a file is too large, or there is no room for it") from None
        if members is None:
            raise BadBody(400, f"the part {MESSAGE} is needed")
        return members, files

    async def _file(self, login: Login, part: Part) -> Uploaded:
        blob = await self._uploads.put(login.account, part.pieces)
        return Uploaded(blob.hash, part.filename, part.type)


def addresses_size(members: dict[str, Any]) -> int:
    """Characters of all addresses. Raises BadBody for more than are read."""
    size = 0
    for name in _PEOPLE:
        value = members.get(name)
        texts = value if isinstance(value, list) else [value]
        size += sum(len(one) for one in texts if isinstance(one, str))
    if size > MAX_ADDRESSES:
        raise BadBody(413, f"the addresses have more than {MAX_ADDRESSES} characters")
    return size


def letter_of(members: dict[str, Any], files: Sequence[Uploaded], key: str | None) -> Letter:
    """What the JSON says. Raises BadBody."""
    if unknown := sorted(members.keys() - _KNOWN):
        raise BadBody(400, f"{unknown[0][:100]}: there is no such member")
    sender = _people(members, "from")
    if len(sender) > 1:
        raise BadBody(400, "from: one address")
    return Letter(
        _people(members, "to"),
        _people(members, "cc"),
        _people(members, "bcc"),
        _text(members, "subject") or "",
        _text(members, "text"),
        _text(members, "html"),
        (*_attachments(members), *files),
        sender[0] if sender else None,
        _people(members, "reply_to"),
        _ids(members, "in_reply_to"),
        _ids(members, "references"),
        _time(members, "send_at"),
        key,
    )


def refused(error: NotSent) -> Response:
    """Why it was not sent, as a problem."""
    more: dict[str, object] = {"reason": error.why.value}
    if error.recipients:
        more["recipients"] = list(error.recipients)
    if error.limit:
        more["limit"] = error.limit
    status = STATUS[error.why]
    wait = 10.0 if status in (429, 503) else 0.0
    return ProblemResponse(status, str(error), wait=wait, more=more)


def _members(data: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise BadBody(400, f"the part {MESSAGE} is no JSON object")
    return found


async def _whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > LIMIT:
            raise BadBody(413, f"the part {MESSAGE} has more than {LIMIT} octets")
    return bytes(data)


def _people(members: dict[str, Any], name: str) -> tuple[Person, ...]:
    """A text, or an array of texts, each of addresses as header fields have them."""
    value = members.get(name)
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise BadBody(400, f"{name}: a text, or an array of texts, is needed")
    if len(texts) > MAX_PEOPLE:
        raise BadBody(400, f"{name}: at most {MAX_PEOPLE}")
    found: list[Person] = []
    for text in texts:
        people = [one for one in mailboxes(text.encode("utf-8", "replace")) if one.text]
        if text.strip() and not people:
            people_text = text.strip()[:320]
            found.append(Person(people_text))  # what is no address is refused by name
        found += [Person(one.text, one.display) for one in people]
    return tuple(found)


def _text(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise BadBody(400, f"{name}: a text is needed")
    return value


def _ids(members: dict[str, Any], name: str) -> tuple[str, ...]:
    value = members.get(name)
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise BadBody(400, f"{name}: message ids are needed")
    return tuple(one.strip().strip("<>") for one in texts[:MAX_FILES])


def _time(members: dict[str, Any], name: str) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadBody(400, f"{name}: a time as 2030-01-31T08:00:00Z is needed")
    return found.timestamp()


def _attachments(members: dict[str, Any]) -> list[Uploaded | OfDrive]:
    value = members.get("attachments") or []
    if not isinstance(value, list) or len(value) > MAX_FILES:
        raise BadBody(400, f"attachments: an array of at most {MAX_FILES} is needed")
    return [_attachment(one) for one in value]


def _attachment(value: Any) -> Uploaded | OfDrive:
    if not isinstance(value, dict):
        raise BadBody(400, "attachments: objects are needed")
    name, kind = _text(value, "name") or "", _text(value, "type") or ""
    cid, drive = _text(value, "cid") or "", _text(value, "drive_id")
    if drive is not None:
        return OfDrive(drive, name, kind, cid)
    blob = blob_hash(_text(value, "blob_id") or "")
    if blob is None:
        raise BadBody(400, "attachments: drive_id or blob_id is needed")
    return Uploaded(blob, name, kind or "application/octet-stream", cid)
