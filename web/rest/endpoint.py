"""What an endpoint is: declared once, and what routing, checks and the OpenAPI document go by."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request

from auth.login_values import Login
from storage.values import AccountId
from web.rest.models import Empty, Give, Query

PREFIX: Final = "/api/v1"
BODY: Final = 256 * 1024
"""Octets of a body where the endpoint says nothing else."""
M = TypeVar("M", bound=BaseModel)


class Access(Enum):
    """Who may ask: anybody; a login that is good for mail, as far as it goes; a login with all that
    an account is; a session that a person opened; one that was opened moments ago.
    """

    PUBLIC = "public"
    MAIL = "mail"
    OWN = "own"
    SESSION = "session"
    FRESH = "fresh"


class Match(Enum):
    """Whether a change has to say what it changes (RFC 6585 §3)."""

    OPTIONAL = "optional"
    NEEDED = "needed"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `params` are those of the path, `peer` the address that it came from."""

    request: Request
    params: Mapping[str, Any]
    query: Query
    body: BaseModel | None
    login: Login | None
    peer: str = ""

    @property
    def user(self) -> Login:
        """Who asks, of endpoints that are not public."""
        assert self.login is not None
        return self.login

    @property
    def account(self) -> AccountId:
        return self.user.account

    def taken(self, kind: type[M]) -> M:
        """The body."""
        assert isinstance(self.body, kind)
        return self.body

    def asked(self, kind: type[M]) -> M:
        """The parameters behind "?"."""
        assert isinstance(self.query, kind)
        return self.query


Handler = Callable[[Call], Awaitable[Any]]
Order = Callable[[Any], Sequence[str | int]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` is below PREFIX, its parameters in braces and typed in `params`. `gives` is the shape
    of the answer, None for 204; `order` makes what the handler gives a list in pages. `ready`: the
    handler makes the response itself, of type `media`, and reads the body, of type `brings`.
    `secret`: the answer is not to be had again; `also` are further statuses of success.
    """

    method: str
    path: str
    tag: str
    name: str
    summary: str
    handler: Handler | None
    access: Access = Access.OWN
    takes: type[BaseModel] | None = None
    query: type[Query] = Empty
    gives: type[Give] | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    order: Order | None = None
    match: Match = Match.OPTIONAL
    secret: bool = False
    ready: bool = False
    brings: str = ""
    media: str = "application/json"
    refused: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    limit: int = BODY

    @property
    def answers(self) -> int:
        """The status of success."""
        return 204 if self.gives is None and not self.ready and self.status == 200 else self.status

    def typed(self, name: str) -> TypeAdapter[Any]:
        """Of a parameter of the path."""
        return TypeAdapter(self.params.get(name, str))
