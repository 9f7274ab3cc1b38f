"""Asks each account that a message reaches what it does with it, and sorts the answers by what is
then stored and sent.

An account costs a look into memory: for its script, and for what it calls junk. Invariants: an
account is asked once a message, however often it is named or redirected to; whatever goes wrong
with a script, the account gets the message.
"""

import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

from config.logging import Logger
from filters.autotags.auto_tags import AutoTags
from filters.context import Message, Recipient
from filters.envelope import Envelope
from filters.recipients.away import Away
from filters.recipients.contact_lists import ContactLists
from filters.recipients.disposition import Decided, Disposition, Group, Later, Refusal, Version
from filters.recipients.following import Following
from filters.recipients.gathering import (
    Gathered,
    Pending,
    add_remote,
    copy_for,
    default_mailbox,
    edited,
    targets_of,
    unasked,
)
from filters.recipients.junk import Judged, PersonalJunk
from filters.recipients.scripts import Scripting
from filters.recipients.subject import Subject
from filters.sieve.actions import FileInto, Redirect
from filters.verdict import Action, Verdict
from net.threads import Offload
from storage.directory import Directory
from storage.directory_values import Resolution, Status, Target
from storage.errors import MailboxExists, MailboxForbidden
from storage.names import INBOX
from storage.store import Store
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Personal:
    """What accounts do with their mail: before it is stored, and after."""

    deciding: "Deciding"
    following: Following
    scripting: Scripting
    junk: PersonalJunk


