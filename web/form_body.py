"""The form that a request brings (application/x-www-form-urlencoded), bounded in octets, time and
number of fields; what is wrong is a BadBody.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from web.json_body import BadBody, read_body

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 50


class Form:
    """Fields of a form or of a query, each asked for by name; others are passed over."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in pairs:
            self._fields.setdefault(name, []).append(value)

    def text(self, name: str) -> str:
        """The field, "" for one that is absent. Raises BadBody for one that is there twice."""
        values = self._fields.get(name, [])
        if len(values) > 1:
            raise BadBody(400, f"{name} is there more than once")
        return values[0] if values else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of a field, of check boxes for instance."""
        return tuple(self._fields.get(name, ()))

    def doubled(self, names: Sequence[str]) -> str:
        """Which of these fields is there more than once, or "" (RFC 6749 §3.1, §3.2)."""
        return next((name for name in names if len(self.texts(name)) > 1), "")


def is_form(content_type: str) -> bool:
    """Whether a Content-Type says that the body is a form."""
    return content_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def parse_form(text: str) -> Form:
    """Raises BadBody."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadBody(400, "the form has too many fields, or is no UTF-8") from None
    return Form(pairs)


async def read_form(request: Request, limit: int) -> Form:
    """Raises BadBody, starlette.requests.ClientDisconnect."""
    if not is_form(request.headers.get("content-type", "")):
        raise BadBody(415, f"a body of the type {MEDIA_TYPE} is needed")
    data = await read_body(request, limit)
    try:
        return parse_form(data.decode("ascii"))
    except UnicodeDecodeError:
        raise BadBody(400, "the form is not encoded as its type says") from None
