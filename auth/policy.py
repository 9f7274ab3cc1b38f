"""What a connection or a login may do: send a password in the clear, send as an address.

Who somebody is stands in auth/login.py; what roles may do in auth/roles.py; which addresses are
whose in storage/delegations.py.
"""

from auth.login_values import Login
from auth.networks import in_networks
from config.settings import Settings
from message.address import Mailbox
from storage.delegations import Sending, SendingRight
from storage.directory import Directory


def plaintext_allowed(peer: str, tls: bool, settings: Settings) -> bool:
    """Whether a password may be sent on this connection: over TLS or from auth.plaintext_from.

    `peer` is the peer's IP address, possibly with a zone (`fe80::1%eth0`).
    """
    return tls or in_networks(peer, settings.auth.plaintext_from)


async def sending_right(directory: Directory, login: Login, sender: Mailbox | str) -> SendingRight:
    """How the login may use `sender` as envelope sender, in From and in Sender: see
    storage/delegations.py. An app password may be good for some of these addresses only.
    """
    if not login.grant.may_send_as(sender):
        return SendingRight(Sending.NO)
    return await directory.delegations.right(login.account, sender)
