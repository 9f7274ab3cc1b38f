"""Operation names, as command line and control socket use them, and the functions behind.

A function is written `module.name`, of this folder, and imported when it is first asked for: a
command without a server loads only what it does. The serving process loads all of them at start.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any, cast

from mailserver.control import Progress
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.errors import StoreError

Args = Mapping[str, Any]
Quick = Callable[[Services, Args], Awaitable[Any]]
Long = Callable[[Services, Args, Progress], Awaitable[Any]]

QUICK: dict[str, str] = {
    "account.add": "accounts.account_add",
    "account.list": "accounts.account_list",
    "account.show": "accounts.account_show",
    "account.set": "accounts.account_set",
    "account.passwd": "accounts.account_passwd",
    "account.disable": "accounts.account_disable",
    "account.enable": "accounts.account_enable",
    "account.delete": "accounts.account_delete",
    "account.app-password.add": "credentials.app_password_add",
    "account.app-password.list": "credentials.app_password_list",
    "account.app-password.revoke": "credentials.credential_revoke",
    "account.second-factor.show": "second_factor.factor_show",
    "account.second-factor.begin": "second_factor.factor_begin",
    "account.second-factor.confirm": "second_factor.factor_confirm",
    "account.second-factor.codes": "second_factor.factor_codes",
    "account.second-factor.remove": "second_factor.factor_remove",
    "account.second-factor.sms.begin": "second_factor.sms_begin",
    "account.second-factor.sms.confirm": "second_factor.sms_confirm",
    "account.second-factor.sms.remove": "second_factor.sms_remove",
    "account.passkey.list": "passkeys.passkey_list",
    "account.passkey.delete": "passkeys.passkey_delete",
    "token.add": "credentials.token_add",
    "token.list": "credentials.token_list",
    "token.revoke": "credentials.credential_revoke",
    "oauth.client.add": "oauth.client_add",
    "oauth.client.list": "oauth.client_list",
    "oauth.client.delete": "oauth.client_delete",
    "oauth.consent.list": "oauth.consent_list",
    "oauth.consent.revoke": "oauth.consent_revoke",
    "account.invite.add": "invites.invite_add",
    "account.invite.list": "invites.invite_list",
    "account.invite.delete": "invites.invite_delete",
    "account.role": "roles.account_role",
    "account.sending.allow": "sending.sending_allow",
    "account.sending.list": "sending.sending_list",
    "account.sending.revoke": "sending.sending_revoke",
    "account.app-password.revoke-all": "credentials.app_password_revoke_all",
    "token.revoke-all": "credentials.token_revoke_all",
    "account.share.list": "sharing.share_list",
    "account.share.set": "sharing.share_set",
    "account.share.delete": "sharing.share_delete",
    "account.device.list": "devices.device_list",
    "account.device.forget": "devices.device_forget",
    "account.sign-up.list": "sign_ups.sign_up_list",
    "account.sign-up.delete": "sign_ups.sign_up_delete",
    "alias.add": "aliases.alias_add",
    "alias.set": "aliases.alias_set",
    "alias.list": "aliases.alias_list",
    "alias.delete": "aliases.alias_delete",
    "domain.add": "domains.domain_add",
    "domain.list": "domains.domain_list",
    "domain.set": "domains.domain_set",
    "domain.delete": "domains.domain_delete",
    "domain.dns": "domain_dns.domain_dns",
    "domain.rotate": "domain_dns.domain_rotate",
    "audit.list": "auditing.audit_list",
    "block.add": "blocks.block_add",
    "block.list": "blocks.block_list",
    "block.delete": "blocks.block_delete",
    "explain": "explaining.explain",
    "quarantine.list": "quarantine.quarantine_list",
    "quarantine.show": "quarantine.quarantine_show",
    "quarantine.release": "quarantine.quarantine_release",
    "quarantine.delete": "quarantine.quarantine_delete",
    "queue.list": "queue.queue_list",
    "queue.shape": "queue_shape.queue_shape",
    "queue.why": "queue_why.queue_why",
    "queue.show": "queue.queue_show",
    "queue.retry": "queue.queue_retry",
    "queue.hold": "queue.queue_hold",
    "queue.release": "queue.queue_release",
    "queue.bounce": "queue_bouncing.queue_bounce",
    "queue.pools": "queue_pools.queue_pools",
    "queue.rule.add": "queue_rules.rule_add",
    "queue.rule.list": "queue_rules.rule_list",
    "queue.rule.delete": "queue_rules.rule_delete",
    "queue.cancel": "queue.queue_cancel",
    "suppress.add": "suppressing.suppress_add",
    "suppress.list": "suppressing.suppress_list",
    "suppress.delete": "suppressing.suppress_delete",
    "report.list": "reports.report_list",
    "report.show": "reports.report_show",
    "report.sources": "reports.report_sources",
    "report.delete": "reports.report_delete",
    "report.pending": "reports.report_pending",
    "tls.show": "tls.tls_show",
    "tls.forget": "tls.tls_forget",
    "contact.list": "contacts.contact_list",
    "contact.written": "contacts.contact_written",
    "contact.add": "contacts.contact_add",
    "contact.delete": "contacts.contact_delete",
    "contact.books": "contacts.contact_books",
    "contact.import": "contacts.contact_import",
    "contact.export": "contacts.contact_export",
    "contact.duplicates": "contacts.contact_duplicates",
    "contact.collect": "contacts.contact_collect",
    "contact.complete": "contacts.contact_complete",
    "contact.versions": "contacts.contact_versions",
    "contact.restore": "contacts.contact_restore",
    "contact.share.list": "book_sharing.book_share_list",
    "contact.share.set": "book_sharing.book_share_set",
    "rules.list": "rules.rules_list",
    "rules.add": "rules.rules_add",
    "rules.delete": "rules.rules_delete",
    "sieve.list": "sieve.sieve_list",
    "sieve.show": "sieve.sieve_show",
    "sieve.put": "sieve.sieve_put",
    "sieve.activate": "sieve.sieve_activate",
    "sieve.deactivate": "sieve.sieve_deactivate",
    "sieve.rename": "sieve.sieve_rename",
    "sieve.delete": "sieve.sieve_delete",
    "webhook.add": "webhooks.webhook_add",
    "webhook.list": "webhooks.webhook_list",
    "webhook.log": "webhooks.webhook_log",
    "webhook.test": "webhooks.webhook_test",
    "webhook.enable": "webhooks.webhook_enable",
    "webhook.delete": "webhooks.webhook_delete",
    "spam.show": "spam.spam_show",
    "tags.list": "tags.tags_list",
    "tags.add": "tags.tags_add",
    "tags.delete": "tags.tags_delete",
    "tags.auto": "tags.tags_auto",
    "tags.learn": "tags.tags_learn",
    "tags.why": "tags.tags_why",
    "drive.list": "drive.drive_list",
    "drive.links": "drive.drive_links",
    "drive.link": "drive.drive_link",
    "drive.reads": "drive.drive_reads",
    "drive.revoke": "drive.drive_revoke",
    "drive.keep": "drive.drive_keep",
    "drive.delete": "drive.drive_delete",
    "drive.rotate": "drive.drive_rotate",
    "drive.gc": "drive.drive_gc",
    "filter.list": "filters.filter_list",
    "service.list": "services.service_list",
    "reload": "running.reload",
    "overview": "overview.overview",
    "config.show": "configuration.config_show",
}
LONG: dict[str, str] = {
    "import": "store.import_",
    "filter.test": "filters.filter_test",
    "sieve.test": "sieve_test.sieve_test",
    "spam.train": "spam.spam_train",
    "spam.forget": "spam.spam_forget",
    "spam.eval": "spam.spam_eval",
    "spam.rescan": "spam.spam_rescan",
}
_PERMITTED = "mailserver.operations.permitted"
"""Imported only when an operation is done for an account."""


def load_all() -> dict[str, Callable[..., Awaitable[Any]]]:
    """Imports every operation, so that none stops the event loop when it is first asked for."""
    import_module(_PERMITTED)
    return {name: _function(place) for name, place in (QUICK | LONG).items()}


@cache
def _function(place: str) -> Callable[..., Awaitable[Any]]:
    module, _, name = place.partition(".")
    found = getattr(import_module(f"mailserver.operations.{module}"), name)
    return cast(Callable[..., Awaitable[Any]], found)


async def perform(services: Services, name: str, args: Args, progress: Progress) -> Any:
    """Runs one operation; its errors come out as OperationError. With `as` in `args`, the address
    of an account, it is done as far as that account may (mailserver/operations/permitted.py); what
    waits long before it changes anything asks for that anew by `again` in its arguments.
    """
    try:
        if "as" not in args:
            return await _run(services, name, args, progress)
        from mailserver.operations.permitted import changed_of, permitted, tell, visible

        account = str(args["as"])
        rest = {key: value for key, value in args.items() if key not in ("as", "bounded")}
        checked = await permitted(services, account, name, rest)
        again = partial(permitted, services, account, name, rest)
        whose = await changed_of(services, name, rest)  # it may be gone afterwards
        result = await _run(services, name, {**checked, "again": again}, progress)
        tell(services, checked["by"], name, whose or await changed_of(services, name, rest))
        return await visible(services, account, name, result)
    except StoreError as error:
        raise OperationError(str(error)) from error


async def _run(services: Services, name: str, args: Args, progress: Progress) -> Any:
    if name in QUICK:
        return await cast(Quick, _function(QUICK[name]))(services, args)
    if name in LONG:
        return await cast(Long, _function(LONG[name]))(services, args, progress)
    raise OperationError(f"unknown operation {name!r}")
