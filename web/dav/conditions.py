"""Whether a request may go on: If-Match, If-None-Match and If, against what is there."""

from dataclasses import dataclass

from starlette.requests import Request

from storage.contact_values import ANY, Wanted
from web.dav.errors import DavError
from web.dav.headers import IfList, Tags, holds, parse_if, tags_of
from web.dav.paths import path_of
from web.dav.request import VERSIONS
from web.dav.resources import Resource, User
from web.dav.tree import Tree


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of one request."""

    match: Tags | None
    none_match: Tags | None
    lists: tuple[IfList, ...]

    @classmethod
    def of(cls, request: Request) -> "Conditions":
        """Raises DavError."""
        fields = request.headers
        return cls(
            tags_of(fields.getlist("if-match")),
            tags_of(fields.getlist("if-none-match")),
            parse_if(",".join(fields.getlist("if")) or None),
        )

    def modified(self, told: str) -> bool:
        """False: 304 answers a GET of what has this entity tag (RFC 9110 §13.1.2)."""
        return self.none_match is None or not self.none_match.has((told,), weakly=True)

    def check(self, etag: str | None) -> None:
        """Against the entity tag of what is there, None for nothing: any that it is told with may
        be named. Raises DavError: 412.
        """
        etags = () if etag is None else (etag, *(told_tag(etag, one) for one in VERSIONS))
        if self.match is not None and not self.match.has(etags, weakly=False):
            raise DavError(412)
        if self.none_match is not None and self.none_match.has(etags, weakly=True):
            raise DavError(412)

    def check_match(self, told: str) -> None:
        """If-Match of a GET. Raises DavError: 412."""
        if self.match is not None and not self.match.has((told,), weakly=False):
            raise DavError(412)

    def wanted(self, etag: str | None) -> Wanted:
        """What the store shall hold a change to, so that nothing comes between: what was there when
        the conditions held. Without conditions, the last writer wins.
        """
        if self.match is None and self.none_match is None and not self.lists:
            return ANY
        return Wanted(absent=True) if etag is None else Wanted(etag)

    async def check_lists(self, tree: Tree, user: User, path: str) -> None:
        """If (RFC 4918 §10.4), of a request for `path`. Raises DavError: 412."""
        states = {uri: await _state(tree, user, uri or path) for uri in {u.uri for u in self.lists}}
        if not holds(self.lists, states.__getitem__):
            raise DavError(412)


def told_tag(etag: str, version: str) -> str:
    """The entity tag of a card that is told in another version than it was put: another
    representation, so another tag (RFC 9110 §8.8.3).
    """
    return f"{etag}-{version}"


async def _state(tree: Tree, user: User, uri: str) -> tuple[str | None, str]:
    try:
        return state_of(await tree.find(path_of(uri), user))
    except DavError:
        return None, ""


def state_of(resource: Resource) -> tuple[str | None, str]:
    """Its entity tag and its sync token."""
    if resource.card is not None:
        return resource.card.etag, ""
    return None, "" if resource.seen is None else resource.seen.token