class Deciding:
    """One for all deliveries."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        scripting: Scripting,
        junk: PersonalJunk,
        auto_tags: AutoTags,
        away: Away,
        offload: Offload,
        log: Logger,
    ) -> None:
        self._directory, self._store, self._log = directory, store, log
        self._scripting, self._junk, self._offload = scripting, junk, offload
        self._auto_tags, self._away = auto_tags, away
        self._lists = ContactLists(directory.contacts)

    async def decide(
        self, envelope: Envelope, message: Message, verdict: Verdict, trace: Callable[[], bytes]
    ) -> Decided:
        """`trace` gives the fields that will stand above the message: scripts see them. Raises
        StoreError, OSError, Busy.
        """
        if envelope.spam is None and not await self._any_script(envelope.recipients):
            return unasked(envelope, message, verdict)
        asking = _Asking(self, envelope, message, verdict, cache(trace))
        return await asking.run()

    async def _any_script(self, recipients: Iterable[Recipient]) -> bool:
        active, is_on = self._directory.scripts.active, self._away.is_on
        return any(
            [
                await active(target.account) is not None or await is_on(target.account)
                for target in targets_of(recipients)
            ]
        )

    async def judge(
        self, envelope: Envelope, message: Message, verdict: Verdict, account: AccountId
    ) -> tuple[Judged, tuple[str, ...]]:
        """Whether it is junk for an account, and the tags that it gets there; what of that is the
        account's own, in a few words.
        """
        judged = await self._junk.judge(envelope, message, verdict, account)
        told = judged.told(verdict)
        if judged.result is None or judged.verdict.action is not Action.ACCEPT:
            return judged, told
        given = await self._auto_tags.tags(account, judged.result.features)
        return judged.tagged(given.keywords), (*told, *given.told)

    async def disposition(
        self, pending: Pending, envelope: Envelope, judged: Judged, trace: Callable[[], bytes]
    ) -> Disposition | None:
        """None where the account has no script."""
        script = await self._directory.scripts.active(pending.target.account)
        if script is None:
            return None
        return await self._scripting.run(script, _subject(pending, envelope, judged, trace))

    async def answer(
        self, pending: Pending, envelope: Envelope, judged: Judged, trace: Callable[[], bytes]
    ) -> Later | None:
        """What is answered for an account whose user is away."""
        if not await self._away.is_on(pending.target.account):
            return None
        return await self._away.later(_subject(pending, envelope, judged, trace))

    async def resolve(self, address: str) -> Resolution:
        return await self._directory.resolve(address)

    async def addresses(self, account: AccountId, redirect: Redirect) -> list[str]:
        """Where a redirect goes: to an address, or to all in a list."""
        if not redirect.members:
            return [redirect.address]
        return await self._lists.members(account, redirect.address)

    async def place(self, account: AccountId, filed: FileInto) -> str:
        """The mailbox that a copy goes into; it is made when the script asks for that."""
        boxes = await self._store.mailboxes(account)
        if filed.special_use:
            for box in boxes:
                if box.special_use.casefold() == filed.special_use.casefold():
                    return box.name
        there = {box.name for box in boxes if box.selectable}
        name = filed.mailbox
        if name.upper() == INBOX:
            return INBOX
        if name in there or not filed.create:
            return name
        try:
            await self._store.create(account, name, filed.special_use)
        except MailboxExists:
            pass
        except MailboxForbidden as error:
            self._log.warning("mailbox not made", account=account, mailbox=name, reason=str(error))
            return INBOX
        return name

    async def with_own_file(self, group: Group) -> Group:
        """The store takes a spooled file over, so that each job needs one. Raises OSError."""
        content = group.message.content
        if content.path is None:
            return group
        path = self._store.spool_dir / f"copy-{secrets.token_hex(12)}"
        await self._offload.disk(shutil.copyfile, content.path, path)
        message = replace(group.message, content=replace(content, path=path))
        return replace(group, message=message)

    async def discard(self, message: Message) -> None:
        """Removes what was spooled of a message that nobody keeps."""
        path = message.content.path
        if path is not None:
            await self._offload.disk(path.unlink, True)

    def report(self, text: str, **more: object) -> None:
        self._log.warning(text, **more)


def _subject(
    pending: Pending, envelope: Envelope, judged: Judged, trace: Callable[[], bytes]
) -> Subject:
    above = b"" if pending.finished else trace()
    return Subject(envelope, pending.message, above, pending.target, pending.recipient, judged)


class _Asking:
    """The accounts of one message, one by one: a redirect may bring in others."""

    def __init__(
        self,
        deciding: Deciding,
        envelope: Envelope,
        message: Message,
        verdict: Verdict,
        trace: Callable[[], bytes],
    ) -> None:
        self._deciding, self._envelope, self._verdict = deciding, envelope, verdict
        self._trace = trace
        self._plain = Gathered(message, finished=False)
        self._edited: list[Gathered] = []
        self._asked: set[AccountId] = set()
        self._pending: deque[Pending] = deque()
        self._refused: dict[str, Refusal] = {}
        self._taken: set[str] = set()
        self._later: list[Later] = []
        self._told: list[tuple[AccountId, tuple[str, ...]]] = []

    async def run(self) -> Decided:
        for recipient in self._envelope.recipients:
            for address in recipient.resolution.remote:
                add_remote(self._plain, recipient, address)
                self._taken.add(recipient.address)
            for target in recipient.resolution.local:
                self._await(target, recipient, self._plain)
        while self._pending:
            await self._ask(self._pending.popleft())
        refusals = [one for name, one in self._refused.items() if name not in self._taken]
        groups = [self._group(one) for one in (*self._edited, self._plain)]
        return Decided(
            tuple(group for group in groups if group is not None),
            bool(self._asked),
            tuple(refusals),
            tuple(self._later),
            tuple(self._told),
        )

    def _await(self, target: Target, recipient: Recipient, among: Gathered) -> None:
        if target.account not in self._asked:
            self._asked.add(target.account)
            self._pending.append(Pending(target, recipient, among.message, among.finished))

    async def _ask(self, one: Pending) -> None:
        envelope, site = self._envelope, self._verdict
        account = one.target.account
        judged, told = await self._deciding.judge(envelope, one.message, site, account)
        found = await self._deciding.disposition(one, envelope, judged, self._trace)
        if found is None or not (found.refusal or found.vacations):
            answer = await self._deciding.answer(one, envelope, judged, self._trace)
            if answer is not None:
                self._later.append(answer)
        own = self._gathered_of(one)
        told = (*told, *(found.told if found is not None else ()))
        if told:
            self._told.append((account, told))
        if found is None:
            own.local.append(copy_for(one, default_mailbox(judged.verdict), (), judged.verdict))
            self._taken.add(one.recipient.address)
            return
        if found.refusal:
            self._refused.setdefault(one.recipient.address, Refusal(one.recipient, found.refusal))
        else:
            self._taken.add(one.recipient.address)
        groups = [
            own if version is None else self._edit(one, version) for version in found.versions
        ]
        await self._carry_out(one, found, groups, judged.verdict)
        if found.vacations or found.notifications or found.tracks:
            self._later.append(
                Later(
                    one.target.account,
                    one.target.address,
                    found.vacations,
                    found.notifications,
                    found.tracks,
                )
            )

    async def _carry_out(
        self, one: Pending, found: Disposition, groups: list[Gathered], verdict: Verdict
    ) -> None:
        kept = set()
        for filed in found.filed:
            mailbox = await self._deciding.place(one.target.account, filed)
            if mailbox not in kept:  # RFC 5228 §2.10.3: no mailbox gets it twice
                kept.add(mailbox)
                copy = copy_for(one, mailbox, filed.flags, verdict)
                groups[filed.version].local.append(copy)
        for redirect in found.redirects:
            group = groups[redirect.version]
            addresses = await self._deciding.addresses(one.target.account, redirect)
            gone = [await self._redirect(one, address, group) for address in addresses]
            if not any(gone) and not kept:
                kept.add(INBOX)
                groups[0].local.append(copy_for(one, default_mailbox(verdict), (), verdict))

    async def _redirect(self, one: Pending, address: str, group: Gathered) -> bool:
        """False where the address leads nowhere, or back to the account itself."""
        resolution = await self._deciding.resolve(address)
        if resolution.status is Status.NOT_OURS:
            add_remote(group, one.recipient, address)
            return True
        for remote in resolution.remote:
            add_remote(group, one.recipient, remote)
        others = [at for at in resolution.local if at.account != one.target.account]
        for target in others:
            self._await(target, one.recipient, group)
        if not resolution.remote and not others:
            self._deciding.report(
                "redirect leads nowhere",
                message=self._envelope.trace,
                account=one.target.address,
                to=address,
                status=resolution.status.value,
            )
            return False
        return True

    def _gathered_of(self, one: Pending) -> Gathered:
        if one.message is self._plain.message:
            return self._plain
        return next(group for group in self._edited if group.message is one.message)

    def _edit(self, one: Pending, version: Version) -> Gathered:
        message = edited(one.message, version)
        made = Gathered(message, finished=True)
        self._edited.append(made)
        return made

    def _group(self, one: Gathered) -> Group | None:
        if one.finished and not one.local and not one.remote:
            return None
        recipients = [
            replace(
                recipient,
                resolution=replace(
                    recipient.resolution, remote=tuple(one.remote.get(recipient.address, ()))
                ),
            )
            for recipient in self._envelope.recipients
            if not one.finished or recipient.address in one.remote
        ]
        envelope = replace(self._envelope, recipients=tuple(recipients))
        return Group(envelope, one.message, tuple(one.local), one.finished)
