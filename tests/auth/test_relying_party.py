"""Which site passkeys belong to, and from which pages they may be used."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from auth.relying_party import site_of
from auth.webauthn import Site
from config.fields import Endpoint
from config.settings import Settings
from tests.support.directories import make_settings

LISTENERS = {
    "https": [Endpoint(host="127.0.0.1", port=2443), Endpoint(host="::1", port=2443)],
    "http": [Endpoint(host="127.0.0.1", port=2080)],
}


def settings(folder: Path, hostname: str = "mx.example.test", **auth: Any) -> Settings:
    return make_settings(folder, hostname=hostname, auth=auth)


def test_the_site_is_the_host_name(tmp_path: Path) -> None:
    origins = ("https://mx.example.test", "https://mx.example.test:2443")
    assert site_of(settings(tmp_path), LISTENERS) == Site("mx.example.test", origins)


def test_plain_http_is_for_localhost_alone(tmp_path: Path) -> None:
    found = site_of(settings(tmp_path, "localhost"), LISTENERS)
    assert "http://localhost:2080" in found.origins


def test_another_site_by_configuration(tmp_path: Path) -> None:
    told = settings(
        tmp_path, passkey_site="example.test", passkey_origins=["https://mail.example.test"]
    )
    assert site_of(told, LISTENERS) == Site("example.test", ("https://mail.example.test",))
    alone = settings(tmp_path, passkey_site="mail.example.test")
    assert site_of(alone, {}) == Site("mail.example.test", ("https://mail.example.test",))


@pytest.mark.parametrize(
    "auth",
    [
        pytest.param({"passkey_site": "https://mail.example.test"}, id="url-as-site"),
        pytest.param({"passkey_site": "Mail.example.test"}, id="upper-case"),
        pytest.param({"passkey_origins": ["http://mail.example.test"]}, id="plain-http"),
        pytest.param({"passkey_origins": ["https://mail.example.test/"]}, id="path"),
        pytest.param({"passkey_origins": ["https://*.example.test"]}, id="pattern"),
    ],
)
def test_what_is_no_site(tmp_path: Path, auth: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(tmp_path, **auth)
