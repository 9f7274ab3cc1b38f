"""For `mailserver check`: does each source of accounts answer, and can its answer be used?"""

import secrets

from auth.source_values import SourceError
from auth.sources import accounts_of
from config.sections_accounts import AccountSource
from config.settings import Settings
from message.address import Mailbox
from net.threads import Offload

Row = tuple[str, bool, str, str]


async def look_at_account_sources(settings: Settings) -> list[Row]:
    """A line each: name, whether all is well, what is found, what mends it."""
    if not settings.auth.source:
        return []
    offload = Offload(processes=1)
    try:
        return [await _look(settings, one, offload) for one in settings.auth.source]
    finally:
        offload.close()


async def _look(settings: Settings, source: AccountSource, offload: Offload) -> Row:
    name = f"account source {source.name}"
    strange = sorted(set(source.domains) - set(settings.domains))
    domain = next(iter(source.domains or settings.domains), settings.hostname)
    accounts = accounts_of(source, offload)
    # a name that nobody has: what counts is that the source takes the question
    nobody = Mailbox(f"check-{secrets.token_hex(8)}", domain)
    try:
        for login in (True, False):
            await accounts.find(nobody, login=login)
    except SourceError as error:
        fix = "see [[auth.source]] in the configuration, and the log of what it names"
        return name, False, str(error), fix
    finally:
        await accounts.close()
    detail = f"answers, {', '.join(source.domains) or 'for all domains'}"
    if strange:  # they may have been added by command
        detail += f"; not among the domains of the configuration: {', '.join(strange)}"
    return name, True, detail, ""
