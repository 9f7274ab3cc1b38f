"""A server that issues tokens, over HTTPS, and what a user and a client do there."""

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import trustme
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.support.browser import Browser, Page, query_of
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration

VERIFIER = "a-verifier-of-more-than-forty-three-characters.~_"
REDIRECT = "https://client.example.test/back"
SCOPE = "openid email profile mail:imap mail:smtp offline_access"


@dataclass
class OAuthSite:
    """`issuer` is its address, `ca` the file of who signed its certificate."""

    server: ServerProcess
    issuer: str
    ca: Path

    def browser(self) -> Browser:
        return Browser(self.server, ssl.create_default_context(cafile=str(self.ca)))

    def add_client(self, name: str, *redirects: str, **more: object) -> Any:
        return self.server.perform("oauth.client.add", name=name, redirects=redirects, **more)

    def metadata(self) -> dict[str, Any]:
        return dict(self.get("/.well-known/openid-configuration").json())

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.issuer + path, verify=str(self.ca), timeout=20, **more)

    def post(self, path: str, data: Any, **more: Any) -> requests.Response:
        return requests.post(self.issuer + path, data=data, verify=str(self.ca), timeout=20, **more)

    def client(self, made: Any, redirect: str = REDIRECT, scope: str = SCOPE) -> OAuth2Session:
        """A client by authlib."""
        method = "client_secret_basic" if made["secret"] else "none"
        session = OAuth2Session(
            made["id"],
            made["secret"],
            redirect_uri=redirect,
            scope=scope,
            code_challenge_method="S256",
            token_endpoint_auth_method=method,
            token_endpoint=f"{self.issuer}/oauth/token",
        )
        session.verify, session.trust_env = str(self.ca), False
        return session

    def asked(self, made: Any, **changed: str | None) -> str:
        """The path of a request for authorisation; `changed` parameters, None for left out."""
        query: dict[str, str | None] = {
            "client_id": made["id"],
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": SCOPE,
            "state": "s t&a=te",
            "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            **changed,
        }
        kept = {name: value for name, value in query.items() if value is not None}
        return f"/oauth/authorize?{urlencode(kept)}"

    def allow(self, browser: Browser, path: str, address: str) -> Page:
        """Logs in where that is asked for, and allows what is asked; the redirect at the end."""
        page = browser.get(path)
        if page.form.action == "/login":
            page = browser.submit(page, username=address, password=PASSWORD)
        if page.form.action == "/oauth/authorize":
            page = browser.submit(page, answer="allow", follow=False)
        return page

    def code(self, made: Any, address: str, **changed: str | None) -> str:
        """A code that the user of an account allowed."""
        page = self.allow(self.browser(), self.asked(made, **changed), address)
        return query_of(page.location)["code"]

    def exchange(self, made: Any, code: str, /, **changed: str) -> requests.Response:
        """Brings a code to the token endpoint."""
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "client_id": made["id"],
            **changed,
        }
        return self.post("/oauth/token", data)

    def tokens(self, made: Any, address: str, **changed: str | None) -> dict[str, Any]:
        """What a client gets for a code."""
        found = self.exchange(made, self.code(made, address, **changed))
        assert found.status_code == 200, found.text
        return dict(found.json())

    def refresh(self, made: Any, token: str, **more: str) -> requests.Response:
        data = {"grant_type": "refresh_token", "refresh_token": token, "client_id": made["id"]}
        return self.post("/oauth/token", data | more)


def path_of(url: str) -> str:
    """Path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@contextmanager
def oauth_site(folder: Path, database: str = "sqlite", extra: str = "") -> Iterator[OAuthSite]:
    """`extra` is further TOML; it may begin with keys of [oauth]."""
    folder.mkdir(parents=True, exist_ok=True)
    port, ca = free_port(), trustme.CA()
    issued = ca.issue_cert("localhost", "127.0.0.1")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "chain.pem").write_bytes(b"".join(b.bytes() for b in issued.cert_chain_pems))
    issuer = f"https://127.0.0.1:{port}"
    more = (
        '[filters]\nlocal_networks = ["127.0.0.0/8"]\n'
        '[tls]\ncertificate = "chain.pem"\nkey = "key.pem"\n'
        f'[oauth]\nissuer = "{issuer}"\n{extra}'
    )
    config = configuration(database=database, extra=more)
    config = config.replace('https = ["127.0.0.1:0"]', f'https = ["127.0.0.1:{port}"]')
    with ServerProcess(folder, config) as server:
        yield OAuthSite(server, issuer, folder / "ca.pem")


def bearer(site: OAuthSite, address: str, token: str) -> str:
    """What IMAP says to the token: "" when it takes it, else the challenge of the refusal."""
    client = imaplib.IMAP4("127.0.0.1", site.server.port("imap"))
    gs2 = f"n,a={address},\x01auth=Bearer {token}\x01\x01".encode()
    said: list[bytes] = []

    def respond(challenge: bytes) -> bytes:
        said.append(challenge)
        return gs2 if len(said) == 1 else b"\x01"

    try:
        client.authenticate("OAUTHBEARER", respond)
    except imaplib.IMAP4.error as error:
        client.shutdown()
        return said[1].decode() if len(said) > 1 else str(error)
    client.logout()
    return ""


def revoke_all(site: OAuthSite, address: str) -> None:
    for one in site.server.perform("token.list", address=address):
        site.server.perform("token.revoke", address=address, id=one["id"])


def kinds(site: OAuthSite, address: str) -> list[str]:
    """What an account has beside its password."""
    return [one["kind"] for one in site.server.perform("token.list", address=address)]
