"""Tells users by mail, in plain words, that somebody logged in to their account from a new place.

What is new is decided by auth/arrivals.py. Invariants: one mail a device, at most three a day and
account; a login never waits for it.
"""

import asyncio
import secrets
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from auth.arrivals import Arrival, notify_new_device
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.delivery import Delivery
from net.limits import Gcra
from storage.directory import Directory
from storage.errors import StoreError

A_DAY: Final = 3
DAY: Final = 86_400.0
ACCOUNTS: Final = 20_000
WAITING: Final = 1_000
_HOW: Final = {
    "imap": "a mail program (IMAP)",
    "smtp": "a program that sends mail (SMTP)",
    "sieve": "an editor of mail filters (ManageSieve)",
    "carddav": "an address book (CardDAV)",
    "jmap": "a mail program (JMAP)",
    "web": "a web browser",
}


class LoginNotices:
    """`tell` it of arrivals; `stop` it before the store closes."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        delivery: Delivery,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._settings, self._directory, self._delivery = settings, directory, delivery
        self._clock, self._log = clock, log
        self._limit = Gcra(A_DAY, clock, seconds=DAY, keys=ACCOUNTS)
        self._tasks: set[asyncio.Task[None]] = set()

    def reload(self, settings: Settings) -> None:
        """Takes auth.notify_new_device of a changed configuration."""
        self._settings = settings

    def tell(self, arrival: Arrival) -> None:
        """Delivers the mail beside the login."""
        if len(self._tasks) < WAITING and not self._limit.wait(arrival.account):
            task = asyncio.create_task(self._tell(arrival))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Waits for mails that are being delivered."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self, arrival: Arrival) -> None:
        try:
            wanted = notify_new_device(self._settings)
            if not await self._directory.preferences.get(arrival.account, wanted):
                return
            if not self._limit.take(arrival.account):
                return
            message = build_notice(arrival, self._settings.hostname, self._clock.now())
            await self._delivery.deliver_notice(arrival.name, message, asked_for=True)
        except StoreError as error:
            self._log.warning("a new device was not told of", reason=str(error))


def build_notice(arrival: Arrival, hostname: str, now: float) -> bytes:
    """The whole message. `now` in seconds since 1970."""
    at = datetime.fromtimestamp(now, UTC)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Mail server <postmaster@{hostname}>"
    message["To"] = arrival.name
    message["Subject"] = "New login to your mail account"
    message["Date"] = at
    message["Message-ID"] = f"<{secrets.token_hex(12)}@{hostname}>"
    message["Auto-Submitted"] = "auto-generated"
    client = f"It calls itself: {arrival.client}\n" if arrival.client else ""
    message.set_content(
        f"Somebody logged in to {arrival.name} from where nobody did before.\n"
        "\n"
        f"When: {at:%d %B %Y, %H:%M} (UTC)\n"
        f"From the address: {arrival.address}\n"
        f"With: {_HOW.get(arrival.protocol, arrival.protocol)}\n"
        f"{client}"
        "\n"
        "If this was you, there is nothing to do: your phone or laptop is in a new network.\n"
        "\n"
        "If it was not you, change your password now. That ends all open connections. Then ask\n"
        "whoever runs this mail server to look at the list of logins to your account.\n",
        cte="quoted-printable",
    )
    return bytes(message)
