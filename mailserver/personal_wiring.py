"""Builds what accounts do with their mail: scripts, their own view of spam, and what follows."""

from collections.abc import Callable
from functools import partial

from config.logging import get_logger
from filters.autotags.choosing import Reader
from filters.autotags.trainer import Trainer
from filters.delivery import Delivery
from filters.recipients.answers import Answers
from filters.recipients.away import Away
from filters.recipients.compiled import Compiled
from filters.recipients.deciding import Deciding, Personal
from filters.recipients.following import Following
from filters.recipients.imap_actions import ImapActions
from filters.recipients.imap_events import ImapEvents
from filters.recipients.junk import Classifier, PersonalJunk
from filters.recipients.scripts import Scripting
from filters.spam.extract import extract
from filters.spam.rescan import Rescanner, RescanTask
from mailserver.services import Services
from storage.contact_collecting import ContactCollector
from storage.contact_exchange import ContactExchange
from storage.contact_service import ContactService
from storage.duplicates import Duplicates
from storage.metadata import Metadata


def build_personal(
    services: Services,
    metadata: Metadata,
    scans: Callable[[], bool],
    *,
    learned: Classifier | None,
) -> Personal:
    """`scans` tells whether viruses are looked for."""
    directory, store, clock = services.directory, services.store, services.clock
    offload, log = services.offload, get_logger("scripts")
    duplicates = Duplicates(services.history, clock)
    scripting = build_scripting(services, metadata, duplicates, scans)
    hostname = services.settings.hostname
    junk = PersonalJunk(services.settings, directory, learned)
    away = Away(directory, scripting, clock)
    deciding = Deciding(
        *(directory, store, scripting, junk, services.auto_tags, away, offload, log)
    )
    following = Following(directory, store, duplicates, clock, hostname, log, deciding.place)
    return Personal(deciding, following, scripting, junk)


def build_scripting(
    services: Services, metadata: Metadata, duplicates: Duplicates, scans: Callable[[], bool]
) -> Scripting:
    """What runs scripts."""
    directory, store, offload = services.directory, services.store, services.offload
    compiled = Compiled(offload)
    answers = Answers(directory, store, metadata, duplicates, compiled)
    hostname, log = services.settings.hostname, get_logger("scripts")
    return Scripting(
        *(hostname, directory, store, answers, compiled, offload, services.clock, log, scans)
    )


def build_imap_events(
    services: Services, metadata: Metadata, personal: Personal, delivery: Delivery
) -> ImapEvents:
    """Scripts that run on what clients do."""
    log = get_logger("scripts")
    actions = ImapActions(
        services.directory,
        services.store,
        personal,
        delivery,
        services.settings.hostname,
        services.clock,
        log,
    )
    return ImapEvents(metadata, actions, log)


def build_trainer(services: Services) -> Trainer:
    """Learns tags, not started."""
    take = partial(extract, hostname=services.settings.hostname)
    reader = Reader(services.store, services.offload, take)
    return Trainer(
        services.directory,
        services.store,
        services.auto_tags,
        reader,
        services.offload,
        services.clock,
        get_logger("tags"),
    )


def build_rescan(services: Services) -> RescanTask:
    """Looks at recent mail again, not started."""
    rescanner = Rescanner(
        lambda: services.settings,
        services.store,
        services.learned if services.settings.spam.learn else None,
        services.auto_tags,
        services.directory.contacts,
        services.offload,
        services.clock,
    )
    return RescanTask(rescanner, services.settings, services.store, get_logger("rescan"))


def build_contact_collector(services: Services) -> ContactCollector:
    """Makes contacts of whom accounts write to, not started."""
    directory, offload = services.directory, services.offload
    exchange = ContactExchange(ContactService(directory.contacts, offload), offload)
    return ContactCollector(directory, exchange, get_logger("contacts"))
