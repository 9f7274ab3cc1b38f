"""The base of all filters: a name and the stages it takes part in."""

from enum import Enum

from filters.context import Context
from filters.verdict import ACCEPT, Verdict


class Stage(Enum):
    """When a filter is asked; the value is the method's name."""

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


class Filter:
    """Override the stages of interest; the pipeline asks no others.

    At RCPT `context.rcpt` is the recipient in question; at DATA `context.message` is there.
    """

    name = ""

    async def connect(self, context: Context) -> Verdict:
        return ACCEPT

    async def helo(self, context: Context) -> Verdict:
        return ACCEPT

    async def mail(self, context: Context) -> Verdict:
        return ACCEPT

    async def rcpt(self, context: Context) -> Verdict:
        return ACCEPT

    async def data(self, context: Context) -> Verdict:
        return ACCEPT
