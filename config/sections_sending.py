"""Sections of mailserver.toml about mail that goes out: submission, queue, signatures, reports."""

import ipaddress
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from config.fields import AccountName, Pattern, ReportAddress, Section, Some, domain_name
from config.smarthost import parse_smarthost
from config.units import Duration


def _smarthost(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        parse_smarthost(value.get_secret_value())
    return value


def _mx_pattern(value: str) -> str:
    star = "*." if value.startswith("*.") else ""
    return star + domain_name(value.removeprefix(star))


PoolName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]


def _source(value: object) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        raise ValueError('an address of this machine such as "192.0.2.10"') from None


class WarmUp(Section):
    start: date
    messages: Annotated[int, Field(ge=1)] = 50
    factor: Annotated[float, Field(ge=1.0, le=100.0)] = 1.5
    ceiling: Annotated[int, Field(ge=0)] = 0
    per_provider: bool = False


class SourceAddress(Section):
    address: Annotated[str, BeforeValidator(_source)]
    name: Annotated[str, BeforeValidator(lambda value: value and domain_name(value))] = ""
    warm_up: WarmUp | None = None


class Pool(Section):
    name: PoolName
    source: Annotated[list[SourceAddress], Field(min_length=1, max_length=256)]
    used_up: Literal["next", "wait"] = "next"


class PoolRoute(Section):
    pool: PoolName
    account: Some[AccountName] = []
    sender_domain: Some[Pattern] = []
    recipient_domain: Some[Pattern] = []
    priority: Annotated[list[int], Field(min_length=2, max_length=2)] = [-9, 9]


class Outbound(Section):
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    smarthost: Annotated[SecretStr, AfterValidator(_smarthost)] = SecretStr("")
    life: Duration = 432000.0
    delay_notice_after: Duration = 14400.0
    tls_downgrade: Literal["report", "refuse"] = "report"
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    connections_per_destination: Annotated[int, Field(ge=1, le=1000)] = 20
    pool: list[Pool] = []
    route: list[PoolRoute] = []

    @field_validator("route")
    @classmethod
    def _known(cls, routes: list[PoolRoute], others: ValidationInfo) -> list[PoolRoute]:
        names = [pool.name for pool in others.data.get("pool", ())]
        if len(set(names)) < len(names):
            raise ValueError("each pool a name of its own")
        if any(route.pool not in names for route in routes):
            raise ValueError(f"the name of a pool: {', '.join(names) or 'there is none'}")
        return routes


class Suppression(Section):
    after: Annotated[int, Field(ge=0, le=100)] = 3
    within: Duration = 604800.0
    apart: Duration = 3600.0
    keep: Duration = 7776000.0


class Submission(Section):
    from_header: Literal["own", "any"] = "own"
    save_sent: bool = False
    messages_per_hour: Annotated[int, Field(ge=0)] = 500
    messages_per_day: Annotated[int, Field(ge=0)] = 2000
    recipients_per_hour: Annotated[int, Field(ge=0)] = 2000
    recipients_per_day: Annotated[int, Field(ge=0)] = 5000
    reports_per_hour: Annotated[int, Field(ge=0)] = 1000


class MtaSts(Section):
    mode: Literal["enforce", "testing", "none"] = "testing"
    max_age: Annotated[Duration, Field(le=31_557_600)] = 604_800.0
    mx: list[Annotated[str, AfterValidator(_mx_pattern)]] = []


class Dkim(Section):
    sign: bool = True
    rotate_every: Duration = 180 * 86400.0
    use_unseen_after: Duration = 0.0
    overlap: Duration = 7 * 86400.0


class Forwarding(Section):
    srs: bool = True
    arc: bool = True
    reports_per_hour: Annotated[int, Field(ge=0)] = 60


class Reports(Section):
    send: bool = True
    organisation: Annotated[str, Field(max_length=200)] = ""
    contact: ReportAddress = ""
    address: ReportAddress = ""
    failure: bool = False
