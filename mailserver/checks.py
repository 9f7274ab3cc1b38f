"""`mailserver check`: what would fail, and the command that mends it. Changes nothing.

Each check gives {name, ok, detail, fix}; `fix` is empty when all is well.
"""

import asyncio
import os
import shutil
from pathlib import Path

from auth.leaked import LeakedListError, check_list
from config.clock import SystemClock
from config.settings import Settings
from config.units import format_size
from filters.dnslists import probe, zones_of
from mailserver.account_source_check import look_at_account_sources
from mailserver.clamd_check import look_at_clamd
from mailserver.control import is_served
from mailserver.dkim_check import look_at_keys
from mailserver.filter_check import look_at_filters
from mailserver.operations.errors import in_one_line
from mailserver.source_check import look_at_sources
from mailserver.sts_check import faults_of_policy
from net.client_tls import verified_context
from net.dns import DnsError, Resolver
from net.https import HttpsClient
from net.listener import ListenError, bind
from net.threads import Offload
from net.tls import CertificateError, check_pair
from storage.cache.opening import CacheUnusable, make_cache
from storage.errors import StoreError
from storage.inspect import inspect
from storage.quarantine import count

Result = dict[str, object]

TEST_DOMAINS = (".test", ".example", ".invalid", ".localhost")
LEAST_FREE = 1024**3


def run_checks(path: Path, settings: Settings) -> list[Result]:
    """All checks in the order in which a start would fail. The configuration is already valid."""
    results = [result("configuration", True, str(path))]
    for check in (_certificate, _data_folder, _database, _ports, quarantine_line):
        results.append(check(settings))
    if settings.auth.leaked_passwords is not None:
        results.append(_leaked(settings.auth.leaked_passwords))
    looked = asyncio.run(look_at_account_sources(settings))
    results += [result(*row) for row in looked]
    if settings.store.cache.get_secret_value() != "memory":
        results.append(asyncio.run(_cache(settings)))
    results += asyncio.run(_clamds(settings))
    results += [result(*row) for row in asyncio.run(look_at_filters(settings))]
    results += asyncio.run(_of_dns(settings))
    return results


def result(name: str, ok: bool, detail: str, fix: str = "") -> Result:
    """One check's outcome."""
    return {"name": name, "ok": ok, "detail": detail, "fix": "" if ok else fix}


def _certificate(settings: Settings) -> Result:
    certificate, key = settings.tls.certificate, settings.tls.key
    if certificate is None or key is None:
        return result("certificate", True, "self-signed, made at start")
    try:
        check_pair(certificate, key)
    except CertificateError as error:
        fix = "set tls.certificate and tls.key to PEM files that belong together"
        return result("certificate", False, str(error), fix)
    return result("certificate", True, str(certificate))


async def _cache(settings: Settings) -> Result:
    fix = "let store.cache name a Redis that runs; without it each server counts for itself"
    try:
        cache = make_cache(settings.store.cache, SystemClock())
    except CacheUnusable as error:
        return result("cache", False, str(error), fix)
    try:
        await cache.start()
        there = await cache.incr("check", 1, 1.0) is not None
    finally:
        await cache.close()
    return result("cache", there, "answers" if there else "does not answer", fix)


def _leaked(path: Path) -> Result:
    try:
        kind = check_list(path)
    except LeakedListError as error:
        fix = "let auth.leaked_passwords name a readable list: no password can be set without"
        return result("leaked passwords", False, str(error), fix)
    return result("leaked passwords", True, f"{path}, {kind}")


