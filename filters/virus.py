"""The filter `virus`: what clamd finds in a message. Infected mail is never delivered.

It is asked for all mail at the end of DATA, that of users too; clamd unpacks MIME and archives
itself, so that it gets the message as it came.
"""

from filters.context import Context
from filters.filter import Filter
from filters.verdict import ACCEPT, Action, Scored, Verdict, defer, reject
from filters.virus_scanner import Finding, Unscanned, VirusScanner

SYMBOL = "CLAM_VIRUS"
FAILED = "CLAM_VIRUS_FAIL"
_LATER = defer("Virus scanner not available, try again later", code=451, symbol=FAILED)
_UNSCANNED = Verdict(symbols=(FAILED,))


class VirusFilter(Filter):
    """550 5.7.1 with the signature's name, or QUARANTINE; 451 4.7.1 when nobody could scan."""

    name = "virus"

    def __init__(self, scanner: VirusScanner) -> None:
        self._scanner = scanner

    async def data(self, context: Context) -> Verdict:
        scanner = self._scanner
        if context.message is None or not scanner.on:
            return ACCEPT
        try:
            found = await scanner.scan(context.message.content)
        except Unscanned:
            return _UNSCANNED if scanner.accepts_unscanned else _LATER
        return self._judge(found) if found.signature else ACCEPT

    def _judge(self, found: Finding) -> Verdict:
        scored = (Scored(SYMBOL, 0.0, found.signature),)
        if found.infected and not self._scanner.quarantines:
            refused = reject(f"Message contains a virus: {found.signature}")
            return Verdict(
                *(refused.action, scored, (SYMBOL,)),
                code=refused.code,
                status=refused.status,
                text=refused.text,
            )
        action = Action.QUARANTINE if found.infected else Action.ACCEPT
        return Verdict(action, scored, (SYMBOL,))
