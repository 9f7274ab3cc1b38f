"""What of a message's record is one user's.

Invariant: a user sees the message that they sent or got, and of it nothing that is another's: no
other recipients unless they named them, no other account's mailboxes, logins or forwarding.
"""

from collections.abc import Sequence

from storage.directory import Directory
from storage.errors import StoreError
from storage.explain_values import Kind, Recorded
from storage.values import AccountId

OF_THEIRS = (Kind.MESSAGE, Kind.REFUSED, Kind.QUARANTINED)
"""Of which one makes a message theirs to ask about."""
_SENDERS = ("recipients", "count", "queued", "hold_until")


class Own:
    """Takes of each happening what an account may know."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def of(self, rows: Sequence[Recorded], account: AccountId) -> list[Recorded]:
        """What of a message's happenings is this account's."""
        named = _named(rows, account)
        found = [await self._of(row, account, named) for row in rows]
        return [row for row in found if row is not None]

    async def _of(
        self, row: Recorded, account: AccountId, named: frozenset[str]
    ) -> Recorded | None:
        sent = row.data.get("by") == account
        if row.kind in (Kind.MESSAGE, Kind.COPY):
            got = row.account == account
            if row.kind is Kind.COPY and not got:
                return None
            if not got and not sent:
                return await self._shared(row, account)
            return row._replace(data=_reduced(row, account, sent=sent, got=got))
        if row.kind is Kind.REFUSED:
            return row if sent else await self._refused(row, account)
        return await self._later(row, account, named)

    async def _shared(self, row: Recorded, account: AccountId) -> Recorded | None:
        """Of a message whose other copies stand in rows of their own: how it came in."""
        mine = [
            {"address": one["address"]}
            for one in row.data.get("recipients") or ()
            if account in one.get("accounts", ()) or await self._leads(one["address"], account)
        ]
        if not mine:
            return None
        data = _reduced(row, account, sent=False, got=False) | {
            "recipients": mine,
            "count": len(mine),
        }
        return row._replace(data=data, account=None, blob=None)

    async def _refused(self, row: Recorded, account: AccountId) -> Recorded | None:
        """A refusal at RCPT or DATA of a message to this account."""
        named = [row.data["recipient"]] if row.data.get("recipient") else []
        named = named or list(row.data.get("recipients") or ())
        mine = [one for one in named if await self._leads(one, account)]
        if not mine:
            return None
        data = {key: value for key, value in row.data.items() if key != "recipient"}
        return row._replace(data=data | {"recipients": mine, "unrecorded": 0})

    async def _later(
        self, row: Recorded, account: AccountId, named: frozenset[str]
    ) -> Recorded | None:
        owner = row.data.get("owner")
        if owner is not None:
            return row if owner == account else None
        if row.kind is Kind.ATTEMPT:
            return row if row.data.get("recipient") in named else None
        kept_from = list(row.data.get("recipients") or ())
        mine = [one for one in kept_from if await self._leads(one, account)]
        return row._replace(data={**row.data, "recipients": mine}) if mine else None

    async def _leads(self, address: str, account: AccountId) -> bool:
        try:
            found = await self._directory.resolve(address)
        except StoreError:
            return False
        return any(target.account == account for target in found.local)


def _named(rows: Sequence[Recorded], account: AccountId) -> frozenset[str]:
    """The recipients that the account named as the sender: where somebody else's alias leads is not
    the sender's to know.
    """
    sent = (row for row in rows if row.kind is Kind.MESSAGE and row.data.get("by") == account)
    return frozenset(to["address"] for row in sent for to in row.data.get("recipients") or ())


def _reduced(row: Recorded, account: AccountId, *, sent: bool, got: bool) -> dict[str, object]:
    """The data of a message without what is not the account's."""
    data = {key: value for key, value in row.data.items() if key not in ("copies", "by")}
    copy = data.pop("copy", None)
    data["scripts"] = [one for one in data.get("scripts") or () if one[0] == account]
    if got:
        data["copy"] = copy
    if sent:
        data["by"] = row.data.get("by")
        data["recipients"] = [{"address": one["address"]} for one in data.get("recipients") or ()]
        named = {one["address"] for one in data["recipients"]}
        data["queued"] = [one for one in data.get("queued") or () if one in named]
        return data
    for name in _SENDERS:
        data.pop(name, None)
    if got and copy:
        data |= {"recipients": [{"address": copy["address"]}], "count": 1}
    data["peer"] = {key: value for key, value in (data.get("peer") or {}).items() if key != "login"}
    if row.data.get("count", 1) > 1:  # what was said at RCPT is of others too
        data["asked"] = [one for one in data.get("asked") or () if one[0] != "rcpt"]
    return data
