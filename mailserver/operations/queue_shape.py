"""The queue seen from above: what waits by destination, or by sender, divided by age.

Rows are read in pieces and only sums are kept, so that a long queue costs neither memory nor a
pause.
"""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from mailserver.operations.errors import Missing, OperationError
from mailserver.operations.queue_ages import MINUTES
from mailserver.services import Services
from storage.queue_filter import QueueFilter
from storage.queue_values import Listed

Args = Mapping[str, Any]
STATES = ("queued", "deferred", "held")
TOTAL = "TOTAL"


async def queue_shape(services: Services, args: Args) -> list[dict[str, Any]]:
    """The sum, then domains by how much waits. Args: by_sender, and those of `selected`.

    {domain, recipients, octets, ages}: `ages` counts recipients younger than 5, 10, 20 ... 1280
    minutes, each without those before, and the older ones last.
    """
    now = services.clock.now()
    by_sender = bool(args.get("by_sender"))
    sums: dict[str, dict[str, Any]] = {TOTAL: _empty(TOTAL)}
    async for entry in selected(services, args):
        for recipient in entry.recipients:
            if recipient.state not in STATES:
                continue
            domain = _domain(entry.sender if by_sender else recipient.address)
            for row in (sums[TOTAL], sums.setdefault(domain, _empty(domain))):
                row["recipients"] += 1
                row["octets"] += entry.size
                row["ages"][_column(now - entry.queued_at)] += 1
    return sorted(sums.values(), key=lambda row: (row["domain"] != TOTAL, -row["recipients"]))


async def filter_of(services: Services, args: Args) -> QueueFilter:
    """Mail by `sender`, for `recipient`, to `domain`, of `account`; what is not given matches all.
    Addresses compare without case. Raises OperationError.
    """
    account = None
    if args.get("account"):
        account = await services.directory.account(args["account"])
        if account is None:
            raise Missing(f"There is no account {args['account']}")
    number = account.id if account is not None else None
    return QueueFilter.of(args.get("sender"), args.get("recipient"), args.get("domain"), number)


async def selected(services: Services, args: Args) -> AsyncIterable[Listed]:
    """What `filter_of` means, in `state` if that is given. Raises OperationError."""
    which = await filter_of(services, args)
    async for entry in matching(services.store.queue.entries(), which, args.get("state")):
        yield entry


async def matching(
    entries: AsyncIterable[Listed], which: QueueFilter, state: str | None
) -> AsyncIterable[Listed]:
    """Messages in a state with a recipient that is meant. Raises OperationError."""
    if state is not None and state not in STATES:
        raise OperationError(f"{state!r} is no state: one of {', '.join(STATES)}")
    async for entry in entries:
        if state not in (None, entry.state) or not which.fits_message(entry.sender, entry.account):
            continue
        if any(which.fits_recipient(one.address) for one in entry.recipients):
            yield entry


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower() or "<>"


def _column(seconds: float) -> int:
    return next((n for n, most in enumerate(MINUTES) if seconds < most * 60), len(MINUTES))


def _empty(domain: str) -> dict[str, Any]:
    return {"domain": domain, "recipients": 0, "octets": 0, "ages": [0] * (len(MINUTES) + 1)}
