"""Signs what leaves in our name: submitted mail and our own notices, with all keys of the domain.

The signature is made last, over the header as it goes out. Neither the loop nor passwords wait for
it: it has a thread of its own.
"""

from collections.abc import Sequence

from config.clock import Clock
from config.settings import Settings
from filters.authentication.sealing import body_of
from filters.context import Message
from filters.signing.keyring import Keyring
from message.address import AddressError, parse_mailbox
from message.address_list import mailboxes
from message.dkim_sign import sign
from message.dkim_signing_key import SigningKey
from message.headers import all_values
from net.threads import Busy, Offload, Pool
from storage.directory import Directory
from storage.errors import StoreUnavailable


class Signer:
    """One for all that is sent."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        keyring: Keyring,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._settings, self._directory, self._keyring = settings, directory, keyring
        self._offload, self._clock = offload, clock

    def reload(self, settings: Settings) -> None:
        """Takes [dkim] of a changed configuration."""
        self._settings = settings

    async def sign(self, fields: bytes, message: Message, sender: str) -> bytes:
        """The DKIM-Signature fields of a message that gets `fields` above its header; b"" when
        none of its domains is served here. Raises StoreError.
        """
        if not self._settings.dkim.sign:
            return b""
        header = fields if message.headless else fields + message.header
        domain = self.domain(header, sender)
        if domain is None:
            return b""
        try:
            keys = await self._keyring.signing(domain)
            return await self._offload.run(
                Pool.SIGN, _signed, header, message, keys, int(self._clock.now())
            )
        except Busy as error:
            raise StoreUnavailable("too much mail waits for its signature") from error

    def domain(self, header: bytes, sender: str) -> str | None:
        """d=: the served domain that From stands in or below, so that DMARC finds it aligned
        (RFC 9989 §4.4), else that of the envelope sender.
        """
        values = all_values(header, b"from")
        authors = [entry.text for value in values for entry in mailboxes(value)]
        for address in (*authors, sender):
            try:
                labels = parse_mailbox(address).domain.split(".")
            except AddressError:
                continue
            for start in range(len(labels) - 1):
                domain = ".".join(labels[start:])
                if self._directory.serves(domain):
                    return domain
        return None


def _signed(header: bytes, message: Message, keys: Sequence[SigningKey], now: int) -> bytes:
    return b"".join(sign(header, body_of(message), keys, now))
