"""Header rules of the configuration: a field that contains a text gives the message a keyword."""

from collections.abc import Sequence

from config.sections_filters import TaggingRule
from filters.context import Context
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict
from message.headers import all_values
from message.words import decode_words


class Tagging(Filter):
    """Compares decoded values without case."""

    name = "tagging"

    def __init__(self, rules: Sequence[TaggingRule]) -> None:
        self._rules = tuple(rules)

    async def data(self, context: Context) -> Verdict:
        if not self._rules or context.message is None:
            return ACCEPT
        tags = tags_of(context.message.header, self._rules)
        return Verdict(keywords=tags) if tags else ACCEPT


def tags_of(header: bytes, rules: Sequence[TaggingRule]) -> frozenset[str]:
    """The keywords that the rules give."""
    return frozenset(rule.tag for rule in rules if _holds(header, rule))


def _holds(header: bytes, rule: TaggingRule) -> bool:
    text = rule.contains.casefold()
    values = all_values(header, rule.header.encode())
    return any(text in decode_words(value).casefold() for value in values)
