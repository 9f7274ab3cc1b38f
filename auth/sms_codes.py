"""Switches codes by SMS on and off, for an owner or an administrator; what sends them is
auth/sms_factor.py.
"""

from auth.audit import Audit
from auth.codes import code_mac, digits_in
from auth.second_factor import SMS_KEY, recovery_codes
from storage.audit_values import Kind
from storage.directory import Directory
from storage.directory_values import Absent, Account, NotAllowed


async def confirm_sms(directory: Directory, audit: Audit, account: Account, code: str) -> list[str]:
    """By the first code that a phone got; the recovery codes, which come with an account's first
    factor. Raises NotAllowed, Absent.
    """
    digits, key = digits_in(code), await directory.secrets.get(SMS_KEY)
    if digits is None:
        raise NotAllowed("The code has six digits")
    codes, digests = recovery_codes()
    first = await directory.sms_factors.confirm(
        account.id, lambda salt: code_mac(key, salt, digits), digests
    )
    audit.record(Kind.FACTOR_ON, account.id, account.address, detail="sms")
    return codes if first else []


async def remove_sms(directory: Directory, audit: Audit, account: Account) -> None:
    """Raises Absent."""
    found = await directory.sms_factors.of(account.id)
    if not await directory.sms_factors.remove(account.id):
        raise Absent(f"{account.address} has no phone for codes")
    if found is not None and found.confirmed is not None:
        audit.record(Kind.FACTOR_OFF, account.id, account.address, detail="sms")
