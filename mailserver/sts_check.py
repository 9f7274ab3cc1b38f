"""Whether others can fetch the MTA-STS policy that our domains announce, as they would fetch it."""

from collections.abc import Iterable

from config.settings import Settings
from message.mta_sts import MAX_POLICY, StsInvalid, parse_policy, parse_record
from net.dns import DnsError, Resolver
from net.https import HttpsClient, HttpsError
from web.mta_sts import PATH, PREFIX, own_policy

SECONDS = 10.0


async def faults_of_policy(
    settings: Settings, resolver: Resolver, https: HttpsClient, domains: Iterable[str]
) -> tuple[int, list[str]]:
    """How many of the domains announce a policy, and what is wrong, one line each."""
    announced, faults = 0, []
    for domain in domains:
        try:
            record = parse_record(await resolver.txt(f"_mta-sts.{domain}"))
        except DnsError:
            continue
        if record is None:
            continue
        announced += 1
        fault = await _fault(settings, https, PREFIX + domain)
        if fault:
            faults.append(fault)
    return announced, faults


async def _fault(settings: Settings, https: HttpsClient, host: str) -> str:
    try:
        response = await https.get(host, PATH, limit=MAX_POLICY, seconds=SECONDS)
        if response.status != 200:
            return f"{host}: HTTP status {response.status}"
        served = parse_policy(response.body)
    except HttpsError as error:
        return str(error)
    except StsInvalid as error:
        return f"{host}: the policy is wrong: {error}"
    if served != own_policy(settings):
        return f"{host}: the policy there is not that of [mta_sts]"
    return ""
