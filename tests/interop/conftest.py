"""One server process a test module, an account of its own a test, and Postfix as the world.

Modules that also run on PostgreSQL are marked with `both_databases` of tests/interop/databases.py.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.outside import Outside
from tests.interop.site import Account, Site
from tests.support.directories import own_database
from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread
from tests.support.run import free_port, shared_folder
from tests.support.server import ServerProcess, configuration


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """`sqlite`, or the URL of a PostgreSQL database that goes with the module."""
    kind = getattr(request, "param", "sqlite")
    with asyncio.Runner() as runner:
        opened = own_database(kind)
        url = runner.run(opened.__aenter__())
        try:
            yield url
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def folder(database: str) -> Iterator[Path]:
    """For one database; other users of the system can enter it, Postfix among them."""
    made = Path(tempfile.mkdtemp(prefix="mailserver-interop-", dir=shared_folder()))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with dns_in_thread() as server:
        server.mail_domain("world.test", (10, "mail.world.test", "127.0.0.1"))
        yield server


@pytest.fixture(scope="module")
def auth_keys() -> str:
    """What a module's server has more in [auth]: lines of TOML."""
    return ""


@pytest.fixture(scope="module")
def site(folder: Path, database: str, dns: DnsServer, auth_keys: str) -> Iterator[Site]:
    """The server; its log must hold no error of its own at the end."""
    outside_port = free_port()
    extra = f'[dns]\nnameservers = ["{dns.endpoint}"]\n[outbound]\nport = {outside_port}\n'
    config = configuration(database=database, extra=extra)
    config = config.replace("[auth]\n", f"[auth]\n{auth_keys}")
    with ServerProcess(folder / "server", config) as server:
        made = Site(server, dns, outside_port)
        yield made
    assert not made.complaints(), "\n".join(made.complaints())


@pytest.fixture(scope="module")
def outside(site: Site, folder: Path) -> Iterator[Outside]:
    """Postfix for world.test; it knows example.test to be at the server's MX listener."""
    world = Outside(folder / "outside", site.outside_port, site.port("smtp"))
    world.start()
    yield world
    world.stop()
    assert not world.complaints(), "\n".join(world.complaints())


@pytest.fixture
def account(site: Site) -> Account:
    return site.add_account()
