"""Every endpoint of REST, in the order of the OpenAPI document."""

from collections.abc import Sequence
from dataclasses import dataclass

from config.clock import Clock
from filters.user_rules import UserRules
from storage.contact_exchange import ContactExchange
from storage.contact_service import ContactService
from storage.preferences import Preferences
from storage.vacations import Vacations
from web.drive.endpoints import DriveResource, DriveWeb
from web.jmap.mail.mailbox_set import MailboxSet
from web.rest.endpoint import Endpoint
from web.rest.operations import Operations, Perform
from web.rest.resources.accounts import (
    account_endpoints,
    administration_endpoints,
    alias_endpoints,
)
from web.rest.resources.accounts import (
    entry_endpoints as log_endpoints,
)
from web.rest.resources.contact_files import ContactFiles
from web.rest.resources.contacts import ContactResource
from web.rest.resources.elsewhere import elsewhere_endpoints
from web.rest.resources.emails import EmailResource, MailParts
from web.rest.resources.entry import entry_endpoints
from web.rest.resources.held import held_endpoints, queue_endpoints
from web.rest.resources.images import ImageResource, Secret
from web.rest.resources.mailboxes import MailboxResource
from web.rest.resources.rules import RuleResource
from web.rest.resources.security import security_endpoints
from web.rest.resources.server import defence_endpoints, domain_endpoints, server_endpoints
from web.rest.resources.tags import TagResource
from web.rest.resources.vacation import VacationResource
from web.rest.resources.webhooks import share_endpoints, webhook_endpoints


@dataclass(frozen=True, slots=True)
class Parts:
    """What the endpoints work on."""

    perform: Perform
    preferences: Preferences
    rules: UserRules
    drive: DriveWeb
    secret: Secret
    clock: Clock
    mail: MailParts
    mailboxes: MailboxSet
    contacts: ContactService
    exchange: ContactExchange
    vacations: Vacations


def endpoints(parts: Parts) -> Sequence[Endpoint]:
    """Of users, then of administrators."""
    do = Operations(parts.perform)
    return [
        *entry_endpoints(),
        *account_endpoints(do),
        *security_endpoints(do),
        *elsewhere_endpoints(),
        *MailboxResource(parts.mailboxes).endpoints(),
        *EmailResource(parts.mail).endpoints(),
        *TagResource(parts.preferences).endpoints(),
        *ContactResource(parts.contacts).endpoints(),
        *ContactFiles(parts.contacts, parts.exchange).endpoints(),
        *VacationResource(parts.vacations).endpoints(),
        *RuleResource(parts.rules, do).endpoints(),
        *DriveResource(parts.drive).endpoints(),
        *ImageResource(parts.secret, parts.clock).endpoints(),
        *webhook_endpoints(do),
        *share_endpoints(do),
        *held_endpoints(do),
        *administration_endpoints(do),
        *alias_endpoints(do),
        *log_endpoints(do),
        *domain_endpoints(do),
        *queue_endpoints(do),
        *defence_endpoints(do),
        *server_endpoints(do),
    ]
