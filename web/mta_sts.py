"""Our own MTA-STS policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461 §3.3)."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from config.settings import Settings
from message.mta_sts import Mode, StsPolicy, format_policy

PATH = "/.well-known/mta-sts.txt"
PREFIX = "mta-sts."


def own_policy(settings: Settings) -> StsPolicy:
    """For every domain served here; `message.mta_sts.policy_id` of it goes into the TXT record."""
    ours = settings.mta_sts
    hosts = tuple(ours.mx) or (settings.hostname,)
    return StsPolicy(Mode(ours.mode), int(ours.max_age), hosts)


def mta_sts_route(settings: Callable[[], Settings], serves: Callable[[str], bool]) -> Route:
    """Answers for domains that `serves` says are ours, 404 for others."""

    async def answer(request: Request) -> Response:
        host = _host(request)
        if not host.startswith(PREFIX) or not serves(host.removeprefix(PREFIX)):
            return PlainTextResponse("no MTA-STS policy for this name\r\n", 404)
        return PlainTextResponse(format_policy(own_policy(settings())))

    return Route(PATH, answer, methods=["GET", "HEAD"])


def _host(request: Request) -> str:
    """As the client asked for it, without a port; "" for what is none."""
    try:
        return (request.url.hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
