"""Downloads of messages and their parts (RFC 8620 §6.2, RFC 8621 §4.1)."""

from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from message.scan import scan_crlf
from net.threads import Offload
from storage.errors import MessageMissing
from storage.object_ids import account_number
from storage.rendering import is_quick
from web.jmap.context import Account, Context
from web.jmap.mail.blobs import mail_blob
from web.jmap.mail.body import octets, tree, walk
from web.jmap.mail.email import EmailType
from web.jmap.octets import Budget
from web.problem import ProblemResponse

_TYPE: Final = "application/octet-stream"


class Downloads:
    """Octets of what the login may read."""

    def __init__(self, emails: EmailType, offload: Offload) -> None:
        self._emails, self._offload = emails, offload

    async def answer(
        self, context: Context, account_id: str, blob_id: str, name: str, media_type: str
    ) -> Response:
        """404 for what is not there, whatever the reason."""
        login = context.login
        wanted = mail_blob(blob_id)
        if account_id != account_number(login.account) or wanted is None:
            return ProblemResponse(404)
        blob, numbers = wanted
        account = Account(login.account, login.grant, login.address, Budget("the answer", 0))
        try:
            data = await self._emails.octets(account, blob)
        except MessageMissing:
            return ProblemResponse(404)
        if numbers:
            part = ".".join(map(str, numbers))
            work = partial(part_octets, number=part)
            found = work(data) if is_quick(data) else await self._offload.process(work, data)
            if found is None:
                return ProblemResponse(404)
            data = found
        headers = {
            "Cache-Control": "private, immutable, max-age=31536000",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(data, headers=headers | {"Content-Type": _media_type(media_type)})


def part_octets(data: bytes, number: str) -> bytes | None:
    """The octets of the part of that number, its transfer encoding undone. Pure."""
    for node in walk(tree(scan_crlf(data))):
        if node.number == number and not node.is_multipart:
            return octets(data, node.part)
    return None


def _media_type(asked: str) -> str:
    """What the client wants to be told (§6.2), where it is a media type at all."""
    kind, slash, sub = asked.partition("/")
    plain = all(sign.isalnum() or sign in "!#$&-^_.+" for sign in kind + sub)
    return asked if slash and kind and sub and plain and asked.isascii() else _TYPE
