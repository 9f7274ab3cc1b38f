"""How a recipient leads to accounts and remote addresses: aliases, groups, sub-addresses,
catch-all, postmaster, address literals.

Look-ups come from storage/directory_cache.py; what they led to is remembered as long as they are.
Invariants: an address of a domain not served is never looked up, let alone delivered; an address is
visited again by a way that lets more send as it alone, so alias loops end.
Order at each address: itself, without its sub-address, the same in sources outside, postmaster, the
domain's catch-all. What came from outside is remembered there alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from message.address import AddressError, Mailbox, parse_mailbox
from storage.directory_cache import DirectoryCache, Entry
from storage.directory_values import Account, Alias, Resolution, Status, Target, Through
from storage.outside import Outside
from storage.sites import Sites

POSTMASTER = "postmaster"
KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class _Step:
    """One address on the way: `box` in a served domain, `tag` its sub-address or one inherited;
    `through` what groups lead to it.
    """

    box: Mailbox
    base: Mailbox
    tag: str
    inherited: str
    through: Through


@dataclass(slots=True)
class _Walk:
    """What has been found so far."""

    local: dict[int, Target] = field(default_factory=dict)
    remote: dict[str, str] = field(default_factory=dict)
    visited: dict[str, Through] = field(default_factory=dict)
    disabled: bool = False
    asked: bool = False

    def add(self, account: Account, tag: str, through: Through) -> None:
        if not account.enabled:
            self.disabled = True
            return
        known = self.local.get(account.id)
        if known is None:
            self.local[account.id] = Target(account.id, account.address, tag, through)
        elif _lets_more(through, known.through):
            self.local[account.id] = replace(known, through=through)

    def enters(self, step: _Step) -> bool:
        """Whether the step is not behind one that was made already."""
        key = step.box.key()
        known = self.visited.get(key)
        if known is not None and not _lets_more(step.through, known):
            return False
        self.visited[key] = step.through
        return True

    def result(self) -> Resolution:
        if self.local or self.remote:
            local, remote = tuple(self.local.values()), tuple(self.remote.values())
            return Resolution(Status.DELIVERABLE, local, remote)
        return Resolution(Status.DISABLED if self.disabled else Status.UNKNOWN)


class Resolver:
    """Resolves addresses against the domains of `sites`."""

    def __init__(self, cache: DirectoryCache, sites: Sites) -> None:
        self._cache = cache
        self.sites = sites
        self.outside: Outside | None = None
        self._known: dict[tuple[Mailbox, bool], Resolution] = {}
        self._known_from = (cache.generation, sites)

    async def resolve(self, address: Mailbox | str, *, catch_all: bool = True) -> Resolution:
        """Where mail for `address` goes. A text that is no address is UNKNOWN, but for
        `postmaster` alone (RFC 5321 §4.1.1.3).
        """
        if isinstance(address, str):
            if address.casefold() == POSTMASTER:
                return await self._bare_postmaster()
            try:
                address = parse_mailbox(address)
            except AddressError:
                return Resolution(Status.UNKNOWN)
        if not address.local:
            return Resolution(Status.UNKNOWN)  # ""@domain has the key of the domain's catch-all
        home = self.sites.home(address.domain)
        if home is None:
            return await self._elsewhere(address)
        found = self._recall().get((address, catch_all))
        return found or await self._walk(address, home, catch_all)

    def _recall(self) -> dict[tuple[Mailbox, bool], Resolution]:
        """Addresses resolved since the directory and the domains changed."""
        source = (self._cache.generation, self.sites)
        if source != self._known_from or len(self._known) > KNOWN:
            self._known, self._known_from = {}, source
        return self._known

    async def _walk(self, address: Mailbox, home: str, catch_all: bool) -> Resolution:
        known = self._recall()
        walk = _Walk()
        steps = [_step(address, home, "", Through.ALONE)]
        while steps:
            steps = await self._advance(steps, walk, catch_all)
        result = walk.result()
        if result.local and not walk.asked:
            known[address, catch_all] = result  # of no use if `_recall` has begun anew meanwhile
        return result

    async def _bare_postmaster(self) -> Resolution:
        """An alias or account of that name in the first domain, else the first administrator."""
        if self.sites.primary is not None:
            return await self.resolve(Mailbox(POSTMASTER, self.sites.primary))
        walk = _Walk()
        await self._add_postmaster(walk, Through.ALONE)
        return walk.result()

    async def _elsewhere(self, address: Mailbox) -> Resolution:
        if address.local.casefold() == POSTMASTER and self.sites.is_self(address.domain):
            return await self._bare_postmaster()
        return Resolution(Status.NOT_OURS)

    async def _add_postmaster(self, walk: _Walk, through: Through) -> None:
        account = await self._cache.postmaster()
        if account is not None:
            walk.add(account, "", through)

    async def _advance(self, steps: list[_Step], walk: _Walk, catch_all: bool) -> list[_Step]:
        """Looks up one level of addresses together; returns the next level."""
        steps = [step for step in steps if walk.enters(step)]
        entries = await self._cache.entries(_keys(steps, catch_all))
        following: list[_Step] = []
        for step in steps:
            entry, tag = _pick(step, entries)
            if not entry:
                entry, tag = await self._outside(step, walk)
            if not entry and step.box.local.casefold() == POSTMASTER:
                await self._add_postmaster(walk, step.through)
                continue
            if not entry and catch_all:
                entry, tag = entries[f"@{step.box.domain}"], ""
            self._take(entry, tag, step.through, walk, following)
        return following

    async def _outside(self, step: _Step, walk: _Walk) -> tuple[Entry, str]:
        """What sources outside have under an address that is not here. Raises StoreError."""
        if self.outside is None or not self.outside.serves(step.box.domain):
            return Entry(), ""
        walk.asked = True
        account = await self.outside.find(step.box, login=False)
        if account is not None or step.base is step.box:
            return Entry(account), step.inherited
        return Entry(await self.outside.find(step.base, login=False)), step.tag

    def _take(
        self, entry: Entry, tag: str, through: Through, walk: _Walk, following: list[_Step]
    ) -> None:
        if entry.account is not None:
            walk.add(entry.account, tag, through)
        elif entry.alias is not None:
            through = _through(through, entry.alias)
            for target in entry.alias.targets:
                box = parse_mailbox(target)
                home = self.sites.home(box.domain)
                if home is None:
                    walk.remote.setdefault(box.key(), target)
                else:
                    following.append(_step(box, home, tag, through))


def _step(address: Mailbox, domain: str, inherited: str, through: Through) -> _Step:
    box = Mailbox(address.local, domain)
    base, tag = box.split()
    if not base.local or base == box:
        return _Step(box, box, "", inherited, through)
    return _Step(box, base, tag, inherited, through)


def _through(way: Through, alias: Alias) -> Through:
    """The way behind an alias: one target leaves it as it is."""
    if len(alias.targets) == 1:
        return way
    return Through.SENDING_GROUP if alias.send_as and way is not Through.GROUP else Through.GROUP


def _lets_more(way: Through, other: Through) -> bool:
    return way is not Through.GROUP and other is Through.GROUP


def _keys(steps: Iterable[_Step], catch_all: bool) -> Iterable[str]:
    for step in steps:
        yield step.box.key()
        if step.base is not step.box:
            yield step.base.key()
        if catch_all:
            yield f"@{step.box.domain}"


def _pick(step: _Step, entries: dict[str, Entry]) -> tuple[Entry, str]:
    """The entry of the address itself, else of the address without its tag; and the tag."""
    entry = entries[step.box.key()]
    if entry or step.base is step.box:
        return entry, step.inherited
    return entries[step.base.key()], step.tag
