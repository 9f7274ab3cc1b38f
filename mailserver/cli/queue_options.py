"""Options that say which mail of the queue is meant."""

from typing import Annotated

import typer

Sender = Annotated[str | None, typer.Option(metavar="ADDRESS", help="By this sender; <> is null.")]
Recipient = Annotated[str | None, typer.Option(metavar="ADDRESS", help="For this recipient.")]
Domain = Annotated[str | None, typer.Option(metavar="DOMAIN", help="To this domain.")]
Account = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of this account.")]
