"""What a connection or a login may do: send a password in the clear, send as an address.

Who somebody is stands in auth/login.py; which addresses lead to an account in storage/directory.py.
"""

from auth.login_values import Login
from auth.networks import in_networks
from config.settings import Settings
from message.address import Mailbox
from storage.directory import Directory


def plaintext_allowed(peer: str, tls: bool, settings: Settings) -> bool:
    """Whether a password may be sent on this connection: over TLS or from auth.plaintext_from.

    `peer` is the peer's IP address, possibly with a zone (`fe80::1%eth0`).
    """
    return tls or in_networks(peer, settings.auth.plaintext_from)


async def may_send_as(directory: Directory, login: Login, sender: Mailbox | str) -> bool:
    """Whether the login may use `sender` as envelope sender: own address, its sub-addresses and
    aliases that lead to the account; a catch-all gives no right. An app password may be good for
    some of these only.
    """
    return login.grant.may_send_as(sender) and await directory.may_send_as(login.account, sender)
