"""What `mailserver check` says of filters of others: own ones, milters, rspamd."""

from collections.abc import AsyncIterator

from config.clock import SystemClock
from config.logging import silent_logger
from config.settings import Settings
from filters.own.own import OwnFilters
from net.http_plain import HttpError, parse_place, post
from net.milter import MilterConnection, MilterError, Times
from net.threads import Offload

Row = tuple[str, bool, str, str]
"""Name, whether all is well, what was found, how to mend it."""


async def look_at_filters(settings: Settings) -> list[Row]:
    """One line for each own filter and milter, and one for rspamd; none for what is not used."""
    own, milters = await _own_filters(settings), await _milters(settings)
    return [*own, *milters, *await _rspamd(settings)]


async def _own_filters(settings: Settings) -> list[Row]:
    """Each is loaded as the server would."""
    if not settings.filters.own:
        return []
    offload = Offload(processes=1)
    own = OwnFilters(settings, offload, SystemClock(), silent_logger())
    try:
        await own.look()
    finally:
        await own.stop()
        offload.close()
    if own.problem:
        return [("filters", False, own.problem, "correct filters.own")]
    found = [(str(row["name"]), str(row["state"]), str(row["problem"])) for row in own.listing()]
    fix = "mend the file; a running server uses its earlier version if there was one"
    rows = [(f"filter {name}", not why, why or state, fix) for name, state, why in found]
    return rows or [("filters", True, f"none in {settings.filters.own}", "")]


async def _milters(settings: Settings) -> list[Row]:
    """Whether each answers and agrees upon options."""
    rows = []
    for one in settings.milter:
        name, fix = f"milter {one.name}", "start it, or correct its address"
        times = Times(one.connect_timeout, one.command_timeout, one.content_timeout)
        try:
            connection = await MilterConnection.open(one.address, times, 0)
        except MilterError as error:
            rows.append((name, False, f"{one.address}: {error}", fix))
            continue
        rows.append((name, True, f"version {connection.options.version} at {one.address}", ""))
        connection.quit()
    return rows


async def _rspamd(settings: Settings) -> list[Row]:
    """Whether it answers its ping."""
    chosen = settings.spam.rspamd
    if not chosen.url:
        return []
    fix = "start rspamd, or correct spam.rspamd.url"
    try:
        status, body = await post(
            *(parse_place(chosen.url), "/ping", (), _nothing(), 0),
            limit=1024,
            seconds=chosen.timeout,
        )
    except HttpError as error:
        return [("rspamd", False, f"{chosen.url}: {error}", fix)]
    if status != 200 or body.strip() != b"pong":
        return [("rspamd", False, f"{chosen.url} answers, but not as rspamd does", fix)]
    return [("rspamd", True, f"answers at {chosen.url}", "")]


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece
