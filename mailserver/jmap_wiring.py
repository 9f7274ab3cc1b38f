"""Builds JMAP: its methods, one line an object type, and the routes."""

from auth.sharing import Sharing
from config.logging import get_logger
from filters.blob_scanning import BlobScanner
from filters.scripts import language
from mailserver.mailing_wiring import Mailing
from mailserver.services import Services
from storage.contact_service import ContactService
from storage.store import Store
from web.jmap.api import JmapApi
from web.jmap.blob.downloads import Downloads
from web.jmap.blob.making import BLOB, BlobMaking
from web.jmap.blob.management import BlobMethods
from web.jmap.blob.reading import BlobReader
from web.jmap.blob.uploads import Uploads
from web.jmap.contacts.accounts import CONTACTS
from web.jmap.contacts.address_book import AddressBookSet, AddressBookType
from web.jmap.contacts.card_copy import ContactCardCopy
from web.jmap.contacts.card_query import ContactCardQuery
from web.jmap.context import Context, scope_of
from web.jmap.entrance import Entrance
from web.jmap.granted import Granted
from web.jmap.limits import Limits
from web.jmap.mail.creating import Creating
from web.jmap.mail.email import EmailType
from web.jmap.mail.email_copy import EmailCopy
from web.jmap.mail.email_import import EmailImport
from web.jmap.mail.email_query import EmailQuery
from web.jmap.mail.email_set import EmailSet
from web.jmap.mail.intake import Intake
from web.jmap.mail.mailbox import MAIL
from web.jmap.mail.mailbox_query import MailboxQuery
from web.jmap.mail.mailbox_rights import SHARE
from web.jmap.mail.mailbox_set import MailboxSet
from web.jmap.mail.snippets import Snippets
from web.jmap.mail.thread import ThreadType
from web.jmap.mdn.objects import MDN
from web.jmap.mdn.parsing import MdnParsing
from web.jmap.mdn.sending import MdnSending
from web.jmap.methods import Methods
from web.jmap.principals import PRINCIPALS, PrincipalType
from web.jmap.quota import QUOTA, QuotaType
from web.jmap.requests import Requests
from web.jmap.session import VAPID, WEBSOCKET
from web.jmap.share_notification import ShareNotificationType
from web.jmap.sharers import Sharers
from web.jmap.standard import Standard
from web.jmap.standard_query import StandardQuery
from web.jmap.submission.email_submission import SubmissionType
from web.jmap.submission.identity import SUBMISSION, IdentityType
from web.jmap.submission.sieve_script import (
    SIEVE,
    ScriptBlobs,
    SieveSet,
    SieveType,
    SieveValidate,
)
from web.jmap.submission.submission_set import SubmissionSet
from web.jmap.submission.vacation_response import VACATION, VacationType


