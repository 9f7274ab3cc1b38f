"""Builds what mail that is sent by HTTP goes through."""

from dataclasses import dataclass

from config.logging import get_logger
from filters.delivery import Delivery
from filters.mailing.loading import Loader
from filters.mailing.submitter import Submitter
from filters.mailing.values import Grammar
from filters.pipeline import Pipeline
from filters.submitting import Submitting
from mailserver.services import Services
from smtp.wishing import EnvelopeReader


@dataclass(frozen=True, slots=True)
class Mailing:
    """For JMAP and REST alike."""

    submitter: Submitter
    grammar: Grammar
    loader: Loader


def build_mailing(
    services: Services, pipeline: Pipeline, delivery: Delivery, submitting: Submitting
) -> Mailing:
    """`submitting` is that of SMTP: it counts what an account sends by any protocol."""
    submitter = Submitter(
        lambda: services.settings,
        pipeline,
        delivery,
        submitting,
        services.directory,
        services.clock,
        services.offload,
        get_logger("submission"),
    )
    grammar = EnvelopeReader(lambda: services.settings, services.clock)
    return Mailing(submitter, grammar, Loader(services.store, services.offload))
