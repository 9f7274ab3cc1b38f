"""The queue seen from above: what waits by destination, or by sender, divided by age.

Rows are read in pieces and only sums are kept, so that a long queue costs neither memory nor a
pause.
"""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.queue_values import Listed, ListedRecipient

Args = Mapping[str, Any]
MINUTES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
STATES = ("queued", "deferred", "held")
TOTAL = "TOTAL"


async def queue_shape(services: Services, args: Args) -> list[dict[str, Any]]:
    """The sum, then domains by how much waits. Args: by_sender, and those of `matching`.

    {domain, recipients, octets, ages}: `ages` counts recipients younger than 5, 10, 20 ... 1280
    minutes, each without those before, and the older ones last.
    """
    now = services.clock.now()
    by_sender = bool(args.get("by_sender"))
    sums: dict[str, dict[str, Any]] = {TOTAL: _empty(TOTAL)}
    async for entry in matching(services.store.queue.entries(), args):
        for recipient in entry.recipients:
            if recipient.state not in STATES:
                continue
            domain = _domain(entry.sender if by_sender else recipient.address)
            for row in (sums[TOTAL], sums.setdefault(domain, _empty(domain))):
                row["recipients"] += 1
                row["octets"] += entry.size
                row["ages"][_column(now - entry.queued_at)] += 1
    return sorted(sums.values(), key=lambda row: (row["domain"] != TOTAL, -row["recipients"]))


async def matching(entries: AsyncIterable[Listed], args: Args) -> AsyncIterable[Listed]:
    """Those by `sender`, for `recipient`, to `domain`, in `state`; what is not given matches all.
    Addresses compare without case. Raises OperationError.
    """
    state = args.get("state")
    if state is not None and state not in STATES:
        raise OperationError(f"{state!r} is no state: one of {', '.join(STATES)}")
    sender, recipient = _lower(args.get("sender")), _lower(args.get("recipient"))
    domain = _lower(args.get("domain"))
    async for entry in entries:
        if sender is not None and entry.sender.lower() != sender:
            continue
        if state is not None and entry.state != state:
            continue
        if any(_fits(one, recipient, domain) for one in entry.recipients):
            yield entry


def _fits(one: ListedRecipient, recipient: str | None, domain: str | None) -> bool:
    address = one.address.lower()
    return recipient in (None, address) and domain in (None, _domain(address))


def _lower(text: str | None) -> str | None:
    """ "<>" is the null sender."""
    return None if text is None else text.lower().removeprefix("<").removesuffix(">")


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower() or "<>"


def _column(seconds: float) -> int:
    return next((n for n, most in enumerate(MINUTES) if seconds < most * 60), len(MINUTES))


def _empty(domain: str) -> dict[str, Any]:
    return {"domain": domain, "recipients": 0, "octets": 0, "ages": [0] * (len(MINUTES) + 1)}
