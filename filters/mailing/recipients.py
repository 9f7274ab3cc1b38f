"""Whom a message that is sent by HTTP goes to: groups of contacts, where addresses lead, room."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from auth.login_values import Login
from filters.context import Recipient
from filters.mailing.values import NotSent, To, Why, Wish
from filters.quota import Quotas
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.group_addresses import SUFFIX


class Recipients:
    """`quotas` are those of SMTP too."""

    def __init__(self, directory: Directory, quotas: Quotas) -> None:
        self._directory, self._quotas = directory, quotas

    async def members(self, login: Login, wished: Sequence[To]) -> tuple[To, ...]:
        """A group of the account's contacts stands for its members. Raises StoreError."""
        found: dict[str, To] = {}
        for to in wished:
            members = await self._members(login, to.address)
            for address in members or (to.address,):
                found.setdefault(address, replace(to, address=address))
        return tuple(found.values())

    async def resolved(self, wish: Wish, size: int, held: ExitStack) -> list[Recipient]:
        """Where they lead; room for `size` octets is kept for each until `held` is closed. Raises
        NotSent, StoreError.
        """
        found: dict[str, Recipient] = {}
        nobody, full = [], []
        for to in wish.recipients:
            resolution = await self._resolved(to.address)
            if resolution.status is not Status.DELIVERABLE or (resolution.returns and wish.sender):
                nobody.append(to.address)
            elif not await self._has_room(resolution, size, held):
                full.append(to.address)
            found[to.address] = Recipient(to.address, resolution, to.notify, to.orcpt)
        if bad := (*nobody, *full):
            text = "Nobody has these addresses" if nobody else "These mailboxes are full"
            raise NotSent(Why.INVALID_RECIPIENTS, text, recipients=bad)
        return list(found.values())

    async def _resolved(self, address: str) -> Resolution:
        found = await self._directory.resolve(address)
        if found.status is Status.NOT_OURS:
            return Resolution(Status.DELIVERABLE, remote=(address,))
        return found

    async def _has_room(self, resolution: Resolution, size: int, held: ExitStack) -> bool:
        """Who has mail sent on too is asked for none."""
        if not resolution.local or resolution.remote:
            return True
        reservation = await self._quotas.admit(resolution.local, size)
        if reservation is None:
            return False
        held.callback(reservation.give_back)
        return True

    async def _members(self, login: Login, address: str) -> Sequence[str] | None:
        if SUFFIX not in address:
            return None
        account = await self._directory.account_by_id(login.account)
        if account is None:
            return None
        return await self._directory.group_addresses.members(account, address)
