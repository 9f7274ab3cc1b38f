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
        self._rules = tuple(
            (rule.header.encode(), rule.contains.casefold(), rule.tag) for rule in rules
        )

    async def data(self, context: Context) -> Verdict:
        if not self._rules or context.message is None:
            return ACCEPT
        header = context.message.header
        tags = frozenset(tag for name, text, tag in self._rules if _contains(header, name, text))
        return Verdict(keywords=tags) if tags else ACCEPT


def _contains(header: bytes, name: bytes, text: str) -> bool:
    return any(text in decode_words(value).casefold() for value in all_values(header, name))
