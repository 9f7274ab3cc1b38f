"""The shapes of bodies and answers: what comes in is taken to the letter, what goes out has the
members that are declared and no others.

One declaration gives the check, the answer and the OpenAPI document.
"""

from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")
MAX_ADDRESS: Final = 320
MAX_PAGE: Final = 500
PAGE: Final = 100
# what no text of a line holds: controls, separators of lines
LINE: Final = "^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"


class Take(BaseModel):
    """A body: members that are not declared are refused, and nothing is made into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """The parameters behind "?": of texts, numbers, flags ("true", "false") and choices."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Give(BaseModel):
    """An answer, made of a mapping or of an object with such attributes."""

    model_config = ConfigDict(extra="ignore", from_attributes=True, frozen=True)


class Paging(Query):
    """Of every list: how many, and from where."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = PAGE
    cursor: Annotated[str, StringConstraints(max_length=2000)] = ""


class Page(Give, Generic[T]):
    """A part of a list; `next` is the cursor of the part behind it, null at the end."""

    items: list[T]
    next: str | None


class Empty(Query):
    """Of what takes no parameters."""


class Done(Give):
    """How many a change was about."""

    count: int


Text = Annotated[str, StringConstraints(max_length=500, pattern=LINE)]
"""On one line."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LINE)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Address = Annotated[str, StringConstraints(min_length=3, max_length=MAX_ADDRESS, pattern=LINE)]
"""An address as people write it; who takes it says what is wrong with it."""
Domain = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=LINE)]
Number = Annotated[int, Field(ge=0, le=(1 << 63) - 1)]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, UTC."""
