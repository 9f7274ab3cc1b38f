"""`mailserver contact share ...`: who sees an address book of an account.

Shown as {book, address, rights}; rights are letters of storage/book_shares.py.
"""

from collections.abc import Mapping
from typing import Any

from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from storage.audit_values import Kind
from storage.contact_values import ContactError
from storage.directory_values import Absent

Args = Mapping[str, Any]


async def book_share_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Of all books of the account."""
    account, contacts = await account_of(services, args), services.directory.contacts
    found: list[dict[str, Any]] = []
    for book in await contacts.books.all(account.id):
        for grantee, rights in (await contacts.shares.of(account.id, book.id)).items():
            other = await services.directory.account_by_id(grantee)
            if other is not None:
                found.append({"book": book.slug, "address": other.address, "rights": rights})
    return found


async def book_share_set(services: Services, args: Args) -> list[dict[str, Any]]:
    """`who` has `rights` in `book`, "" none."""
    account, contacts = await account_of(services, args), services.directory.contacts
    other = await services.directory.account(str(args["who"]))
    if other is None:
        raise Absent(f"There is no account {args['who']}")
    rights = str(args["rights"])
    try:
        book = await contacts.books.named(account.id, str(args["book"]))
        await contacts.shares.give(account.id, book.id, other.id, rights)
    except ContactError as error:
        raise OperationError(str(error)) from None
    said = f"address book {book.slug}: {other.address} {rights or 'removed'}"
    by = str(args.get("by") or "")
    detail = f"{said}, by {by}" if by else said
    services.auth.audit.record(Kind.RIGHTS, account.id, account.address, detail=detail)
    return await book_share_list(services, args)
