"""Sign-up: who asks for an account gets a code, and who knows the code gets the account.

Invariants: the answer, and the work before it, are the same whether the name is taken or the number
known; nothing waits for a network; a code is six digits of the system's randomness and is kept as
an HMAC (RFC 2104), never in the clear.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from auth.admission import Admission
from auth.caller import Caller
from auth.codes import code_mac, digits_in, new_code
from auth.leaked import ListUnusable
from auth.login import Authenticator
from auth.password import PasswordError, check_password
from auth.service import Fault, Problem, Registration
from auth.sign_up_names import invite_digest, phone_number, user_name
from auth.sms import Outbox, Sms, SmsSender
from auth.sms_smpp import SmppSender
from auth.sms_webhook import WebhookSender
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from config.sms import Smpp, Webhook, parse_sms
from message.address import AddressError, Mailbox, parse_mailbox
from net.https import HttpsClient
from net.limits import address_key
from net.threads import Busy, Offload
from storage.audit_values import Kind
from storage.directory import Directory
from storage.directory_values import Account, AlreadyExists, NotAllowed
from storage.invites import Invites
from storage.new_account import Mailboxes, make_account
from storage.sent_codes import Asking
from storage.sign_up_values import OF_NAME, OF_TARGET, Bounds, Checked, NewSignUp, SignUp
from storage.sign_ups import SignUps

MIN_PASSWORD: Final = 8
MAX_NAME: Final = 100


class CodeMail(Protocol):
    """Takes a code for an e-mail address; failures are logged by the sender."""

    async def send(self, to: str, subject: str, text: str) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """A registration whose parts are what they should be. `target` is what codes are counted by,
    `to` where this one goes.
    """

    box: Mailbox
    target: str
    to: str


class SignUpDesk:
    """One a process. `mail` takes codes that go to an e-mail address."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        store: Mailboxes,
        auth: Authenticator,
        admission: Admission,
        mail: CodeMail,
        https: HttpsClient,
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._directory, self._store, self._auth = directory, store, auth
        self._admission, self._mail, self._https = admission, mail, https
        self._offload, self._log = offload, log
        self._sign_ups = SignUps(directory, clock)
        self._invites = Invites(directory.database, clock)
        self._settings = settings
        self._sms = self._sender(settings.data_dir)
        self._retired: list[asyncio.Task[None]] = []

    def reload(self, settings: Settings) -> None:
        """Takes [auth] of a changed configuration."""
        changed = settings.auth.sms != self._settings.auth.sms
        self._settings = settings
        if changed:
            self._retired.append(asyncio.create_task(self._sms.close()))
            self._sms = self._sender(settings.data_dir)

    async def close(self) -> None:
        """Waits for codes on their way."""
        await asyncio.gather(*self._retired, self._sms.close())
        await self._mail.close()

    async def register(self, registration: Registration, caller: Caller) -> None:
        """Raises Problem, StoreError."""
        mode = self._settings.auth.signup
        if mode == "closed":
            raise Problem(Fault.CLOSED)
        invite = await self._invited(registration.invite) if mode == "invite" else None
        asked, peer = self._checked(registration), address_key(caller.peer)
        limited = not self._admission.is_local(caller.peer)
        asking = Asking(asked.box.key(), asked.target, peer, limited)
        _refuse_early(await self._sign_ups.wait(asking, self.bounds()))
        hashed, scram = await self.secrets(asked.box, registration.password)
        code = new_code(await self._sign_ups.key())
        new = NewSignUp(
            asked.box.key(),
            str(asked.box),
            registration.name.strip(),
            hashed,
            scram,
            asked.target,
            peer,
            limited,
            invite,
            code.salt,
            code.mac,
        )
        applied = await self._sign_ups.apply(new, self.bounds())
        _refuse_early(applied.wait)
        if applied.sends:
            await self.send_code(asked.to, str(asked.box), code.digits)

    async def verify(self, username: str, code: str, caller: Caller) -> str:
        """The account's address. Raises Problem, StoreError."""
        box, digits = self.box(username), digits_in(code)
        key = await self._sign_ups.key()
        if box is None or digits is None:
            raise Problem(Fault.WRONG_CODE)
        found = await self._sign_ups.check(
            box.key(), lambda salt: code_mac(key, salt, digits), self.bounds()
        )
        if isinstance(found, Checked):
            self._auth.audit.record(
                Kind.FAILED,
                None,
                address=caller.peer,
                protocol=caller.protocol.value,
                client=caller.client,
                detail=f"sign-up: code {found.value}",
            )
            raise Problem(Fault.EXPIRED if found is Checked.EXPIRED else Fault.WRONG_CODE)
        # to its end, also when who asked has gone: the code is taken
        return await self._directory.database.finish(self._make(found, box.key()))

    async def _make(self, found: SignUp, key: str) -> str:
        try:
            account = await self._account(found)
        except BaseException:
            await self._sign_ups.release(found)
            raise
        if found.invite is not None:
            await self._invites.used(found.id, account.address)
        await self._sign_ups.settle(found, key, account.id)
        self._log.info("signed up", account=account.address)
        return account.address

    async def _account(self, found: SignUp) -> Account:
        if found.invite is not None and not await self._invites.take(found.invite, found.id):
            raise Problem(Fault.EXPIRED, "The invite is used up or not good any more")
        try:
            await self._refuse_known(found.address)
            return await make_account(
                self._directory,
                self._store,
                found.address,
                found.password_hash,
                scram=found.scram,
                name=found.name,
                quota_bytes=self._settings.auth.signup_quota,
            )
        except (AlreadyExists, NotAllowed):
            await self._invites.give_back(found.id)
            raise Problem(Fault.WRONG_CODE) from None

    async def _refuse_known(self, address: str) -> None:
        """Raises AlreadyExists where it is somebody's here or in a source outside, to get mail or
        to log in with.
        """
        for login in (False, True):
            if await self._directory.account(address, login=login) is not None:
                raise AlreadyExists

    async def _invited(self, code: str) -> bytes:
        digest = invite_digest(code)
        if not code or not await self._invites.usable(digest):
            raise Problem(Fault.INVITE)
        return digest

    def _checked(self, asked: Registration) -> _Asked:
        box = self.box(asked.username)
        local = None if box is None else user_name(box.local)
        if box is None or local is None or not self._directory.serves(box.domain):
            raise Problem(
                Fault.INVALID,
                "username: an address of this server, its first part of letters, digits and single "
                "dots, hyphens and underscores between them, and none of the operator's",
            )
        name = asked.name.strip()
        if len(name) > MAX_NAME or not name.isprintable():
            raise Problem(Fault.INVALID, f"name: at most {MAX_NAME} printable characters")
        own = Mailbox(local, box.domain)
        if asked.phone:
            number = self.number(asked.phone)
            return _Asked(own, number, number)
        try:
            other = parse_mailbox(asked.email)
        except AddressError:
            raise Problem(Fault.INVALID, "phone or email: where the code shall be sent") from None
        return _Asked(own, other.split()[0].key(), str(other))

    def number(self, phone: str) -> str:
        """A number that gets codes, as it is kept. Raises Problem."""
        number = phone_number(phone)
        if number is None:
            raise Problem(Fault.INVALID, "phone: an international number such as +431234567")
        prefixes = self._settings.auth.sms_prefixes
        if prefixes and not number.startswith(tuple(prefixes)):
            raise Problem(Fault.INVALID, f"phone: a number that begins {', '.join(prefixes)}")
        return number

    def box(self, username: str) -> Mailbox | None:
        """The address that a user name means, None for what can be none."""
        domain = None if "@" in username else self._directory.sole_domain()
        try:
            return parse_mailbox(f"{username}@{domain}" if domain else username)
        except AddressError:
            return None

    async def secrets(self, box: Mailbox, password: str) -> tuple[str, str]:
        """The hash of a password, and its keys for SCRAM."""
        if len(password) < MIN_PASSWORD:
            raise Problem(Fault.INVALID, f"password: at least {MIN_PASSWORD} characters")
        try:
            check_password(password)
            hashed = await self._auth.hash_password(password)
            return hashed, await self._auth.scram_for(str(box), password)
        except ListUnusable as error:
            self._log.error("sign-up without the list of leaked passwords", reason=str(error))
            raise Problem(Fault.BUSY, wait=60) from None
        except PasswordError as error:
            raise Problem(Fault.INVALID, f"password: {error}") from None
        except Busy:
            raise Problem(Fault.BUSY, wait=10) from None

    def bounds(self, of_name: int = OF_NAME, of_target: int = OF_TARGET) -> Bounds:
        """Of codes in 24 hours, by the configuration in force."""
        auth = self._settings.auth
        return Bounds(
            auth.codes_per_day,
            of_name=of_name,
            of_target=of_target,
            accounts=auth.accounts_per_contact,
        )

    async def send_code(self, to: str, address: str, code: str) -> None:
        """To a phone number or a mail address goes a code for the account `address`."""
        text = f"{code} is your code for {address}. It is good for ten minutes; tell it nobody."
        if "@" not in to:
            await self._sms.send(Sms(to, text, code))
        else:
            await self._mail.send(to, f"Your code for {address.rpartition('@')[2]}", text)

    def _sender(self, data_dir: Path) -> SmsSender:
        place, https = parse_sms(self._settings.auth.sms.get_secret_value()), self._https
        match place:
            case Smpp():
                return SmppSender(place, https.resolver, https.context, self._log)
            case Webhook():
                return WebhookSender(place, https, self._log)
        return Outbox(data_dir, self._offload, self._log)


def _refuse_early(wait: float) -> None:
    if wait > 0:
        raise Problem(Fault.TOO_MANY, "Wait before you ask for another code", wait=wait)
