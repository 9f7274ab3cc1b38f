"""Renders the templates in web/pages/templates/, and serves their style sheet.

Invariants: everything put into a template is escaped; a page needs no script, is kept by no cache,
is shown in no frame, and loads nothing from elsewhere.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from net.threads import Offload

FOLDER: Final = Path(__file__).parent
POLICY: Final = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Layout:
    """Files are read and templates compiled in a thread, once."""

    def __init__(self, offload: Offload) -> None:
        self._offload = offload
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
        )
        self._style: bytes | None = None
        self._style_path = ""

    def routes(self) -> list[Route]:
        return [Route("/pages/{name}.css", self._css, methods=["GET", "HEAD"])]

    async def render(
        self,
        template: str,
        values: Mapping[str, Any],
        status: int = 200,
        policy: Mapping[str, str] | None = None,
    ) -> Response:
        """`policy` has directives of a Content-Security-Policy in the place of those above."""
        await self._ready()
        text = self._environment.get_template(template).render(
            {"wrong": "", "style": self._style_path, **values}
        )
        rules = "; ".join(f"{name} {value}" for name, value in {**POLICY, **(policy or {})}.items())
        return HTMLResponse(text, status, {**HEADERS, "Content-Security-Policy": rules})

    async def _ready(self) -> bytes:
        if self._style is None:
            style = await self._offload.disk(self._read)
            self._style_path = f"/pages/{sha256(style).hexdigest()[:16]}.css"
            self._style = style
        return self._style

    def _read(self) -> bytes:
        for name in self._environment.list_templates():
            self._environment.get_template(name)
        return (FOLDER / "style.css").read_bytes()

    async def _css(self, request: Request) -> Response:
        style = await self._ready()
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        if request.url.path == self._style_path:  # its name follows from its octets
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return Response(style, media_type="text/css", headers=headers)
