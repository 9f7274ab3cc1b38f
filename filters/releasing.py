"""What may be done with the quarantine: list, show, release, delete, by administrators and users.

Invariants: a user reaches messages that are kept from them, no others, and only where the
configuration lets users do so; no user releases a virus; a message leaves its file after it is
durable elsewhere.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.clock import Clock, rfc3339
from config.logging import Logger
from config.settings import Settings
from filters.context import Message, Recipient
from filters.delivery import Delivery
from filters.envelope import Outcome
from filters.quarantining import envelope_of
from filters.record import Recorder
from filters.spam.reading import Reading, read
from filters.spooled import message_in
from filters.verdict import Verdict
from filters.virus_symbols import INFECTED
from net.threads import Busy, Offload
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.errors import StoreError
from storage.explain_values import Kind
from storage.quarantine import NotInQuarantine, Quarantine
from storage.quarantine_file import Kept
from storage.store import Store
from storage.values import AccountId

SHOWN = 1024 * 1024
"""Octets of a message that are read to be shown."""
Learn = Callable[[bytes, Sequence[AccountId]], Awaitable[None]]
"""Teaches that a message is no spam, for accounts; of a large one it gets the beginning."""


class NotReleased(StoreError):
    """The text says why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message to be looked at without danger: texts, not the message itself."""

    kept: Kept
    reading: Reading
    whole: bool


class Releasing:
    """Works with and without a serving process."""

    def __init__(
        self,
        settings: Settings,
        quarantine: Quarantine,
        delivery: Delivery,
        directory: Directory,
        store: Store,
        clock: Clock,
        offload: Offload,
        recorder: Recorder,
        log: Logger,
        *,
        learn: Learn,
    ) -> None:
        self._settings, self._quarantine, self._delivery = settings, quarantine, delivery
        self._directory, self._store, self._clock = directory, store, clock
        self._offload, self._recorder, self._log, self._learn = offload, recorder, log, learn

    async def listed(self, limit: int, account: AccountId | None = None) -> list[Kept]:
        """The newest of what is kept, the oldest of them first; from `account` alone if one is
        given.
        """
        found: list[Kept] = []
        if account is not None and not self._settings.quarantine.users:
            return found
        async for page in self._quarantine.pages():
            for kept in page:
                own = kept if account is None else await self._own(kept, account)
                found += [own] if own is not None else []
            if len(found) >= limit:
                break
        return found[:limit][::-1]

    async def show(self, name: str, account: AccountId | None = None) -> Shown:
        """Raises NotInQuarantine."""
        kept = await self._find(name, account)
        path, offset = await self._quarantine.place(name)
        data = await self._beginning(path, offset, kept.size)
        return Shown(kept, await self._offload.process(read, data), len(data) == kept.size)

    async def release(
        self, name: str, *, by: str = "", learn: bool = False, account: AccountId | None = None
    ) -> list[str]:
        """Delivers it; to whom. What a recipient's script refuses stays for that recipient. Raises
        NotInQuarantine, NotReleased.
        """
        async with self._quarantine.releasing:
            kept = await self._find(name, account)
            if account is not None and INFECTED in kept.symbols:
                raise NotReleased("a virus was found in it: ask your administrator")
            recipients = [await self._leading(kept, n, account) for n in kept.left]
            path, offset = await self._quarantine.place(name)
            data = await self._beginning(path, offset, kept.size) if learn else b""
            told = await self._deliver(kept, await self._read(kept, path, offset), recipients, by)
            taken = [to for to, one in zip(recipients, told, strict=True) if one.ok]
            names = [one.address for _, one in taken]
            if taken:
                await self._quarantine.done(name, [n for n, _ in taken], "released", by)
                self._happened(kept, Kind.RELEASED, "released", names, by)
        if learn and taken:
            await self._teach(data, [one.account for _, to in taken for one in to.resolution.local])
        for one in told:
            if not one.ok:
                raise NotReleased(f"<{one.recipient}>: {one.code} {one.status} {one.text}")
        return names

    async def _read(self, kept: Kept, path: Path, offset: int) -> Message:
        spool = self._store.spool_dir
        try:
            message = await self._offload.disk(message_in, path, offset, kept.size, spool)
        except (OSError, Busy) as error:
            raise NotReleased(f"it could not be read or copied: {error}") from error
        if kept.envelope.get("headless"):
            return replace(message, header=b"", headless=True)
        return message

    async def _teach(self, data: bytes, accounts: Sequence[AccountId]) -> None:
        try:
            await self._learn(data, accounts)
        except (StoreError, Busy) as error:
            raise NotReleased(f"it is delivered, but nothing was learned: {error}") from error

    async def delete(
        self, name: str, *, by: str = "", account: AccountId | None = None
    ) -> list[str]:
        """For good; for whom. Raises NotInQuarantine, NotReleased."""
        async with self._quarantine.releasing:
            kept = await self._find(name, account)
            positions = list(kept.left)
            if account is not None:
                positions = [(await self._leading(kept, n, account))[0] for n in kept.left]
            names = [kept.left[n] for n in positions]
            await self._quarantine.done(name, positions, "deleted", by)
        self._happened(kept, Kind.DELETED, "deleted", names, by)
        return names

    async def _beginning(self, path: Path, offset: int, size: int) -> bytes:
        def load() -> bytes:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(min(size, SHOWN))

        return await self._offload.disk(load)

    async def _deliver(
        self, kept: Kept, message: Message, recipients: Sequence[tuple[int, Recipient]], by: str
    ) -> list[Outcome]:
        now = self._clock.now()
        envelope = envelope_of(kept, recipients, by=by, at=rfc3339(now))
        if envelope.hold_until is not None and envelope.hold_until < now:
            envelope = replace(envelope, hold_until=None)
        if envelope.deliver_by is not None and envelope.deliver_by.at < now:
            envelope = replace(envelope, deliver_by=None)
        verdict = Verdict(keywords=frozenset(kept.envelope.get("keywords", ())))
        done = False
        try:
            told = await self._delivery.accept(envelope, message, verdict)
            done = any(one.ok for one in told)
        finally:
            spooled = message.content.path
            if spooled is not None and not done:
                await self._offload.disk(lambda: spooled.unlink(missing_ok=True))
        return told

    async def _find(self, name: str, account: AccountId | None) -> Kept:
        kept = await self._quarantine.show(name)
        if account is None:
            return kept
        own = await self._own(kept, account) if self._settings.quarantine.users else None
        if own is None:
            raise NotInQuarantine(f"no message {name} in quarantine")
        return own

    async def _own(self, kept: Kept, account: AccountId) -> Kept | None:
        """The message as one of its recipients may see it: the others are done, for them."""
        others = set()
        for position, address in kept.left.items():
            found = await self._resolve(address)
            if all(one.account != account for one in found.local):
                others.add(position)
        own = replace(kept, done=kept.done | others)
        return own if own.left else None

    async def _leading(
        self, kept: Kept, position: int, account: AccountId | None
    ) -> tuple[int, Recipient]:
        address = kept.recipients[position]
        found = await self._resolve(address)
        if account is not None and (len(found.local) != 1 or found.remote):
            raise NotReleased(f"{address} leads to others too: ask your administrator")
        if found.status is Status.NOT_OURS:
            if kept.envelope.get("account") is None:
                raise NotReleased(f"{address} is not of this server any more")
            found = Resolution(Status.DELIVERABLE, remote=(address,))
        elif found.status is not Status.DELIVERABLE:
            raise NotReleased(f"{address} does not exist or is disabled")
        return position, Recipient(address, found)

    async def _resolve(self, address: str) -> Resolution:
        return await self._directory.resolve(address)

    def _happened(self, kept: Kept, kind: Kind, what: str, names: Sequence[str], by: str) -> None:
        self._recorder.happened(kept.trace, kind, {"id": kept.id, "recipients": names, "by": by})
        self._log.info(
            f"{what} from quarantine", message=kept.trace, id=kept.id, recipients=names[:20], by=by
        )
