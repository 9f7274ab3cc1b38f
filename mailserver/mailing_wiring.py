"""Builds what mail that is sent by HTTP goes through."""

from dataclasses import dataclass

from config.logging import get_logger
from filters.delivery import Delivery
from filters.drive.service import DriveService
from filters.mailing.email_service import EmailService
from filters.mailing.handling import Handling
from filters.mailing.loading import Loader
from filters.mailing.local import LocalEmailService
from filters.mailing.posting import Posting
from filters.mailing.recipients import Recipients
from filters.mailing.submitter import Submitter
from filters.mailing.values import Grammar
from filters.pipeline import Pipeline
from filters.quota import Quotas
from filters.submitting import Submitting
from mailserver.services import Services
from smtp.wishing import EnvelopeReader


@dataclass(frozen=True, slots=True)
class Mailing:
    """For JMAP and REST alike."""

    submitter: Submitter
    grammar: Grammar
    loader: Loader
    emails: EmailService


def build_mailing(
    services: Services,
    pipeline: Pipeline,
    delivery: Delivery,
    submitting: Submitting,
    drive: DriveService,
    quotas: Quotas,
) -> Mailing:
    """`submitting` and `quotas` are those of SMTP: they count what goes by any protocol."""
    submitter = Submitter(
        lambda: services.settings,
        pipeline,
        delivery,
        submitting,
        services.directory,
        Recipients(services.directory, quotas),
        services.clock,
        services.offload,
        get_logger("submission"),
    )
    grammar = EnvelopeReader(lambda: services.settings, services.clock)
    store, directory = services.store, services.directory
    clock, offload = services.clock, services.offload
    loader = Loader(store, offload)
    posting = Posting(
        *(lambda: services.settings, store, directory, services.blobs, drive),
        *(submitter, loader, clock, offload, get_logger("submission")),
    )
    emails = LocalEmailService(store, posting, Handling(store, directory), clock, offload)
    return Mailing(submitter, grammar, loader, emails)