def build_jmap(
    services: Services, store: Store, entrance: Entrance, scanner: BlobScanner, mailing: Mailing
) -> tuple[JmapApi, Requests]:
    """The API, and what answers its requests."""
    limits = Limits()
    granted = Granted(services.auth.agents)
    methods = Methods[Context](limits, get_logger("jmap"), granted.call)
    standard = Standard(methods, limits)
    emails = EmailType(store, services.directory, services.offload, limits)
    reader = BlobReader(
        *(emails, services.blobs, scanner, services.offload),
        [ScriptBlobs(services.directory.scripts)],
    )
    intake = Intake(store, scanner.scanner, services.offload)
    mailboxes = MailboxSet(
        store, services.directory, Sharing(services.directory, services.auth.audit)
    )
    standard.add_get(mailboxes)
    standard.add_set(mailboxes)
    standard.add_get(emails)
    email_set = _mail_in(services, store, methods, emails, reader, intake, limits)
    standard.add_set(email_set)
    queries = StandardQuery(methods, limits, scope_of, services.settings.store.search_memory // 8)
    queries.add(MailboxQuery(store, services.directory))
    email_query = EmailQuery(store, services.directory, services.offload, limits)
    queries.add(email_query)
    Snippets(emails, services.offload, limits).add_to(methods)
    standard.add_get(ThreadType(store, emails))
    _add_submission(services, store, mailing, email_set, methods, standard, queries, limits)
    _add_filtering(services, methods, standard, queries, reader)
    _add_contacts(services, methods, standard, queries, limits)
    quotas = QuotaType(store)
    standard.add_get(quotas)
    queries.add(quotas)
    methods.add(MDN, "MDN/parse", MdnParsing(reader, email_query, limits, services.offload))
    uploads = Uploads(services.blobs, scanner, limits, services.clock)
    making = BlobMaking(reader, uploads, limits)
    making.add_to(methods)
    BlobMethods(reader, making, store, emails, limits, services.offload).add_to(methods)
    capabilities = frozenset(
        (
            MAIL,
            SHARE,
            SUBMISSION,
            VACATION,
            SIEVE,
            WEBSOCKET,
            VAPID,
            BLOB,
            QUOTA,
            MDN,
            CONTACTS,
            PRINCIPALS,
        )
    )
    requests = Requests(
        *(methods, capabilities, limits, services.offload, services.directory.contacts.shares),
        Sharers(services.directory, store, anyone=services.settings.imap.share_with_anyone),
        lambda: int(services.settings.smtp.hold_at_most),
    )
    return JmapApi(entrance, requests, Downloads(reader), uploads, granted), requests


def _add_contacts(
    services: Services,
    methods: Methods[Context],
    standard: Standard[Context],
    queries: StandardQuery[Context],
    limits: Limits,
) -> None:
    """Address books and their cards."""
    directory = services.directory
    service = ContactService(directory.contacts, services.offload)
    books = AddressBookType(directory, service)
    standard.add_get(books)
    methods.add(CONTACTS, "AddressBook/set", AddressBookSet(standard, books))
    cards = ContactCardQuery(
        *(directory.database, service, books, limits, services.clock, services.offload)
    )
    standard.add_get(cards)
    standard.add_set(cards)
    queries.add(cards)
    methods.add(CONTACTS, "ContactCard/copy", ContactCardCopy(standard, cards))
    principals = PrincipalType(directory)
    standard.add_get(principals)
    queries.add(principals)
    notices = ShareNotificationType(directory)
    standard.add_get(notices)
    standard.add_set(notices)
    queries.add(notices)


def _add_submission(
    services: Services,
    store: Store,
    mailing: Mailing,
    emails: EmailSet,
    methods: Methods[Context],
    standard: Standard[Context],
    queries: StandardQuery[Context],
    limits: Limits,
) -> None:
    """What mail is sent with."""
    identities = IdentityType(services.directory)
    standard.add_get(identities)
    standard.add_set(identities)
    submissions = SubmissionType(
        *(store, emails, identities, mailing.submitter, mailing.grammar, mailing.loader),
        *(services.clock, limits, services.offload),
    )
    standard.add_get(submissions)
    queries.add(submissions)
    methods.add(SUBMISSION, "EmailSubmission/set", SubmissionSet(standard, submissions, emails))
    notifying = MdnSending(
        *(emails, emails, identities, standard, store, mailing.submitter, limits),
        *(services.clock, services.offload),
    )
    methods.add(MDN, "MDN/send", notifying)


def _add_filtering(
    services: Services,
    methods: Methods[Context],
    standard: Standard[Context],
    queries: StandardQuery[Context],
    reader: BlobReader,
) -> None:
    """What accounts do with mail that comes."""
    directory = services.directory
    vacation = VacationType(directory.database, directory.vacations)
    standard.add_get(vacation, changes=False)
    standard.add_set(vacation)
    known = language(services.offload)
    scripts = SieveType(directory.database, directory.scripts, known, reader)
    standard.add_get(scripts, changes=False)
    queries.add(scripts, changes=False)
    methods.add(SIEVE, "SieveScript/set", SieveSet(standard, scripts, directory.scripts))
    methods.add(SIEVE, "SieveScript/validate", SieveValidate(scripts))


def _mail_in(
    services: Services,
    store: Store,
    methods: Methods[Context],
    emails: EmailType,
    reader: BlobReader,
    intake: Intake,
    limits: Limits,
) -> EmailSet:
    """What brings mail in; Email/set is yet to be added."""
    directory, offload, clock = services.directory, services.offload, services.clock
    creating = Creating(reader, intake, clock, offload)
    email_set = EmailSet(store, directory, offload, limits, creating)
    EmailImport(emails, reader, intake, store, directory, limits, offload, clock).add_to(methods)
    EmailCopy(email_set, reader, intake, store, directory, limits).add_to(methods)
    return email_set
