"""Run in a process of its own by test_interop_chromium.py: Chromium with a virtual authenticator
(WebDriver's of WebAuthn Level 3 §11) makes a passkey and signs in by it, from pages of the server.

    chromium_peer.py CHROMIUM ORIGIN SPKI USERNAME PASSWORD

ORIGIN is where the server is said to be, SPKI the Base64 of the SHA-256 of its public key. Prints
one JSON object of what happened.
"""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import CDPSession, Page, sync_playwright

ASK = """
async ([path, body, token]) => {
  const headers = {"Content-Type": "application/json"};
  if (token) headers.Authorization = "Bearer " + token;
  const answer = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
  return {status: answer.status, body: await answer.json()};
}
"""
CREATE = """
async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({publicKey})).toJSON();
}
"""
GET = """
async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({publicKey})).toJSON();
}
"""
START = "/login/2fa"
"""A page whose policy lets scripts ask the API."""
REFUSED = """
async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  try {
    await navigator.credentials.get({publicKey});
    return "";
  } catch (error) {
    return error.name;
  }
}
"""


class Browser:
    """A page of the server, and requests from it."""

    def __init__(self, page: Page, cdp: CDPSession) -> None:
        self.page, self.cdp = page, cdp

    def authenticator(self) -> str:
        """A new one, as those in phones and laptops are; its id."""
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(made["authenticatorId"])

    def ask(self, path: str, body: object, token: str = "") -> Any:
        return self.page.evaluate(ASK, [path, body, token])


def converse(browser: Browser, username: str, password: str) -> dict[str, Any]:
    """What comes of each step."""
    found: dict[str, Any] = {}
    device = browser.authenticator()
    own = {"username": username, "password": password}
    token = browser.ask("/login", own)["body"]["access_token"]
    options = browser.ask("/api/v1/passkeys/options", {}, token)["body"]["publicKey"]
    passkey = browser.page.evaluate(CREATE, options)
    asked = {"passkey": passkey, "name": "Chromium"}
    found["registered"] = browser.ask("/api/v1/passkeys", asked, token)
    kept = browser.cdp.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    found["resident"] = [one["isResidentCredential"] for one in kept]

    options = browser.ask("/api/v1/login/passkey/options", {})["body"]["publicKey"]
    passkey = browser.page.evaluate(GET, options)
    found["signed_in"] = browser.ask("/api/v1/login/passkey", {"passkey": passkey})
    found["again"] = browser.ask("/api/v1/login/passkey", {"passkey": passkey})

    begun = browser.ask("/login", own)
    found["begun"] = begun
    ticket = {"ticket": begun["body"]["ticket"]}
    options = browser.ask("/api/v1/login/passkey/options", ticket)["body"]["publicKey"]
    passkey = browser.page.evaluate(GET, options)
    found["second"] = browser.ask("/api/v1/login/passkey", {"passkey": passkey, **ticket})
    found["page"] = by_page(browser.page)
    found["elsewhere"] = browser.page.evaluate(REFUSED, {**options, "rpId": "evil.test"})
    return found


def by_page(page: Page) -> str:
    """What the page says after a login by its button alone."""
    there = page.url
    page.goto(there.replace(START, "/login"))
    page.get_by_role("link", name="Log in with a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("button", name="Log out").wait_for(timeout=15_000)
    said = page.inner_text("main")
    page.goto(there)
    return said


def main(chromium: str, origin: str, spki: str, username: str, password: str) -> None:
    host = urlsplit(origin).hostname
    arguments = [
        "--no-sandbox",
        f"--host-resolver-rules=MAP {host} 127.0.0.1",
        f"--ignore-certificate-errors-spki-list={spki}",
    ]
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=arguments) as running,
    ):
        page = running.new_page()
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable", {"enableUI": False})
        page.goto(f"{origin}{START}")
        print(json.dumps(converse(Browser(page, cdp), username, password)))


if __name__ == "__main__":
    main(*sys.argv[1:])
