"""Configuration files: defaults, every error at once with its line, environment, secrets."""

import re
from pathlib import Path

import pytest

from config.fields import Section
from config.load import ConfigInvalid, find_config, load
from config.sections_accounts import AccountSource, SourceAttributes
from config.sections_filters import DnsList, Milter, Rspamd, TaggingRule
from config.sections_server import PolicyRule
from config.settings import Settings
from mailserver.reloading import flatten

EXAMPLE = Path(__file__).parents[2] / "config" / "example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "mailserver.toml"
    path.write_text(text)
    return path


def errors_of(path: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigInvalid) as caught:
        load(path, environment or {})
    return [str(error).removeprefix(str(path)) for error in caught.value.errors]


def test_hostname_is_the_only_key_needed(tmp_path: Path) -> None:
    settings = load(write(tmp_path, 'hostname = "MX.Example.Test."\n'), {})
    assert settings.hostname == "mx.example.test"
    assert settings.data_dir == tmp_path / "data"
    assert settings.store.maildir == tmp_path / "data" / "mail"
    assert settings.tls.certificate is None
    assert settings.auth.plaintext_from == []
    assert settings.outbound.life == 5 * 86400


def test_all_errors_at_once_with_line_key_found_and_allowed(tmp_path: Path) -> None:
    text = '[listen]\nsmpt = []\nimap = ["nowhere"]\n[limits]\nmessage_size = "5X"\n'
    assert errors_of(write(tmp_path, text)) == [
        ": hostname: found nothing, this key is needed",
        ':2: listen.smpt: unknown key; nearest known key: "smtp"',
        ":3: listen.imap: found 'nowhere', allowed: an address and port such as \"127.0.0.1:2525\"",
        (
            ":5: limits.message_size: found '5X', allowed: a size such as \"50M\""
            " (K, M, G, T are powers of 1024)"
        ),
    ]


def test_a_syntax_error_is_reported_alone_with_its_line(tmp_path: Path) -> None:
    (error,) = errors_of(write(tmp_path, 'hostname = "x"\n[listen\nzzz = 1\n'))
    assert error.startswith(":2: syntax:")


def test_weights_are_those_of_symbols(tmp_path: Path) -> None:
    text = 'hostname = "a.test"\n[spam.weights]\nPHISHING = 1.5\n'
    text += "MISSING_DATES = 2.0\nPHISHING_BRAND = nan\n"
    found = errors_of(write(tmp_path, text))
    assert len(found) == 2
    assert "a symbol of docs/spam.md, perhaps MISSING_DATE" in found[0] + found[1]
    assert all(error.startswith((":4: spam.weights", ":5: spam.weights")) for error in found)
    known = load(write(tmp_path, text.partition("MISSING")[0]), {})
    assert known.spam.weights == {"PHISHING": 1.5}


@pytest.mark.parametrize("names", ['"dmarc"', '"spf", "dmarc"', '"spf", "dmarc", "dkim"'])
def test_dmarc_needs_what_it_judges_by(tmp_path: Path, names: str) -> None:
    text = f'hostname = "a.test"\n[filters]\npipeline = [{names}]\n'
    (error,) = errors_of(write(tmp_path, text))
    assert error.startswith(":3: filters.pipeline") and '"spf" and "dkim" in front' in error


def test_the_environment_wins_and_is_named_in_errors(tmp_path: Path) -> None:
    path = write(tmp_path, 'hostname = "a.test"\n[auth]\nbcrypt_rounds = 5\n')
    assert load(path, {"MAILSERVER_AUTH_BCRYPT_ROUNDS": "6"}).auth.bcrypt_rounds == 6
    assert load(path, {"MAILSERVER_DOMAINS": "a.test, b.test"}).domains == ["a.test", "b.test"]
    assert load(path, {"MAILSERVER_SPAM_RSPAMD_TIMEOUT": "3s"}).spam.rspamd.timeout == 3.0
    with pytest.raises(ConfigInvalid, match=r"^MAILSERVER_AUTH_BCRYPT_ROUNDS: auth.bcrypt_rounds"):
        load(path, {"MAILSERVER_AUTH_BCRYPT_ROUNDS": "99"})


def test_every_key_but_tables_can_come_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, 'hostname = "a.test"\n')
    before = flatten(load(path, {}))
    tables = {"policy", "tagging.rule", "dnsbl.list", "outbound.pool", "outbound.route"}
    pair = {"tls.certificate", "tls.key"}
    for key in before.keys() - tables - pair:
        variable = f"MAILSERVER_{key.replace('.', '_').upper()}"
        try:
            assert flatten(load(path, {variable: "zz.test"}))[key] != before[key], key
        except ConfigInvalid as invalid:
            assert [error.source for error in invalid.errors] == [variable]


def test_a_misspelt_variable_is_named_with_the_nearest_key(tmp_path: Path) -> None:
    path = write(tmp_path, 'hostname = "a.test"\n')
    (error,) = errors_of(path, {"MAILSERVER_AUTH_BCRYPT_ROUND": "6"})
    assert error == (
        "MAILSERVER_AUTH_BCRYPT_ROUND: auth.bcrypt_round: unknown key; "
        'nearest known key: "bcrypt_rounds"'
    )
    (error,) = errors_of(path, {"MAILSERVER_MTA_STS_MODUS": "none"})
    assert error.startswith("MAILSERVER_MTA_STS_MODUS: mta_sts.modus: unknown key")
    others = {"MAILSERVER_SERVICE_HOST": "10.0.0.1", "MAILSERVER_HOME": "x"}
    assert load(path, others).hostname == "a.test"


