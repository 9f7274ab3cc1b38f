"""`mailserver spam ...`: what the classifier learned, and how well the filter does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mailserver.cli.context import fail, perform
from mailserver.cli.output import AsJson, print_json, print_list, print_one
from mailserver.cli.spam_trial import Since, since_of, weights_of

app = typer.Typer(no_args_is_help=True, help="Teach and grade the spam filter.")
Account = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="One account; the whole site without it.")
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH", help="Maildir, mbox, message file, or a folder of them."),
]
Mailboxes = Annotated[
    list[str] | None,
    typer.Option("--mailbox", metavar="ADDRESS/NAME", help="Stored mail; may stand several times."),
]
_COLUMNS = (
    *("account", "period", "spam", "ham", "corrected"),
    *("false negatives", "range", "false positives", "range ", "then", "then "),
)


@app.command()
def show(context: typer.Context, account: Account = None, as_json: AsJson = False) -> None:
    """How many messages were learned."""
    print_one(perform(context.obj, "spam.show", {"account": account}), as_json)


@app.command()
def train(
    context: typer.Context,
    paths: Paths = None,
    spam: Annotated[bool, typer.Option("--spam", help="The messages are spam.")] = False,
    ham: Annotated[bool, typer.Option("--ham", help="The messages are wanted.")] = False,
    account: Account = None,
    mailboxes: Mailboxes = None,
    as_json: AsJson = False,
) -> None:
    """Teaches messages; each counts once, and another label takes the former one back."""
    if spam == ham:
        raise typer.BadParameter("either --spam or --ham")
    args = {**_named(paths, mailboxes), "account": account, "label": "spam" if spam else "ham"}
    print_one(perform(context.obj, "spam.train", args), as_json)


@app.command()
def forget(
    context: typer.Context,
    paths: Paths = None,
    account: Account = None,
    mailboxes: Mailboxes = None,
    all_: Annotated[bool, typer.Option("--all", help="Everything that was learned.")] = False,
    as_json: AsJson = False,
) -> None:
    """Takes back what messages taught, or with --all everything of the account or the site."""
    if all_ == bool(paths or mailboxes):
        raise typer.BadParameter("either messages or --all")
    args = {**_named(paths, mailboxes), "account": account, "all": all_}
    print_one(perform(context.obj, "spam.forget", args), as_json)


@app.command()
def rescan(
    context: typer.Context,
    account: Account = None,
    days: Annotated[
        float | None,
        typer.Option(help="How far back; else spam.rescan_reach.", min=0.01, max=30),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Looks at mail in INBOX again that nobody has touched, by what was learned or set since."""
    rows = perform(context.obj, "spam.rescan", {"account": account, "days": days})
    print_list(rows, ("account", "messages", "junk", "tagged"), as_json)


@app.command("eval")
def eval_(
    context: typer.Context,
    account: Account = None,
    since: Since = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML with [spam.weights] and tag_at to try."),
    ] = None,
    tag_at: Annotated[float | None, typer.Option(help="Junk from this score on.")] = None,
    without_learned: Annotated[
        bool, typer.Option("--without-learned", help="By rules alone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """False positives and negatives on the site's own mail, as judged then and as judged now."""
    tried, file_tag_at = weights_of(weights)
    args = {
        "account": account,
        "since": since_of(since),
        "weights": tried,
        "tag_at": file_tag_at if tag_at is None else tag_at,
        "learned": not without_learned,
    }
    rows = perform(context.obj, "spam.eval", args)
    if as_json:
        print_json(rows)
    else:
        print_list([_line(row) for row in rows], _COLUMNS, as_json)


def _named(paths: Sequence[Path] | None, mailboxes: Sequence[str] | None) -> dict[str, Any]:
    for path in paths or ():
        if not path.exists():
            fail(f"{path}: there is no such file or folder")
    return {
        "paths": [str(path.resolve()) for path in paths or ()],
        "mailboxes": list(mailboxes or ()),
    }


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    now, then = row["now"], row["then"]
    return {
        "account": row["account"],
        "period": row["period"],
        "spam": now["spam"],
        "ham": now["ham"],
        "corrected": row["corrected"],
        "false negatives": _count(now["false_negatives"]),
        "range": _range(now["false_negatives"]),
        "false positives": _count(now["false_positives"]),
        "range ": _range(now["false_positives"]),
        "then": _count(then["false_negatives"]),
        "then ": _count(then["false_positives"]),
    }


def _count(rate: Mapping[str, Any]) -> str:
    share = "-" if rate["share"] is None else f"{rate['share']:.2%}"
    return f"{rate['count']} ({share})"


def _range(rate: Mapping[str, Any]) -> str:
    return f"{rate['low']:.2%} to {rate['high']:.2%}"
