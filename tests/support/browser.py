"""A browser without scripts for tests of pages: cookies, forms, and redirects of its own server."""

import http.client
import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support.server import PASSWORD, ServerProcess

PASSKEY_SCRIPT = "/pages/passkey.js"
"""The one script that pages have; they work without."""


@dataclass
class FormOf:
    """The first form of a page: where it goes, and its fields as they were sent."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """`location` is where a redirect leads, "" without; `text` what a reader sees."""

    status: int
    location: str
    headers: dict[str, str]
    html: str
    text: str
    form: FormOf

    @property
    def policy(self) -> dict[str, str]:
        """The directives of the Content-Security-Policy."""
        rules = self.headers.get("content-security-policy", "").split(";")
        return dict(rule.strip().partition(" ")[::2] for rule in rules)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form, self.words, self.scripts = FormOf(), [""], 0
        self._in_form = self._done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.scripts += tag == "script" and known.get("src") != PASSKEY_SCRIPT
        if tag == "form":
            self._in_form = not self._done
            if self._in_form:
                self.form.action = known.get("action", "")
        sent = known.get("type") != "checkbox" or "checked" in known
        if tag == "input" and self._in_form and sent:
            self.form.fields.append((known.get("name", ""), known.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form, self._done = False, True

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def logged_in(server: ServerProcess, address: str) -> "Browser":
    """With the cookie of a session, by the form."""
    made = Browser(server)
    made.submit(made.get("/login"), username=address, password=PASSWORD)
    assert made.cookies.get("session")
    return made


class Browser:
    """Speaks plain HTTP, or HTTPS with `tls`; follows redirects within the server."""

    def __init__(self, server: ServerProcess, tls: ssl.SSLContext | None = None) -> None:
        self._server, self._tls = server, tls
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []

    def get(self, path: str, *, follow: bool = True, headers: dict[str, str] | None = None) -> Page:
        return self._ask("GET", path, None, headers or {}, follow)

    def submit(
        self,
        page: Page,
        *,
        follow: bool = True,
        headers: dict[str, str] | None = None,
        **values: str,
    ) -> Page:
        """Sends the first form of a page with `values` in their fields."""
        fields = [(name, value) for name, value in page.form.fields if name not in values]
        return self.post(page.form.action, [*fields, *values.items()], follow, headers)

    def post(
        self,
        path: str,
        fields: list[tuple[str, str]],
        follow: bool = True,
        headers: dict[str, str] | None = None,
    ) -> Page:
        data = urlencode(fields).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, data, kind | (headers or {}), follow)

    def log_in(self, address: str, password: str, path: str = "/login", **more: str) -> Page:
        page = self.get(path)
        values = {"username": address, "password": password, **more}
        fields = [(name, value) for name, value in page.form.fields if name not in values]
        return self.post(page.form.action, [*fields, *values.items()])

    def _ask(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], follow: bool
    ) -> Page:
        kind = "http" if self._tls is None else "https"
        port = self._server.port(kind)
        connection = (
            http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            if self._tls is None
            else http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=self._tls)
        )
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if cookies:
            headers = {"Cookie": cookies, **headers}
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            page = self._read(response)
        finally:
            connection.close()
        if follow and page.location.startswith("/"):
            return self._ask("GET", page.location, None, {}, follow)
        return page

    def _read(self, response: http.client.HTTPResponse) -> Page:
        for line in response.headers.get_all("Set-Cookie") or []:
            self.set.append(line)
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        html = response.read().decode("utf-8", "replace")
        reader = _Reader()
        reader.feed(html)
        assert reader.scripts == 0, "a page has a script"
        fields = {name.lower(): value for name, value in response.headers.items()}
        text = " ".join(" ".join(reader.words).split())
        location = fields.get("location", "")
        return Page(response.status, location, fields, html, text, reader.form)


def query_of(location: str) -> dict[str, str]:
    """The query of a URL."""
    return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))