def test_secrets_come_from_files_and_never_show(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("smtp://user:hunter2@relay.test:587\n")
    path = write(tmp_path, 'hostname = "a.test"\n[outbound]\nsmarthost_file = "secret"\n')
    settings = load(path, {})
    assert settings.outbound.smarthost.get_secret_value() == "smtp://user:hunter2@relay.test:587"
    assert "hunter2" not in repr(settings)
    bad = write(tmp_path, 'hostname = "a.test"\n[store]\ndatabase = ["hunter2"]\n')
    assert "hunter2" not in " ".join(errors_of(bad))


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    (error,) = errors_of(write(tmp_path, 'hostname = "a.test"\n[tls]\ncertificate = "a.pem"\n'))
    assert "tls.key" in error
    others = errors_of(write(tmp_path, 'hostnam = "a.test"\n[tls]\nkey = "a.key"\n'))
    assert [error.split(": ")[1] for error in others] == ["hostname", "hostnam", "tls.certificate"]


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("store", "database", "mysql://u:hunter2@h/x", '"postgresql://user:password@host/name"'),
        ("store", "cache", "memcached://hunter2", '"redis://host:port/db"'),
        ("outbound", "smarthost", "http://u:hunter2@h", '"smtp://user:password@host:port"'),
        ("auth", "sms", "pigeon", '"webhook:URL"'),
    ],
)
def test_forms_are_checked(
    tmp_path: Path, section: str, key: str, value: str, allowed: str
) -> None:
    (error,) = errors_of(write(tmp_path, f'hostname = "a.test"\n[{section}]\n{key} = "{value}"\n'))
    assert error.startswith(f":3: {section}.{key}: found ")
    assert allowed in error
    assert "hunter2" not in error


@pytest.mark.parametrize("value", ["-5.0", "nan", "inf", "300", "true"])
def test_a_duration_is_one(tmp_path: Path, value: str) -> None:
    (error,) = errors_of(write(tmp_path, f'hostname = "a.test"\n[outbound]\nlife = {value}\n'))
    assert error.startswith(":3: outbound.life: ") and '"30s", "15m", "4h" or "5d"' in error


@pytest.mark.parametrize("value", ["-1", "9223372036854775808", "true", "1.5"])
def test_a_size_is_one(tmp_path: Path, value: str) -> None:
    (error,) = errors_of(write(tmp_path, f'hostname = "a.test"\n[explain]\nsize = {value}\n'))
    assert error.startswith(":3: explain.size: ") and "a size " in error


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text()
    keys = [
        name
        for section in Settings.model_fields.values()
        if isinstance(section.annotation, type) and issubclass(section.annotation, Section)
        for name in section.annotation.model_fields
    ]
    models = (TaggingRule, DnsList, PolicyRule, Milter, Rspamd, AccountSource, SourceAttributes)
    rows = [key for model in models for key in model.model_fields]
    for key in (*keys, *rows, "hostname", "domains", "data_dir"):
        table = rf"\n# \[\[\w+\.{key}\]\]|\n(# )?\[\w+(\.\w+)*\.{key}\]"
        assert re.search(rf"\n(# )?{key} = |{table}", text), key


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example = flatten(load(write(tmp_path, EXAMPLE.read_text()), {}))
    default = flatten(load(write(tmp_path, 'hostname = "mx.example.test"\n'), {}))
    differ = {key for key in example if example[key] != default[key]}
    assert differ == {"domains", "tls.certificate", "tls.key", "auth.plaintext_from", "auth.signup"}


def test_the_configuration_is_found_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if not Path("/etc/mailserver/mailserver.toml").exists():
        with pytest.raises(ConfigInvalid):
            find_config(None, {})
    write(tmp_path, "")
    assert find_config(None, {}) == Path("mailserver.toml")
    assert find_config(None, {"MAILSERVER_CONFIG": "/a"}) == Path("/a")
    assert find_config(Path("/b"), {"MAILSERVER_CONFIG": "/a"}) == Path("/b")


def test_name_servers_are_addresses(tmp_path: Path) -> None:
    good = '"127.0.0.1:5353", "::1", "[::1]:54", "192.0.2.1"'
    text = f'hostname = "a.test"\n[dns]\nnameservers = [{good}]\n'
    servers = load(write(tmp_path, text), {}).dns.nameservers
    assert [str(server) for server in servers] == [
        "127.0.0.1:5353",
        "[::1]:53",
        "[::1]:54",
        "192.0.2.1:53",
    ]
    for wrong in ("dns.example.org", "dns.example.org:53", "192.0.2.1:x"):
        text = f'hostname = "a.test"\n[dns]\nnameservers = ["{wrong}"]\n'
        (error,) = errors_of(write(tmp_path, text))
        assert "the address of a resolver" in error


def test_what_is_allowed_is_said_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "mailserver.toml"
    path.write_text('hostname = "mx.example.test"\ndata_dir = 5\n[outbound]\nport = 99999\n')
    with pytest.raises(ConfigInvalid) as caught:
        load(path, {"MAILSERVER_LIMITS_RECIPIENTS": "many"})
    assert [str(error).partition(": ")[2] for error in caught.value.errors] == [
        "limits.recipients: found 'many', allowed: a valid integer",
        "data_dir: found 5, allowed: a path",
        "outbound.port: found 99999, allowed: less than or equal to 65535",
    ]
