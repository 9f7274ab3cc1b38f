"""The filters by name. A filter is added in this table and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass, field

from config.clock import Clock, SystemClock
from config.logging import get_logger
from config.settings import Settings
from filters.attachments import AttachmentPolicy
from filters.authentication.arc import Arc, ArcValidator
from filters.authentication.dkim import Dkim
from filters.authentication.dmarc import Dmarc, Record
from filters.authentication.spf import Spf
from filters.blocklist import Blocklist
from filters.dnslists import DnsLists
from filters.filter import Filter
from filters.greylist import Greylist
from filters.milter import Milters
from filters.own.filter import Own
from filters.own.own import OwnFilters
from filters.ratelimit import RateLimit, Rates
from filters.spam.clear import ClearVerdicts
from filters.spam.filter import Learned, Spam
from filters.spam.fuzzy import Bulk
from filters.spam.questions import Questions
from filters.spam.standings import Standings
from filters.stranger import Stranger
from filters.syntax import Syntax
from filters.tagging import Tagging
from filters.virus import VirusFilter
from filters.virus_scanner import VirusScanner
from net.dns import Resolver
from net.threads import Offload
from storage.directory import Directory
from storage.reputation import Reputation
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Tools:
    """What filters are built with beside the settings; the same for as long as the server runs.

    `evaluated` is told of every DMARC evaluation.
    """

    clock: Clock
    resolver: Resolver
    offload: Offload
    directory: Directory
    store: Store
    rates: Rates = field(default_factory=lambda: Rates(SystemClock()))
    evaluated: tuple[Record, ...] = ()
    lists: DnsLists | None = None
    own: OwnFilters | None = None
    scanner: VirusScanner | None = None
    reputation: Reputation | None = None
    bulk: Bulk = field(default_factory=Bulk)
    learned: Learned | None = None
    clear: ClearVerdicts | None = None


Factory = Callable[[Settings, Tools], Filter]


def _ratelimit(settings: Settings, tools: Tools) -> Filter:
    tools.rates.reload(settings.limits)
    return RateLimit(tools.rates)


def _dkim(_: Settings, tools: Tools) -> Filter:
    return Dkim(tools.resolver, tools.offload, tools.clock)


def _dmarc(settings: Settings, tools: Tools) -> Filter:
    arc = ArcValidator(tools.resolver, tools.offload, tools.clock)
    return Dmarc(settings.dmarc, tools.resolver, arc=arc, record=tools.evaluated)


def _arc(_: Settings, tools: Tools) -> Filter:
    return Arc(ArcValidator(tools.resolver, tools.offload, tools.clock))


def _virus(settings: Settings, tools: Tools) -> Filter:
    log = get_logger("virus")
    scanner = tools.scanner or VirusScanner(tools.offload, tools.clock, log)
    scanner.reload(settings)
    policy = AttachmentPolicy(settings.attachments, tools.offload)
    return VirusFilter(scanner, policy, log)


def _milter(settings: Settings, tools: Tools) -> Filter:
    return Milters(settings, tools.offload, tools.clock, get_logger("milter"))


def _spam(settings: Settings, tools: Tools) -> Filter:
    return Spam(
        settings,
        tools.offload,
        tools.clock,
        tools.directory,
        Questions(tools.resolver, tools.directory, tools.lists),
        Standings(settings, tools.reputation, tools.bulk, tools.clock),
        tools.learned,
        tools.clear if settings.spam.learn_clear else None,
    )


FACTORIES: dict[str, Factory] = {
    "ratelimit": _ratelimit,
    "blocklist": lambda _, tools: Blocklist(tools.directory),
    "spf": lambda settings, tools: Spf(settings, tools.resolver, tools.clock),
    "dkim": _dkim,
    "dmarc": _dmarc,
    "arc": _arc,
    "virus": _virus,
    "greylist": lambda settings, tools: Greylist(settings.greylist, tools.directory, tools.clock),
    "milter": _milter,
    "own": lambda _, tools: Own(tools.own),
    "spam": _spam,
    "tagging": lambda settings, _: Tagging(settings.tagging.rule),
}


def build(settings: Settings, tools: Tools) -> list[Filter]:
    """The filters in order; those that are always on have no name in the settings."""
    named = [FACTORIES[name](settings, tools) for name in places(settings)]
    if tools.lists is not None:
        tools.lists.reload(settings.dnsbl.list)
    stranger = Stranger(settings, tools.resolver, tools.directory, tools.lists)
    return [Syntax(settings.limits), *named, stranger]


def places(settings: Settings) -> list[str]:
    """The names in order. What is configured elsewhere and has no place of its own in the pipeline
    comes before the spam filter, so that what it weighs counts.
    """
    names = list(settings.filters.pipeline)
    elsewhere = {"milter": bool(settings.milter), "own": bool(settings.filters.own)}
    for name, used in elsewhere.items():
        if used and name not in names:
            before = [names.index(one) for one in ("spam", "tagging") if one in names]
            names.insert(min(before, default=len(names)), name)
    return names
