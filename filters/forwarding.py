"""Mail from outside that goes out again, by an alias that leads elsewhere: made so that the next
server has reason to believe it.

The envelope sender is rewritten to an address of ours, since SPF judges who sends now (SRS), and an
ARC set says what was found here when the message arrived. Of what becomes of it the sender hears,
unless it is forged, or an address behind which a whole list or another program would hear it.
"""

from collections.abc import Sequence
from dataclasses import replace

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.authentication.results import (
    ArcResult,
    DkimResult,
    DmarcResult,
    Outcome,
    Result,
    SpfResult,
)
from filters.authentication.sealing import arc_set
from filters.context import Kind, Message
from filters.envelope import Envelope
from filters.notice_limits import NoticeLimits
from filters.signing.keyring import Keyring
from filters.signing.published import is_published
from message.address import AddressError, parse_mailbox
from message.automatic import is_bulk, unreportable
from message.dkim_signing_key import SigningKey
from net.dns import DnsUnavailable, Questions
from net.threads import Busy, Offload
from storage.directory import Directory
from storage.values import QueuedRecipient


class Forwarding:
    """One for all that is delivered."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        keyring: Keyring,
        resolver: Questions,
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._settings, self._directory, self._keyring = settings, directory, keyring
        self._resolver, self._offload, self._clock, self._log = resolver, offload, clock, log
        self.limits = NoticeLimits(settings, clock, log)

    def reload(self, settings: Settings) -> None:
        """Takes [forwarding] of a changed configuration."""
        self._settings = settings
        self.limits.reload(settings)

    async def sender(self, envelope: Envelope) -> str:
        """The envelope sender with which a message goes on; its own when nothing is forwarded, or
        when it is one of ours anyway. Raises StoreError.
        """
        domain = self._through(envelope)
        if domain is None or not self._settings.forwarding.srs or not envelope.sender:
            return envelope.sender
        if self._is_ours(_domain_of(envelope.sender)):
            return envelope.sender
        return await self._directory.rewritten.forward(envelope.sender, domain)

    async def seal(self, envelope: Envelope, message: Message) -> bytes:
        """The ARC set to put above a message that is forwarded; b"" for others, and where none may
        be added. A message goes on without one rather than not at all.

        A chain that holds is added to only with a key that DNS serves: a seal that nobody can check
        would break it. Raises StoreError.
        """
        domain = self._through(envelope)
        if domain is None or not self._settings.forwarding.arc or message.headless:
            return b""
        if not envelope.results or not self._directory.serves(domain):
            return b""
        hostname, now = self._settings.hostname, self._clock.now()
        try:
            keys = await self._keyring.signing(domain)
            if not keys or (_has_chain(envelope.results) and not await self._serves(keys[0])):
                return b""
            return await arc_set(message, envelope.results, hostname, keys[0], now, self._offload)
        except Busy:
            self._log.warning("forwarded without ARC: too busy", message=envelope.trace)
            return b""

    async def _serves(self, key: SigningKey) -> bool:
        try:
            return await is_published(self._resolver, key)
        except DnsUnavailable:
            return False

    def silence(self, envelope: Envelope, message: Message) -> str:
        """Why nobody gets reports about a message from outside, in a few words; "" when its sender
        may.
        """
        if envelope.kind not in (Kind.MX, Kind.LMTP) or not envelope.sender:
            return ""
        if is_forged(envelope.results):
            return "the sender is forged"
        return unreportable(envelope.sender, message.header)

    def reporting(
        self, envelope: Envelope, message: Message, queued: tuple[QueuedRecipient, ...]
    ) -> tuple[QueuedRecipient, ...]:
        """The recipients with what the sender may hear of them. That mail of lists is late nobody
        hears.
        """
        if not queued or envelope.kind not in (Kind.MX, Kind.LMTP):
            return queued
        if why := self.silence(envelope, message):
            self._log.info("reports to nobody", message=envelope.trace, reason=why)
            return tuple(replace(one, notify="NEVER") for one in queued)
        if not is_bulk(message.header):
            return queued
        return tuple(replace(one, notify=one.notify or "FAILURE") for one in queued)

    def _through(self, envelope: Envelope) -> str | None:
        """Our domain that a message from outside goes out again through; None when it does not."""
        if envelope.kind not in (Kind.MX, Kind.LMTP):
            return None
        for recipient in envelope.recipients:
            if recipient.resolution.remote:
                domain = _domain_of(recipient.address)
                return domain if self._directory.serves(domain) else self._settings.hostname
        return None

    def _is_ours(self, domain: str) -> bool:
        return domain == self._settings.hostname or self._directory.serves(domain)


def _has_chain(results: Sequence[Result]) -> bool:
    return any(isinstance(one, ArcResult) and one.outcome is Outcome.PASS for one in results)


def is_forged(results: Sequence[Result]) -> bool:
    """DMARC failed; or, where DMARC says nothing, SPF failed and no signature holds."""
    dmarc = [one.outcome for one in results if isinstance(one, DmarcResult)]
    if Outcome.PASS in dmarc:
        return False
    if Outcome.FAIL in dmarc:
        return True
    signed = any(isinstance(one, DkimResult) and one.outcome is Outcome.PASS for one in results)
    failed = any(isinstance(one, SpfResult) and one.outcome is Outcome.FAIL for one in results)
    return failed and not signed


def _domain_of(address: str) -> str:
    try:
        return parse_mailbox(address).domain
    except AddressError:
        return ""
