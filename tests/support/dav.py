"""A client of CardDAV for tests, over real connections."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from tests.support.server import ServerProcess

D = "{DAV:}"
C = "{urn:ietf:params:xml:ns:carddav}"
CS = "{http://calendarserver.org/ns/}"
OK = "HTTP/1.1 200 OK"


@dataclass(frozen=True)
class Answer:
    """Status, fields by their names in lower case, octets."""

    status: int
    fields: Mapping[str, str]
    data: bytes

    @property
    def root(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.data)

    @property
    def condition(self) -> str:
        """The precondition of DAV:error."""
        assert self.root.tag == D + "error", self.data
        return self.root[0].tag

    @property
    def responses(self) -> dict[str, "Part"]:
        """Of a multistatus, by href."""
        assert self.status == 207, (self.status, self.data)
        found = [Part(one) for one in self.root.iter(D + "response")]
        assert len({part.href for part in found}) == len(found)
        return {part.href: part for part in found}

    @property
    def token(self) -> str:
        """The sync token of a report."""
        found = self.root.findtext(D + "sync-token")
        assert found
        return found


class Part:
    """One DAV:response."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.element = element
        self.href = element.findtext(D + "href") or ""
        self.status = element.findtext(D + "status") or ""
        self.found: dict[str, ElementTree.Element] = {}
        self.others: dict[str, str] = {}
        for propstat in element.findall(D + "propstat"):
            status = propstat.findtext(D + "status") or ""
            for prop in propstat.find(D + "prop") or []:
                if status == OK:
                    self.found[prop.tag] = prop
                else:
                    self.others[prop.tag] = status

    def text(self, name: str) -> str:
        return self.found[name].text or ""

    def href_of(self, name: str) -> str:
        return self.found[name].findtext(D + "href") or ""

    def names(self, name: str) -> list[str]:
        """Of the elements in a property."""
        return [one.tag for one in self.found[name]]


class Dav:
    """A client of one account."""

    def __init__(self, server: ServerProcess, headers: Mapping[str, str]) -> None:
        self._server, self._headers = server, headers

    def ask(self, method: str, path: str, body: str | bytes | None = None, **fields: str) -> Answer:
        """Fields are named with "_" for "-"."""
        data = body.encode() if isinstance(body, str) else body
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port("http"), timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in fields.items()}
            if data is not None:
                named.setdefault("Content-Type", "application/xml; charset=utf-8")
            connection.request(method, path, data, {**self._headers, **named})
            response = connection.getresponse()
            read = response.read()
            got = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, got, read)
        finally:
            connection.close()

    def propfind(self, path: str, *names: str, depth: str = "0", **fields: str) -> Answer:
        return self.ask("PROPFIND", path, asking("propfind", names), Depth=depth, **fields)

    @property
    def home(self) -> str:
        """As a client finds it, beginning at nothing."""
        principal = self.propfind("/", D + "current-user-principal").responses["/"]
        path = principal.href_of(D + "current-user-principal")
        found = self.propfind(path, C + "addressbook-home-set").responses[path]
        return found.href_of(C + "addressbook-home-set")

    @property
    def book(self) -> str:
        """The first address book."""
        found = self.propfind(self.home, D + "resourcetype", depth="1").responses
        return next(
            href
            for href, part in found.items()
            if C + "addressbook" in part.names(D + "resourcetype")
        )

    def put(self, path: str, data: bytes | str, **fields: str) -> Answer:
        fields.setdefault("Content_Type", "text/vcard; charset=utf-8")
        return self.ask("PUT", path, data, **fields)

    def report(self, path: str, body: str, depth: str = "1") -> Answer:
        return self.ask("REPORT", path, body, Depth=depth)

    def sync(self, book: str, token: str, *names: str, limit: int = 0, depth: str = "1") -> Answer:
        bound = f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>" if limit else ""
        body = (
            '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
            f"<D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{bound}"
            f"{props(names or (D + 'getetag',))}</D:sync-collection>"
        )
        return self.report(book, body, depth)

    def multiget(
        self, book: str, *hrefs: str, names: str = "<D:getetag/><C:address-data/>"
    ) -> Answer:
        listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
        return self.report(
            book,
            '<C:addressbook-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
            f"<D:prop>{names}</D:prop>{listed}</C:addressbook-multiget>",
        )

    def query(
        self,
        book: str,
        filters: str,
        *,
        names: str = "<D:getetag/>",
        test: str = "anyof",
        limit: int = 0,
    ) -> Answer:
        bound = f"<C:limit><C:nresults>{limit}</C:nresults></C:limit>" if limit else ""
        return self.report(
            book,
            '<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">'
            f'<D:prop>{names}</D:prop><C:filter test="{test}">{filters}</C:filter>{bound}'
            "</C:addressbook-query>",
        )


def props(names: tuple[str, ...]) -> str:
    """DAV:prop of names as ElementTree has them."""
    return f"<D:prop>{''.join(_empty(name) for name in names)}</D:prop>"


def asking(what: str, names: tuple[str, ...]) -> str:
    return f'<D:{what} xmlns:D="DAV:">{props(names)}</D:{what}>'


def _empty(name: str) -> str:
    namespace, _, local = name[1:].partition("}")
    return f'<x:{local} xmlns:x="{namespace}"/>'


def card(uid: str, name: str = "Ann Bee", *lines: str, version: str = "3.0") -> bytes:
    """A vCard with CRLF."""
    family, _, given = name.rpartition(" ")
    text = [
        "BEGIN:VCARD",
        f"VERSION:{version}",
        f"UID:{uid}",
        f"FN:{name}",
        f"N:{given};{family};;;",
        *lines,
        "END:VCARD",
    ]
    return "".join(f"{line}\r\n" for line in text).encode()


def group(uid: str, name: str, *members: str) -> bytes:
    """A group of vCard 4."""
    lines = ["KIND:group", *(f"MEMBER:urn:uuid:{one}" for one in members)]
    return card(uid, name, *lines, version="4.0")
