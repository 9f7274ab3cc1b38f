"""A route of a page, beside one of the API that takes JSON at the same path."""

from starlette.datastructures import Headers
from starlette.routing import Match, Route
from starlette.types import Scope

from web.form_body import is_form


class FormRoute(Route):
    """Has GET and HEAD, and of POST what brings a form."""

    def takes(self, scope: Scope) -> bool:
        """Whether the request, whose method is among `methods`, is for a page."""
        return scope["method"] != "POST" or is_form(Headers(scope=scope).get("content-type", ""))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and not self.takes(scope):
            return Match.NONE, {}
        return super().matches(scope)
