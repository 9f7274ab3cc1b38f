"""The macros that milters are told with each step: sendmail's names, as Postfix fills them."""

from filters.context import Context
from net.milter_wire import Command

Macros = list[tuple[str, str]]


def macros_of(step: Command, context: Context, hostname: str) -> Macros:
    """Names and values; what is empty is left out."""
    make = _STEPS.get(step)
    if make is None:
        return []
    return [(name, value) for name, value in make(context, hostname) if value]


def host_of(context: Context) -> str:
    """The peer's verified name, or its address in brackets."""
    return context.peer.reverse or f"[{context.peer.address or 'local'}]"


def _connect(context: Context, hostname: str) -> Macros:
    peer, host = context.peer, host_of(context)
    return [
        ("j", hostname),
        ("v", "mailserver"),
        ("{daemon_name}", context.kind.value),
        ("_", f"{host} [{peer.address}]"),
        ("{client_addr}", peer.address),
        ("{client_name}", peer.reverse or "unknown"),
        ("{client_port}", str(peer.port) if peer.port else ""),
        ("{client_ptr}", peer.reverse or "unknown"),
    ]


def _helo(context: Context, _: str) -> Macros:
    version, _, cipher = context.tls.partition(" ")
    return [("{tls_version}", version), ("{cipher}", cipher)]


def _mail(context: Context, _: str) -> Macros:
    login = context.login
    return [
        ("i", context.trace),
        ("{mail_addr}", context.sender),
        ("{mail_host}", context.sender.rpartition("@")[2]),
        ("{mail_mailer}", "smtp"),
        ("{auth_type}", "PLAIN" if login is not None else ""),
        ("{auth_authen}", login.address if login is not None else ""),
    ]


def _rcpt(context: Context, _: str) -> Macros:
    address = context.rcpt.address if context.rcpt is not None else ""
    return [
        ("i", context.trace),
        ("{rcpt_addr}", address),
        ("{rcpt_host}", address.rpartition("@")[2]),
        ("{rcpt_mailer}", "local"),
    ]


def _content(context: Context, _: str) -> Macros:
    return [("i", context.trace)]


_STEPS = {
    Command.CONNECT: _connect,
    Command.HELO: _helo,
    Command.MAIL: _mail,
    Command.RCPT: _rcpt,
    Command.DATA: _content,
    Command.END_OF_HEADER: _content,
    Command.END_OF_BODY: _content,
}
