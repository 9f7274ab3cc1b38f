"""Builds the drive: its service, its gate, and what tells owners of infected files."""

from collections.abc import Callable
from dataclasses import dataclass

from config.logging import get_logger
from config.reach import reach_of
from filters.blob_scanning import BlobScanner
from filters.code_mail import CodeMails
from filters.drive.contents import Contents
from filters.drive.detaching import Detacher
from filters.drive.following import Following
from filters.drive.gate import Gate
from filters.drive.listing import Listing
from filters.drive.local import LocalDrive
from filters.drive.parts import Parts
from filters.drive.service import DriveService
from filters.drive.tidying import DriveTidier
from filters.virus_scanner import VirusScanner
from mailserver.services import Services
from storage.attachments import Attachments
from storage.directory import Directory
from storage.values import AccountId
from web.drive.endpoints import DriveWeb
from web.drive.streams import Streams


@dataclass(frozen=True, slots=True)
class Drive:
    """`start` the tidier, `stop` it, `close` the gate in the end."""

    web: DriveWeb
    gate: Gate
    tidier: DriveTidier
    detacher: Detacher

    @property
    def service(self) -> DriveService:
        return self.web.service

    @property
    def base(self) -> Callable[[], str]:
        """Scheme and authority of links in mail."""
        return self.web.base


def build_drive(
    services: Services, scanner: VirusScanner, blob_scanner: BlobScanner, mails: CodeMails
) -> Drive:
    """Of a serving process."""
    directory, offload, rows = services.directory, services.offload, services.drive
    gate, parts = Gate(scanner, get_logger("virus")), _parts(services)
    contents = Contents(
        rows.items,
        services.blobs,
        parts,
        gate,
        blob_scanner,
        _Teller(directory, mails).tell,
        get_logger("drive"),
    )
    blob_scanner.on_found = contents.found
    service = LocalDrive(
        services.store,
        rows.items,
        rows.links,
        rows.reads,
        rows.keys,
        contents,
        Listing(rows.items, parts, lambda: scanner.on),
        Following(rows.links, rows.keys, contents, offload, services.clock),
        lambda: services.settings.drive,
        services.auth.hash_password,
        services.clock,
    )
    tidier = DriveTidier(rows, services.store, services.clock, get_logger("drive"))

    def base() -> str:
        bound = services.server.addresses if services.server is not None else None
        settings = services.settings
        return settings.drive.url or reach_of(settings, bound).origin

    web = DriveWeb(service, Streams(), lambda: services.settings.drive.max_size, base)
    detacher = Detacher(
        service,
        directory.preferences,
        lambda: services.settings.drive,
        base,
        offload,
        services.clock,
        get_logger("drive"),
    )
    return Drive(web, gate, tidier, detacher)


def listing_of(services: Services) -> Listing:
    """What an account has, without a serving process too."""
    settings = services.settings
    return Listing(services.drive.items, _parts(services), lambda: bool(settings.virus.clamd))


def _parts(services: Services) -> Parts:
    attachments = Attachments(services.store)
    return Parts(attachments, services.drive.parts, services.directory, services.offload)


@dataclass(frozen=True, slots=True)
class _Teller:
    """By mail, in plain words."""

    directory: Directory
    mails: CodeMails

    async def tell(self, account: AccountId, name: str, finding: str) -> None:
        owner = await self.directory.account_by_id(account)
        if owner is None:
            return
        text = (
            f"A virus was found in one of your files: {name}\n"
            f"What the scanner calls it: {finding}\n\n"
            "It is not given out any more, neither to you nor by links. If it came with a mail,\n"
            "do not open it there either: delete the mail. If it is your own file, look after\n"
            "the computer that it is from.\n"
        )
        await self.mails.send(owner.address, "A virus was found in one of your files", text)
