"""schemathesis, which nobody here wrote, reads the OpenAPI document and asks what no client would:
every answer is one that the document has, and none is a failure of the server.

Left out is what would end the login that asks. Refusals of wrong logins stand in
tests/web/rest/test_framework.py: the same wrong token again and again is delayed, as it should.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.support.programs import need, run
from tests.support.rest import ADA, API, ROOT, Rest
from tests.support.server import PASSWORD, ServerProcess, configuration

PROGRAM = str(Path("var/peers/bin/schemathesis").absolute())
SERVER = """[filters]
local_networks = ["127.0.0.0/8"]
[limits]
connections_per_minute_per_address = 1000000
"""
# what is refused though its shape is right: it makes no sense, or builds on what is not there
CONFIG = """[checks.positive_data_acceptance]
expected-statuses = [
    "2xx", "401", "403", "404", "409", "410", "412", "422", "428", "429", "507"
]
[checks.negative_data_rejection]
expected-statuses = [
    "400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "428", "429"
]
"""
LEFT_OUT = (
    "setPassword|setAccountPassword|enableAccount|deleteAccount|endSession|endToken|logout|reload"
)
UNTYPED = ("entry", "emails", "account")
"""Of these some have 400 for all that is wrong with a body: sign-up, sending."""
TAGS = {
    "account": (
        "account",
        "webhooks",
        "shares",
        "profile",
        "preferences",
        "tags",
        "outbox",
        "quarantine",
    ),
    "emails": ("emails", "mailboxes"),
    "entry": ("entry", "security"),
    "drive": ("drive", "images"),
    "contacts": ("contacts",),
    "rules": ("rules",),
    "scripts": ("sieve", "vacation"),
    "accounts": ("accounts",),
    "served": ("aliases", "audit", "domains", "defence"),
    "queue": ("queue", "administration of quarantine"),
    "server": ("mail flow", "server"),
}


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("schemathesis")
    with ServerProcess(folder, configuration(database=database, extra=SERVER)) as running:
        running.perform("account.add", address=ROOT, password=PASSWORD, admin=True)
        running.perform("account.add", address=ADA, password=PASSWORD)
        yield running


@both_databases
@pytest.mark.parametrize("group", TAGS)
def test_nothing_is_found(server: ServerProcess, group: str, tmp_path: Path) -> None:
    need(PROGRAM)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG if group not in UNTYPED else CONFIG.replace('"2xx"', '"2xx", "400"'))
    base = f"http://127.0.0.1:{server.port('http')}{API}"
    tags = [word for tag in TAGS[group] for word in ("--include-tag", tag)]
    token = Rest(server, ROOT).token
    run(
        *(PROGRAM, "--config-file", str(config), "--no-color", "run", f"{base}/openapi.json"),
        *tags,
        *("--header", f"Authorization: Bearer {token}"),
        *("--exclude-operation-id-regex", f"^({LEFT_OUT})$"),
        *("--exclude-checks", "ignored_auth"),
        *("--generation-with-security-parameters", "false"),
        *("--phases", "coverage,fuzzing", "--max-examples", "3", "--generation-deterministic"),
        *("--warnings", "off"),
        folder=tmp_path,
        home=tmp_path,
        timeout=58,
    )
    assert not server.events("request failed")


def test_every_operation_is_asked_for() -> None:
    """Each tag of the document is in a group."""
    document = json.loads((Path(__file__).parents[2] / "docs" / "openapi.json").read_bytes())
    tags = {one["name"] for one in document["tags"]}
    assert tags == {tag for group in TAGS.values() for tag in group}
