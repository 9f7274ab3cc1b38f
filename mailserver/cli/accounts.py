"""`mailserver account ...`."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from config.units import parse_size
from mailserver.cli.context import perform
from mailserver.cli.output import AsJson, print_list, print_one

app = typer.Typer(
    no_args_is_help=True, help="Accounts: add, list, show, set, passwd, disable, enable, delete."
)
Address = Annotated[str, typer.Argument(help="The account's full address.")]
Limit = Annotated[str | None, typer.Option(help='Send limit: a number, 0 for none, or "default".')]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]
HashStdin = Annotated[
    bool,
    typer.Option("--password-hash-stdin", help="Read a hash that another server made of it."),
]


def read_password(from_stdin: bool) -> str:
    """From stdin or asked twice on the terminal; without either, a usage error (exit 2)."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise typer.BadParameter("no terminal to ask on", param_hint="--password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _secret(password_stdin: bool, hash_stdin: bool) -> dict[str, str]:
    """The argument of the operation."""
    if hash_stdin:
        if password_stdin:
            raise typer.BadParameter("not both", param_hint="--password-stdin")
        return {"password_hash": sys.stdin.readline().strip()}
    return {"password": read_password(password_stdin)}


def size_of(text: str | None) -> int | None:
    """The octets that `--quota` names. A usage error where it names none."""
    if text is None:
        return None
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--quota") from None


@app.command()
def add(
    context: typer.Context,
    address: Address,
    password_stdin: Stdin = False,
    password_hash_stdin: HashStdin = False,
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    quota: Annotated[str | None, typer.Option(help='Octets such as "2G"; 0 is none.')] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May administer the server.")] = False,
) -> None:
    """Make an account and its mailboxes."""
    limit = size_of(quota)
    args = {
        "address": address,
        **_secret(password_stdin, password_hash_stdin),
        "name": name,
        "quota": limit or 0,
        "admin": admin,
    }
    _print_strength(perform(context.obj, "account.add", args))


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """All accounts."""
    columns = ("address", "name", "enabled", "admin", "source", "quota", "used", "messages", "role")
    print_list(perform(context.obj, "account.list", {}), columns, as_json)


@app.command()
def show(context: typer.Context, address: Address, as_json: AsJson = False) -> None:
    """One account."""
    print_one(perform(context.obj, "account.show", {"address": address}), as_json)


@app.command("set")
def set_(
    context: typer.Context,
    address: Address,
    quota: Annotated[str | None, typer.Option(help='Octets such as "2G"; 0 is none.')] = None,
    quota_messages: Annotated[
        int | None, typer.Option(min=0, max=1 << 31, help="Number of messages; 0 is none.")
    ] = None,
    imap_mask: Annotated[
        list[str] | None,
        typer.Option(help='IMAP capability or preset to hide, may be repeated; "none" hides none.'),
    ] = None,
    gmail_labels: Annotated[
        str | None, typer.Option(help='Labels of Gmail over IMAP: "on" or "off".')
    ] = None,
    notify_new_device: Annotated[
        str | None,
        typer.Option(help='Mail about logins from new networks: "on", "off" or "default".'),
    ] = None,
    from_header: Annotated[
        str | None, typer.Option(help='Whose address From may hold: "own", "any" or "default".')
    ] = None,
    save_sent: Annotated[
        str | None, typer.Option(help='Put sent mail into Sent: "on", "off" or "default".')
    ] = None,
    messages_per_hour: Limit = None,
    messages_per_day: Limit = None,
    recipients_per_hour: Limit = None,
    recipients_per_day: Limit = None,
) -> None:
    """Change quotas, send limits, or what the account has of IMAP from its next login on."""
    limits = {
        "messages_per_hour": messages_per_hour,
        "messages_per_day": messages_per_day,
        "recipients_per_hour": recipients_per_hour,
        "recipients_per_day": recipients_per_day,
    }
    args = {
        "address": address,
        "quota": size_of(quota),
        "quota_messages": quota_messages,
        "imap_mask": None if imap_mask is None else [one for one in imap_mask if one != "none"],
        "gmail_labels": _switch(gmail_labels),
        "notify_new_device": _choice("--notify-new-device", notify_new_device),
        "submission": _submission(from_header, save_sent, limits),
    }
    perform(context.obj, "account.set", args)


def _choice(option: str, text: str | None) -> str | None:
    if text not in (None, "on", "off", "default"):
        raise typer.BadParameter('"on", "off" or "default"', param_hint=option)
    return text


def _submission(
    from_header: str | None, save_sent: str | None, limits: Mapping[str, str | None]
) -> dict[str, object]:
    """What is given; None stands for "default"."""
    if from_header not in (None, "own", "any", "default"):
        raise typer.BadParameter('"own", "any" or "default"', param_hint="--from-header")
    chosen: dict[str, object] = {} if from_header is None else {"from_header": from_header}
    if save_sent not in (None, "on", "off", "default"):
        raise typer.BadParameter('"on", "off" or "default"', param_hint="--save-sent")
    if save_sent is not None:
        chosen["save_sent"] = save_sent if save_sent == "default" else save_sent == "on"
    for name, text in limits.items():
        if text is None:
            continue
        if text != "default" and not (text.isascii() and text.isdecimal() and len(text) < 10):
            hint = f"--{name.replace('_', '-')}"
            raise typer.BadParameter('a number, 0 for no limit, or "default"', param_hint=hint)
        chosen[name] = text if text == "default" else int(text)
    return {name: None if value == "default" else value for name, value in chosen.items()}


def _switch(text: str | None) -> bool | None:
    if text not in (None, "on", "off"):
        raise typer.BadParameter("on or off", param_hint="--gmail-labels")
    return None if text is None else text == "on"


@app.command()
def passwd(
    context: typer.Context,
    address: Address,
    password_stdin: Stdin = False,
    password_hash_stdin: HashStdin = False,
) -> None:
    """Set a password; open connections of the account are closed."""
    args = {"address": address, **_secret(password_stdin, password_hash_stdin)}
    _print_strength(perform(context.obj, "account.passwd", args))


def _print_strength(account: Mapping[str, Any]) -> None:
    said = account.get("password")
    if said is None:
        return  # a hash was given
    hint = f": {said['hint']}" if said["hint"] else ""
    print(f"password strength: {said['grade']}{hint}", file=sys.stderr)


@app.command()
def disable(context: typer.Context, address: Address) -> None:
    """Refuse logins and mail for an account; its mail stays."""
    perform(context.obj, "account.disable", {"address": address})


@app.command()
def enable(context: typer.Context, address: Address) -> None:
    """Undo disable."""
    perform(context.obj, "account.enable", {"address": address})


@app.command()
def delete(context: typer.Context, address: Address) -> None:
    """Remove an account; its message files are kept for 30 days."""
    perform(context.obj, "account.delete", {"address": address})
