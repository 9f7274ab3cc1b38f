"""Builds REST: its endpoints over services and operations, and the routes."""

from collections.abc import Mapping
from typing import Any

from auth.sharing import Sharing
from config.logging import get_logger
from filters.explaining import Explainer
from filters.mailing.handling import Handling
from filters.user_rules import UserRules
from mailserver.mailing_wiring import Mailing
from mailserver.operations.errors import Forbidden, Missing, OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from storage.answers import Answers
from storage.contact_exchange import ContactExchange
from storage.contact_service import ContactService
from storage.store import Store
from web.answering import Answering
from web.bearers import Bearers
from web.drive.endpoints import DriveWeb
from web.jmap.limits import Limits
from web.jmap.mail.email import EmailType
from web.jmap.mail.mailbox_set import MailboxSet
from web.registry import Service
from web.rest.api import RestApi
from web.rest.callers import Callers
from web.rest.described import described_route
from web.rest.errors import RestError
from web.rest.faults import status_of
from web.rest.repeats import Repeats
from web.rest.resources.emails import MailParts
from web.rest.resources.endpoints import Parts, endpoints


def build_rest(
    services: Services,
    bearers: Bearers,
    answering: Answering,
    drive: DriveWeb,
    mailing: Mailing,
    store: Store,
) -> Service:
    """To be registered behind the services whose paths are below its own."""
    directory = services.directory
    log = get_logger("rest")

    async def done(address: str, name: str, args: Mapping[str, Any]) -> Any:
        log.info("operation", operation=name, account=address)
        try:
            return await perform(services, name, {**args, "as": address}, _unseen)
        except OperationError as error:
            raise refusal(error) from error

    rules = UserRules(directory.scripts, services.offload)
    contacts = ContactService(directory.contacts, services.offload)
    parts = Parts(
        perform=done,
        preferences=directory.preferences,
        rules=rules,
        drive=drive,
        secret=directory.secrets.get,
        clock=services.clock,
        mail=_mail(services, mailing, store),
        mailboxes=MailboxSet(store, directory, Sharing(directory, services.auth.audit)),
        contacts=contacts,
        exchange=ContactExchange(contacts, services.offload),
        vacations=directory.vacations,
    )
    found = endpoints(parts)
    callers = Callers(bearers, directory, services.clock)
    repeats = Repeats(Answers(directory.database, services.clock))
    api = RestApi(found, callers, repeats, answering, services.offload)
    return Service("rest", [described_route(found), *api.routes()])


def _mail(services: Services, mailing: Mailing, store: Store) -> MailParts:
    directory, offload, clock = services.directory, services.offload, services.clock
    explainer = Explainer(services.explain, store, directory, clock, services.settings.spam)
    return MailParts(
        mailing.emails,
        Handling(store, directory),
        store,
        directory.preferences,
        services.explain,
        explainer,
        EmailType(store, directory, offload, Limits()),
        offload,
        clock,
    )


def refusal(error: OperationError) -> RestError:
    """With the status of what is wrong."""
    if isinstance(error, Forbidden):
        return RestError(403, str(error))
    if isinstance(error, Missing):
        return RestError(404, str(error))
    status = status_of(error.__cause__) or 422
    return RestError(status, str(error), wait=10.0 if status == 503 else 0.0)


def _unseen(_done: int, _total: int, _what: str) -> None:
    """Nobody waits for progress."""
