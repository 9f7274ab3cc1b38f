"""Builds every part that serves and passes it to those that need it: what depends on what, in one
file. What they stand on is opened in mailserver/opening.py.
"""

from dataclasses import dataclass
from functools import partial

from auth.admission import Admission
from auth.oauth.provider import Provider
from auth.oidc.outside import Outside
from auth.sign_up import SignUpDesk
from auth.sms_factor import SmsFactorDesk
from auth.source_rounds import SourceRounds
from config.logging import get_logger
from filters.autotags.trainer import Trainer
from filters.blob_scanning import BlobScanner
from filters.code_mail import CodeMails
from filters.delivery import Delivery
from filters.dnslists import DnsLists
from filters.forwarding import Forwarding
from filters.home import Home
from filters.login_notice import LoginNotices
from filters.own.own import OwnFilters
from filters.pipeline import Pipeline
from filters.quarantining import Keeper
from filters.quota import Quotas
from filters.recipients.imap_events import ImapEvents
from filters.recipients.junk import PersonalJunk
from filters.record import Recorder
from filters.registry import Tools
from filters.reporting.collector import Collector
from filters.reporting.dmarc_builder import DmarcBuilder
from filters.reporting.dmarc_rows import DmarcRecorder
from filters.reporting.failures import FailureReporter
from filters.reporting.reader import ReportReader
from filters.reporting.sender import Builder, ReportSender
from filters.reporting.tls_builder import TlsBuilder
from filters.scripts import language
from filters.sent import SentCopies
from filters.signing.rotation import Rotation
from filters.spam.clear import ClearVerdicts
from filters.spam.extract import extract
from filters.spam.follower import Follower
from filters.spam.hearsay import Hearsay, witness
from filters.spam.rescan import RescanTask
from filters.spam.training import Training
from filters.submitting import Submitting
from filters.virus_scanner import VirusScanner
from filters.webhooks.gathering import Gathering
from filters.webhooks.sender import WebhookSender
from imap.managesieve.server import ManageSieveServer
from imap.server import ImapServer
from mailserver.drive_wiring import Drive, build_drive
from mailserver.gateway_wiring import Gateway, LocalHome, build_gateway
from mailserver.mailing_wiring import build_mailing
from mailserver.personal_wiring import (
    build_contact_collector,
    build_imap_events,
    build_personal,
    build_rescan,
    build_trainer,
)
from mailserver.services import Services, reached
from net.client_tls import client_tls
from net.guarded import GuardedResolver
from net.https import HttpsClient
from net.tls import TlsContexts
from smtp.outbound.runner import Outbound
from smtp.server import SmtpServer
from storage.blob_collector import BlobCollector
from storage.contact_collecting import ContactCollector
from storage.metadata import Metadata
from storage.new_account import make_account
from storage.report_values import Kind
from storage.reports import Reports
from storage.spam_values import Label
from storage.values import AccountId
from web.server import HttpServer


@dataclass(frozen=True, slots=True)
class Parts:
    """The listeners and tasks of a serving process."""

    pipeline: Pipeline
    delivery: Delivery
    smtp: SmtpServer
    imap: ImapServer
    managesieve: ManageSieveServer
    outbound: Outbound
    http: HttpServer
    lists: DnsLists
    collector: Collector
    report_sender: ReportSender
    failures: FailureReporter
    rotation: Rotation
    forwarding: Forwarding
    metadata: Metadata
    events: ImapEvents
    junk: PersonalJunk
    own: OwnFilters
    scanner: VirusScanner
    blob_scanner: BlobScanner
    drive: Drive
    blob_collector: BlobCollector
    training: Training | None
    tag_trainer: Trainer
    rescan: RescanTask
    contact_collector: ContactCollector
    clear: ClearVerdicts
    desk: SignUpDesk
    gateway: Gateway
    sms_factor: SmsFactorDesk
    provider: Provider
    outside: Outside
    login_notices: LoginNotices
    source_rounds: SourceRounds
    webhooks: WebhookSender

    async def close(self) -> None:
        """Lets go of services and store, once everything is stopped."""
        await self.drive.gate.close()
        await self.blob_scanner.close()
        self.scanner.close()
        self.forwarding.limits.close()
        await self.metadata.close()


