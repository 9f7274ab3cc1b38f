"""Lists in pages. A cursor says behind which row the next page begins, and of which list, by the
row's place in the order: rows that come and go in between are neither shown twice nor passed over.

A cursor describes itself and gives no right: what a page shows is what the asking login may see.
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from web.rest.endpoint import Call, Order
from web.rest.errors import RestError
from web.rest.models import Paging

_DIGEST: Final = 8


def page_of(call: Call, rows: Sequence[Any], order: Order) -> dict[str, Any]:
    """The rows of the page that was asked for, in order. Raises RestError."""
    asked = call.asked(Paging)
    ordered = sorted(rows, key=lambda row: tuple(order(row)))
    start = 0
    if asked.cursor:
        start = bisect_right(ordered, read_cursor(call), key=lambda row: _key(order(row)))
    found = ordered[start : start + asked.limit]
    more = start + asked.limit < len(ordered)
    return {"items": found, "next": cursor(call, order(found[-1])) if more and found else None}


def cursor(call: Call, place: Sequence[str | int]) -> str:
    """That of what comes behind this place."""
    data = orjson.dumps([_list_of(call), *place])
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_cursor(call: Call) -> list[tuple[str, Any]]:
    """The place that the cursor of the request has. Raises RestError: it is of no list, or of
    another one.
    """
    text = call.asked(Paging).cursor
    try:
        found = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise _bad() from None
    if not isinstance(found, list) or len(found) < 2 or found[0] != _list_of(call):
        raise _bad()
    place = found[1:]
    if not all(isinstance(one, str | int) for one in place):
        raise _bad()
    return _key(place)


def place_of(call: Call) -> list[str | int]:
    """The same as it was given to `cursor`."""
    return [value for _, value in read_cursor(call)]


def _key(place: Sequence[str | int]) -> list[tuple[str, Any]]:
    """Comparable also with places of other types, which only forged cursors have."""
    return [(type(one).__name__, one) for one in place]


def _list_of(call: Call) -> str:
    """Which list it is: the path and all parameters but those of paging."""
    asked = call.query.model_dump(exclude={"limit", "cursor"}, exclude_defaults=True)
    text = orjson.dumps([call.request.scope["path"], asked], option=orjson.OPT_SORT_KEYS)
    return sha256(text).hexdigest()[:_DIGEST]


def _bad() -> RestError:
    return RestError(422, "the cursor is none of this list: ask without one")
