"""The smarthost's URL."""

import pytest

from config.smarthost import Smarthost, parse_smarthost


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://relay.test", Smarthost("relay.test", 587, False, False)),
        ("smtp://relay.test:25/", Smarthost("relay.test", 25, False, False)),
        ("smtps://relay.test", Smarthost("relay.test", 465, True, True)),
        ("smtps://relay.test?verify=no", Smarthost("relay.test", 465, True, False)),
        ("smtp://relay.test?verify=yes", Smarthost("relay.test", 587, False, True)),
        ("smtp://[::1]:2525", Smarthost("::1", 2525, False, False)),
        (
            "smtp://me%40x.test:p%3Aw%2F@relay.test:2587",
            Smarthost("relay.test", 2587, False, False, "me@x.test", "p:w/"),
        ),
    ],
)
def test_forms(text: str, expected: Smarthost) -> None:
    assert parse_smarthost(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "relay.test",
        "http://u:secret@relay.test",
        "smtp://",
        "smtp://u:secret@relay.test:0",
        "smtp://u:secret@relay.test:99999",
        "smtp://u:secret@relay.test/path",
        "smtp://u:secret@relay.test?verify=maybe",
        "smtp://u:secret@relay.test?tls=no",
        "smtp://u:secret@[::1",
    ],
)
def test_errors_do_not_show_the_password(text: str) -> None:
    with pytest.raises(ValueError, match="smtp://user:password@host:port") as caught:
        parse_smarthost(text)
    assert "secret" not in str(caught.value)
