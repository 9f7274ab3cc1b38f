"""Trace headers: Received (RFC 5321 §4.4) and Return-Path; loops by counting them."""

from dataclasses import dataclass
from datetime import datetime

MAX_HOPS = 50


@dataclass(frozen=True, slots=True)
class Trace:
    helo: str
    address: str  # peer's IP address, "" for a Unix socket
    reverse: str  # verified host name, "" if unknown
    hostname: str  # ours
    queue_id: str
    when: datetime  # aware
    protocol: str  # with_protocol(...)
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384"
    recipients: tuple[str, ...] = ()  # `for` only when there is exactly one


def with_protocol(
    *,
    esmtp: bool = True,
    tls: bool = False,
    auth: bool = False,
    lmtp: bool = False,
    smtputf8: bool = False,
) -> str: ...
def build_received(trace: Trace) -> bytes: ...
def build_return_path(sender: str) -> bytes: ...
def count_received(block: bytes) -> int: ...
def is_looping(block: bytes, trace_id: str = "", limit: int = MAX_HOPS) -> bool: ...