def _data_folder(settings: Settings) -> Result:
    folder = settings.data_dir
    existing = next(part for part in (folder, *folder.parents) if part.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return result("data_dir", False, f"{existing} is not writable", f"chown it: {existing}")
    free = shutil.disk_usage(existing).free
    detail = f"{folder}, {format_size(free // 1024**2 * 1024**2)} free"
    return result("data_dir", free >= LEAST_FREE, detail, "make room: less than 1G is free")


def _database(settings: Settings) -> Result:
    url = settings.store.database.get_secret_value()
    try:
        problem = inspect(settings.data_dir, settings.store.maildir, url)
    except OSError as error:
        return result("database", False, in_one_line(error), "see data_dir above")
    if problem is None:
        return result("database", True, "sqlite" if url == "sqlite" else "postgresql")
    return result("database", False, problem.detail, problem.fix)


def _ports(settings: Settings) -> Result:
    if is_served(settings.data_dir):
        return result("ports", True, "served by the running server")
    taken = []
    listen = settings.listen
    for name in type(listen).model_fields:
        if name == "proxy_protocol_from":
            continue
        for endpoint in getattr(listen, name):
            try:
                for bound in bind(endpoint):
                    bound.close()
            except ListenError as error:
                taken.append(f"{name} {error}")
    return result("ports", not taken, "; ".join(taken) or "free", "see listen in the configuration")


async def _clamds(settings: Settings) -> list[Result]:
    """One line for each clamd."""
    addresses = settings.virus.clamd
    if not addresses:
        return [result("clamd", True, "off")]
    offload = Offload(processes=1)
    try:
        told = [await look_at_clamd(settings, one, offload) for one in addresses]
    finally:
        offload.close()
    return [result(f"clamd {one}", *said) for one, said in zip(addresses, told, strict=True)]


def quarantine_line(settings: Settings) -> Result:
    """Never a failure: what waits there is for somebody to look at."""
    try:
        messages, octets = count(settings.data_dir)
    except OSError as error:
        return result("quarantine", False, in_one_line(error), "see data_dir above")
    detail = f"{messages} messages, {octets} octets; see: mailserver quarantine list"
    return result("quarantine", True, detail if messages else "empty")


async def _of_dns(settings: Settings) -> list[Result]:
    lists = await _dns_lists(settings)
    mine = [await _dns(settings), await _dnssec(settings), await _dkim(settings)]
    return [*mine, await _mta_sts(settings), *await _sources(settings), *lists]


async def _sources(settings: Settings) -> list[Result]:
    """One line for each address that mail leaves from."""
    resolver = Resolver(settings.dns.nameservers)
    found = await look_at_sources(settings, resolver)
    return [result(f"source {one.address}", not one.fault, *one.told) for one in found]


async def _dnssec(settings: Settings) -> Result:
    """DANE is optional, so this never fails; org is signed, and has no address of its own."""
    resolver = Resolver(settings.dns.nameservers)
    off = "DANE is not followed"
    if not resolver.validates:
        return result("dnssec", True, f"no name server on this machine: {off}")
    try:
        secure = (await resolver.a("org")).secure
    except DnsError as error:
        secure = error.secure
    if secure:
        return result("dnssec", True, "answers are validated: DANE is followed")
    return result("dnssec", True, f"the name server does not validate: {off}")


async def _dkim(settings: Settings) -> Result:
    """Domains added by command have keys too, hence not only those of the configuration."""
    resolver = Resolver(settings.dns.nameservers)
    try:
        found = await look_at_keys(settings, resolver, _is_public)
    except (StoreError, OSError) as error:
        return result("dkim", False, in_one_line(error), "see store.database")
    if not settings.dkim.sign:
        return result("dkim", True, "off")
    if not found.used:
        return result("dkim", True, "no keys yet: they are made when they are first needed")
    fix = "publish what is printed by: mailserver domain dns DOMAIN --check"
    detail = "; ".join(found.faults) or f"{found.used} keys, their probes verified by dkimpy"
    if found.waiting:
        detail += f"; to be published next: {', '.join(found.waiting)}"
    return result("dkim", not found.faults, detail, fix)


async def _mta_sts(settings: Settings) -> Result:
    """As other servers fetch it: over the network, with a certificate that the system trusts."""
    resolver, offload = Resolver(settings.dns.nameservers), Offload(processes=1)
    https = HttpsClient(resolver, offload, verified_context())
    names = [name for name in settings.domains if _is_public(name)]
    try:
        announced, faults = await faults_of_policy(settings, resolver, https, names)
    finally:
        offload.close()
    fix = "let mta-sts.DOMAIN lead here and tls.certificate have that name, or remove the record"
    detail = "; ".join(faults) or f"{announced} domains announce a policy"
    return result("mta_sts", not faults, detail, fix)


def _is_public(domain: str) -> bool:
    return not f".{domain}".endswith(TEST_DOMAINS)


async def _dns(settings: Settings) -> Result:
    names = [name for name in settings.domains if _is_public(name)]
    if not names:
        return result("dns", True, "no public domain to look up")
    resolver = Resolver(settings.dns.nameservers)
    missing = []
    for name in names:
        try:
            if not await resolver.mx(name):
                missing.append(f"{name} has no MX record")
        except DnsError as error:
            missing.append(f"{name}: {error}")
    fix = f"publish an MX record that names {settings.hostname}, or correct dns.nameservers"
    return result("dns", not missing, "; ".join(missing) or "MX found for every domain", fix)


async def _dns_lists(settings: Settings) -> list[Result]:
    """One line a list: does it answer this resolver (RFC 5782 §5)?"""
    resolver = Resolver(settings.dns.nameservers)
    zones = zones_of(settings.dnsbl.list)
    problems = await asyncio.gather(*(probe(resolver, zone) for zone in zones))
    fix = "run a resolver of your own and name it in dns.nameservers, or take the list out"
    return [
        result(f"dnsbl {zone.name}", not problem, problem or "answers this resolver", fix)
        for zone, problem in zip(zones, problems, strict=True)
    ]