def build_parts(services: Services, tls: TlsContexts) -> Parts:
    """Everything that listens or works in the background, not started."""
    settings, store, clock = services.settings, services.store, services.clock
    client = client_tls()
    https = HttpsClient(services.resolver, services.offload, client.verified)
    reports, log = Reports(services.directory.database), get_logger("reports")
    collector = Collector(reports, clock, log)
    collector.reload(settings)
    reader = ReportReader(reports, services.offload, clock, log)
    admission = Admission(settings, clock, services.directory.blocks, services.cache)
    forwarding = Forwarding(
        *(settings, services.directory, services.keyring, services.resolver),
        *(services.offload, clock, get_logger("forwarding")),
    )
    metadata = Metadata(services.directory.database, store)
    recorder = Recorder(clock, services.explain)
    scanner = VirusScanner(services.offload, clock, get_logger("virus"))
    scanner.reload(settings)
    blob_scanner = BlobScanner(services.blobs, scanner, get_logger("virus"))
    personal = build_personal(services, metadata, lambda: scanner.on, learned=services.learned)
    delivery = Delivery(
        settings,
        services.directory,
        store,
        clock,
        get_logger("delivery"),
        personal=personal,
        reader=reader,
        signer=services.signer,
        forwarding=forwarding,
        recorder=recorder,
        keeper=Keeper(settings.hostname, services.quarantine, recorder, get_logger("quarantine")),
    )
    notices = LoginNotices(
        settings, services.directory, delivery, clock, get_logger("login-notices")
    )
    services.auth.arrivals.on_new = notices.tell
    events = build_imap_events(services, metadata, personal, delivery)
    failures = FailureReporter(settings, services.resolver, delivery, clock, log)
    lists = DnsLists(services.resolver, clock, get_logger("dnsbl"))
    own = OwnFilters(settings, services.offload, clock, get_logger("own"))
    clear = ClearVerdicts(services.learned, services.offload, get_logger("spam"))
    tools = Tools(
        clock,
        services.resolver,
        services.offload,
        services.directory,
        store,
        evaluated=(DmarcRecorder(collector), failures),
        lists=lists,
        own=own,
        scanner=scanner,
        reputation=services.reputation,
        learned=services.learned,
        clear=clear,
    )
    pipeline = Pipeline(settings, tools, get_logger("filters"))
    mails = CodeMails(settings, delivery, clock, get_logger("sign-up"))
    desk = SignUpDesk(
        settings,
        services.directory,
        store,
        services.auth,
        admission,
        mails,
        https,
        services.offload,
        clock,
        get_logger("sign-up"),
    )
    http = HttpServer(
        settings.listen.http,
        settings.listen.https,
        tls,
        admission,
        settings.listen.proxy_protocol_from,
    )
    sms_factor = SmsFactorDesk(services.directory, services.auth.audit, desk, admission)
    provider = Provider(settings, services.directory, services.auth, services.offload, clock)
    guarded = GuardedResolver(settings.dns.nameservers, lambda: services.settings.oidc.networks)
    outside = Outside(
        settings,
        services.directory,
        HttpsClient(guarded, services.offload, client.verified),
        clock,
        lambda address, name: make_account(services.directory, store, address, "", name=name),
    )
    away = GuardedResolver(settings.dns.nameservers, lambda: services.settings.push.networks)
    outward = HttpsClient(away, services.offload, client.verified)
    webhooks = WebhookSender(
        services.directory,
        store.bus,
        Gathering(store),
        outward,
        clock,
        get_logger("webhooks"),
    )
    services.auth.accept_outside(outside.of_access_token)
    sent = SentCopies(store, clock, services.offload, get_logger("sent"))
    drive = build_drive(services, scanner, blob_scanner, mails)
    quotas = Quotas(store)
    submitting = Submitting(
        settings,
        services.directory,
        clock,
        get_logger("submission"),
        sent=sent,
        audit=services.auth.audit,
        links=drive.detacher,
    )
    return Parts(
        pipeline=pipeline,
        delivery=delivery,
        lists=lists,
        smtp=SmtpServer(
            settings,
            pipeline,
            delivery,
            services.auth,
            services.directory,
            store,
            tls,
            clock,
            services.offload,
            get_logger("smtp"),
            submitting=submitting,
            quotas=quotas,
            admission=admission,
            recorder=recorder,
        ),
        imap=ImapServer(
            settings,
            store,
            services.auth,
            services.directory,
            metadata,
            tls,
            clock,
            services.offload,
            get_logger("imap"),
            admission=admission,
            sent=sent,
            scanner=scanner,
            events=events,
            web=lambda: reached(services).origin,
        ),
        managesieve=ManageSieveServer(
            settings,
            services.auth,
            services.directory,
            tls,
            get_logger("managesieve"),
            language(services.offload),
            admission,
            clock,
        ),
        outbound=Outbound(
            settings,
            store,
            services.resolver,
            delivery,
            clock,
            services.offload,
            get_logger("outbound"),
            tls=client,
            https=https,
            collector=collector,
            signer=services.signer,
            suppressions=services.directory.suppressions,
            directory=services.directory,
            recorder=recorder,
            finished=webhooks.handed_on,
            home=Home(delivery, services.directory, store.spool_dir, clock, services.offload),
        ),
        http=http,
        collector=collector,
        report_sender=ReportSender(
            reports,
            delivery,
            _report_builders(services, https),
            settings,
            clock,
            log,
        ),
        failures=failures,
        rotation=Rotation(
            settings,
            services.directory,
            services.keyring,
            services.resolver,
            clock,
            get_logger("dkim"),
        ),
        forwarding=forwarding,
        metadata=metadata,
        events=events,
        junk=personal.junk,
        own=own,
        scanner=scanner,
        blob_scanner=blob_scanner,
        drive=drive,
        blob_collector=BlobCollector(services.blobs, get_logger("blobs")),
        training=_training(services),
        tag_trainer=build_trainer(services),
        rescan=build_rescan(services),
        contact_collector=build_contact_collector(services),
        clear=clear,
        desk=desk,
        sms_factor=sms_factor,
        provider=provider,
        outside=outside,
        gateway=build_gateway(
            services,
            desk,
            sms_factor,
            admission,
            LocalHome(store, mails, notices),
            http,
            provider,
            outside,
            outward,
            blob_scanner,
            build_mailing(services, pipeline, delivery, submitting, drive.service, quotas),
            drive.web,
        ),
        login_notices=notices,
        webhooks=webhooks,
        source_rounds=SourceRounds(services.sources, services.directory, services.clock),
    )


def _training(services: Services) -> Training | None:
    """What users do with their mail teaches the classifier."""
    settings = services.settings
    if not settings.spam.learn:
        return None
    take = partial(extract, hostname=settings.hostname)
    log = get_logger("spam")
    hearsay = Hearsay(services.reputation, services.clock)
    look = partial(witness, hostname=settings.hostname)

    async def hear(account: AccountId, label: Label, data: bytes) -> None:
        hearsay.say(account, label, await services.offload.process(look, data))

    follower = Follower(services.store, services.learned, services.offload, take, hear=hear)
    return Training(services.store, follower, services.clock, log)


def _report_builders(services: Services, https: HttpsClient) -> dict[Kind, Builder]:
    settings, resolver = services.settings, services.resolver
    offload, clock, log = services.offload, services.clock, get_logger("reports")
    return {
        Kind.DMARC: DmarcBuilder(settings, resolver, offload, clock),
        Kind.TLS: TlsBuilder(settings, resolver, https, offload, clock, log),
    }
