"""The filter `virus`: the attachment policy, then what clamd finds in a message.

It is asked for all mail at the end of DATA, that of users too; clamd unpacks MIME and archives
itself, so that it gets the message as it came. Infected mail is never delivered: when the policy
cannot be asked, clamd is all the same.
"""

from config.logging import Logger
from filters.attachments import AttachmentPolicy
from filters.context import Context, Message
from filters.filter import Filter
from filters.verdict import ACCEPT, Action, Scored, Verdict, defer, merge, reject
from filters.virus_scanner import Finding, Unscanned, VirusScanner
from filters.virus_symbols import INFECTED, UNSCANNED

_LATER = defer("Virus scanner not available, try again later", code=451, symbol=UNSCANNED)
_UNSCANNED = Verdict(symbols=(UNSCANNED,))


class VirusFilter(Filter):
    """550 5.7.1 with the signature's name, or QUARANTINE; 451 4.7.1 when nobody could scan."""

    name = "virus"

    def __init__(self, scanner: VirusScanner, policy: AttachmentPolicy, log: Logger) -> None:
        self._scanner, self._policy, self._log = scanner, policy, log

    async def data(self, context: Context) -> Verdict:
        message = context.message
        if message is None:
            return ACCEPT
        allowed = await self._allowed(message)
        if allowed.refused or not self._scanner.on:
            return allowed
        scanned = await self._scanned(message)
        return merge((allowed, scanned))

    async def _allowed(self, message: Message) -> Verdict:
        try:
            return await self._policy.judge(message)
        except Exception:
            self._log.exception("attachments not looked at")
            return Verdict(symbols=("ATTACHMENTS_FAIL",))

    async def _scanned(self, message: Message) -> Verdict:
        try:
            found = await self._scanner.scan(message.content)
        except Unscanned:
            return _UNSCANNED if self._scanner.accepts_unscanned else _LATER
        return self._judge(found) if found.signature else ACCEPT

    def _judge(self, found: Finding) -> Verdict:
        scored = (Scored(INFECTED, 0.0, found.signature),)
        if found.infected and not self._scanner.quarantines:
            refused = reject(f"Message contains a virus: {found.signature}")
            return Verdict(
                *(refused.action, scored, (INFECTED,)),
                code=refused.code,
                status=refused.status,
                text=refused.text,
            )
        action = Action.QUARANTINE if found.infected else Action.ACCEPT
        return Verdict(action, scored, (INFECTED,))
