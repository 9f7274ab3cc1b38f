"""The filters by name. A filter is added in this table and nowhere else."""

from collections.abc import Callable

from config.clock import Clock
from config.settings import Settings
from filters.blocklist import Blocklist
from filters.filter import Filter
from filters.ratelimit import RateLimit
from filters.syntax import Syntax
from filters.tagging import Tagging

Factory = Callable[[Settings, Clock], Filter]

FACTORIES: dict[str, Factory] = {
    "ratelimit": lambda settings, clock: RateLimit(
        settings.limits.messages_per_minute_per_address, clock
    ),
    "blocklist": lambda settings, _: Blocklist(settings.blocklist.networks),
    "tagging": lambda settings, _: Tagging(settings.tagging.rule),
}


def build(settings: Settings, clock: Clock) -> list[Filter]:
    """The filters in order; size and syntax checks come first and have no name in the settings."""
    named = [FACTORIES[name](settings, clock) for name in settings.filters.pipeline]
    return [Syntax(settings.limits), *named]
