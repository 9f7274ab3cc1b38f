"""Deletes a passkey, by its owner or by an administrator; needs nothing of WebAuthn."""

from auth.audit import Audit
from storage.audit_values import Kind
from storage.directory import Directory
from storage.directory_values import Account
from storage.passkeys import Passkey, PasskeyId


async def delete_passkey(
    directory: Directory, audit: Audit, account: Account, number: PasskeyId
) -> Passkey:
    """Deletes one; with the last second factor the password alone is enough again. Raises
    Absent.
    """
    before = await directory.second_factors.is_on(account.id)
    gone = await directory.passkeys.delete(account.id, number)
    audit.record(Kind.REVOKED, account.id, account.address, detail=f"passkey: {gone.name}")
    if before and not await directory.second_factors.is_on(account.id):
        audit.record(Kind.FACTOR_OFF, account.id, account.address, detail="passkey")
    return gone
