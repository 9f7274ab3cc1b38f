"""Which addresses are asked though others have a say in them."""

import pytest

from config.fields import network
from net.dns import DnsError
from net.guarded import GuardedResolver
from tests.support.dns_server import dns_server


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("192.0.2.1", False),
        ("9.9.9.9", True),
        ("10.0.0.1", False),
        ("10.1.0.1", True),  # the configuration says so
        ("127.0.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::909:909", True),
        ("2002:7f00:1::1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("::7f00:1", False),
        ("2620:fe::fe", True),
    ],
)
async def test_only_public_addresses_and_those_of_the_configuration(
    address: str, asked: bool
) -> None:
    async with dns_server() as server:
        server.set("login.there.test", "AAAA" if ":" in address else "A", address)
        resolver = GuardedResolver([server.endpoint], lambda: [network("10.1.0.0/16")])
        if asked:
            assert list(await resolver.addresses("login.there.test")) == [address]
        else:
            with pytest.raises(DnsError, match="no address that may be asked"):
                await resolver.addresses("login.there.test")
