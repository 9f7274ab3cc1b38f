"""Makes one account of what its files and an old index say. Pure.

The index leads for a file that stands where the index has it, and for a row that the mirror had not
followed yet; elsewhere the file is the newer witness. UIDs are never given twice: further ones come
from above the folder's ceiling. A name that the index has without a message was expunged: it stays
without, for the mirror to remove.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from storage.folder_file import LETTERS, MODSEQ_LAG, FolderFile
from storage.importer.maildir import SPECIAL
from storage.maildir_names import BaseName, mailbox_name, parse_base, parse_letters
from storage.mirror_values import Place
from storage.names import INBOX, normal
from storage.repair_values import (
    FoundAccount,
    FoundFile,
    FoundFolder,
    Move,
    NewAccount,
    OldAccount,
    OldMessage,
)
from storage.state import Box
from storage.values import AccountId, BlobId, MailboxId


def merge(
    number: AccountId,
    found: FoundAccount,
    old: OldAccount,
    *,
    now: float,
    host: str,
    next_blob: Callable[[], BlobId],
) -> NewAccount:
    """The account as it shall be. `next_blob` gives ids for files whose names are not ours."""
    return _Merge(number, found, old, now, host, next_blob).run()


@dataclass(slots=True)
class _Merge:
    number: AccountId
    found: FoundAccount
    old: OldAccount
    now: float
    host: str
    next_blob: Callable[[], BlobId]
    new: NewAccount = field(init=False)
    changed_at: int = field(init=False)
    standing: dict[BlobId, Place] = field(default_factory=dict)

    def run(self) -> NewAccount:
        old, files = self.old, self.found.file
        ids = [folder.file.mailbox for folder in self.found.folders if folder.file]
        seqs = [folder.file.modseq for folder in self.found.folders if folder.file]
        top = max([old.modseq, files.modseq, *seqs])
        self.changed_at = max(top + MODSEQ_LAG + 1, int(self.now * 1_000_000))
        self.new = NewAccount(
            self.number,
            old.modseq,
            old.floor,
            max([old.last_mailbox, *ids, *old.boxes, *old.paths]),
            max(old.uidvalidity, files.uidvalidity),
        )
        folders = list(self._identify())
        for folder, box in folders:
            self._take_files(folder, box)
        self._keep_unfiled()
        self._finish()
        return self.new

    def _identify(self) -> Iterator[tuple[FoundFolder, Box]]:
        """A mailbox for each folder, those that the old index knows first."""
        taken: set[MailboxId] = set()
        by_path = {path: box for box, path in self.old.paths.items()}
        for folder in self.found.folders:
            number = folder.file.mailbox if folder.file else by_path.get(folder.path)
            if number is None or number in taken:
                self.new.last_mailbox += 1
                number = MailboxId(self.new.last_mailbox)
            taken.add(number)
            if self._is_dying(number, folder):
                self.new.paths[number] = folder.path
                self._note_places(folder, number)
                continue
            box = self._box(number, folder)
            self.new.boxes[number] = box
            self.new.paths[number] = folder.path
            yield folder, box
        if not any(box.name == INBOX for box in self.new.boxes.values()):
            self._make_inbox()

    def _is_dying(self, number: MailboxId, folder: FoundFolder) -> bool:
        """The index deleted the mailbox, and its folder waits for the mirror."""
        old = self.old
        box = old.boxes.get(number)
        gone = box is None or not box.selectable
        return old.whole and gone and old.paths.get(number) == folder.path and folder.path != ""

    def _note_places(self, folder: FoundFolder, number: MailboxId) -> None:
        """Names in a folder that goes: its messages may have been moved elsewhere by the index."""
        for file in folder.files:
            if file.base is not None:
                place = Place(file.base.blob, number, file.base.uid, file.path)
                self.new.places.append(place)
                self.standing.setdefault(place.blob, place)

    def _box(self, number: MailboxId, folder: FoundFolder) -> Box:
        known, file = self.old.boxes.get(number), folder.file
        name = self._name(number, folder)
        if known is not None:
            box = _copy(known, name, folder.path)
            box.selectable = True
            if name != known.name:
                self._change(box)
        else:
            box = self._fresh_box(number, name, folder.path, file)
        if file is not None and file.uid_ceiling > box.uid_ceiling:
            # Leased after this index was written, or in an index that is lost.
            box.uidnext = max(box.uidnext, file.uid_ceiling + 1)
            box.uid_ceiling = file.uid_ceiling
        return box

    def _name(self, number: MailboxId, folder: FoundFolder) -> str:
        """The index knows a rename that the mirror had not followed; else the folder says."""
        known = self.old.boxes.get(number)
        if known is not None and self.old.paths.get(number) == folder.path:
            name = known.name
        else:
            name = normal(mailbox_name(folder.path))
        taken = {box.name for box in self.new.boxes.values()}
        spare, count = name, 1
        while spare in taken:
            spare, count = f"{name} ({count})", count + 1
        return spare

    def _fresh_box(self, number: MailboxId, name: str, path: str, file: FolderFile | None) -> Box:
        uses = {box.special_use for box in self.new.boxes.values()}
        use = file.special_use if file else SPECIAL.get(name.lower(), "")
        subscribed = file.subscribed if file else True
        box = Box(
            self.number,
            number,
            name,
            self._uidvalidity(file),
            1,
            0,
            file.modseq if file else 0,
            *(0, 0, 0, 0),
            "" if use in uses else use,
            subscribed,
            True,
            path,
        )
        self._change(box)
        return box

    def _uidvalidity(self, file: FolderFile | None) -> int:
        if file is not None and file.uidvalidity:
            self.new.uidvalidity = max(self.new.uidvalidity, file.uidvalidity)
            return file.uidvalidity
        self.new.uidvalidity = max(self.new.uidvalidity + 1, int(self.now))
        return self.new.uidvalidity

    def _make_inbox(self) -> None:
        known = [box for box in self.old.boxes.values() if box.name == INBOX]
        if known:
            box = _copy(known[0], INBOX, "")
        else:
            self.new.last_mailbox += 1
            box = self._fresh_box(MailboxId(self.new.last_mailbox), INBOX, "", None)
        self.new.boxes[box.id] = box
        self.new.paths[box.id] = ""

    def _take_files(self, folder: FoundFolder, box: Box) -> None:
        messages = self.new.messages.setdefault(box.id, {})
        letters = dict(zip(LETTERS, folder.file.letters, strict=False)) if folder.file else {}
        extra = folder.file.extra if folder.file else {}
        later: list[FoundFile] = []
        for file in self._without_doubles(folder, box):
            uid = file.base.uid if file.base else 0
            if file.base is None or not uid:
                later.append(file)
                continue
            place = Place(file.base.blob, box.id, uid, file.path)
            self.new.places.append(place)
            self.standing[place.blob] = place
            self._note_path(place)
            row = self._row(place, box, letters, extra.get(uid, ()), float(file.base.seconds))
            if row is not None:
                messages[uid] = row
            box.uidnext = max(box.uidnext, uid + 1)
        for file in sorted(later, key=lambda file: (file.mtime, file.path)):
            self._adopt(folder, box, file, letters)

    def _without_doubles(self, folder: FoundFolder, box: Box) -> Iterator[FoundFile]:
        """One name a message; of two messages with one UID the second comes as if foreign."""
        best: dict[int, FoundFile] = {}
        for file in sorted(folder.files, key=lambda file: self._rank(file, box)):
            if file.base is None or (first := best.setdefault(file.base.uid, file)) is file:
                yield file
            elif first.base is not None and first.base.blob == file.base.blob:
                self.new.doubles.append(_below(folder.path, file.path))
            else:
                yield file._replace(base=None)

    def _rank(self, file: FoundFile, box: Box) -> tuple[bool, bool, bool, str]:
        """The name that the index has first, then its blob, then cur/ before new/."""
        place = self.old.places.get((box.id, file.base.uid)) if file.base else None
        return (
            place is None or place.path != file.path,
            place is None or file.base is None or place.blob != file.base.blob,
            file.path.startswith("new/"),
            file.path,
        )

    def _note_path(self, place: Place) -> None:
        if self.old.places.get((place.mailbox, place.uid)) != place:
            self.new.changed = True

    def _row(
        self,
        place: Place,
        box: Box,
        letters: dict[str, str],
        extra: tuple[str, ...],
        internaldate: float,
    ) -> OldMessage | None:
        row = self.old.messages.get(box.id, {}).get(place.uid)
        known = self.old.places.get((box.id, place.uid))
        if row is not None and row.blob == place.blob:
            if known == place or row.modseq > self.old.watermark:
                return row
            system, words = _flags(place.path, letters, extra)
            if (system, words) == (row.flags, row.words):
                return row
            return row._replace(flags=system, words=words, modseq=self._change(box))
        if known is not None and known.blob == place.blob and self.old.whole and row is None:
            return None
        self.new.added += 1
        system, words = _flags(place.path, letters, extra)
        modseq = self._change(box)
        return OldMessage(modseq, system, words, internaldate, None, place.blob, None)

    def _adopt(
        self, folder: FoundFolder, box: Box, file: FoundFile, letters: dict[str, str]
    ) -> None:
        """A file whose name is not ours, or whose UID is another's, gets a name above all UIDs."""
        own = parse_base(file.path.partition("/")[2])
        uid = max(box.uidnext, box.uid_ceiling + 1)
        blob = own.blob if own is not None else self.next_blob()
        seconds = own.seconds if own is not None else int(file.mtime)
        base = BaseName(seconds, blob, self.host, file.size, uid)
        part, _, name = file.path.partition("/")
        flags = name.rpartition(":2,")[2] if ":2," in name else ""
        place = Place(
            blob, box.id, uid, f"{part}/{base}" + (f":2,{flags}" if part == "cur" else "")
        )
        self.new.moves.append(Move(folder.path, file.path, place.path))
        self.new.places.append(place)
        self.standing[blob] = place
        system, words = _flags(file.path, letters, ())
        modseq, date = self._change(box), float(seconds)
        row = OldMessage(modseq, system, words, date, None, blob, None)
        self.new.messages[box.id][uid] = row
        self.new.added += 1
        box.uidnext = uid + 1

    def _keep_unfiled(self) -> None:
        """Mailboxes without a folder, and messages whose own name the mirror had not made."""
        for number, known in self.old.boxes.items():
            if number not in self.new.boxes and number not in self.new.paths:
                pending = number not in self.old.paths or not known.selectable
                if pending and known.name not in {box.name for box in self.new.boxes.values()}:
                    self.new.boxes[number] = _copy(known, known.name, "")
                else:
                    self.new.changed = True
        for number, rows in self.old.messages.items():
            for uid, row in rows.items():
                if number in self.new.boxes and uid not in self.new.messages.get(number, {}):
                    self._keep_row(number, uid, row)

    def _keep_row(self, number: MailboxId, uid: int, row: OldMessage) -> None:
        pending = (number, uid) not in self.old.places or row.modseq > self.old.watermark
        if pending and row.blob in self.standing:
            self.new.messages.setdefault(number, {})[uid] = row
            box = self.new.boxes[number]
            box.uidnext = max(box.uidnext, uid + 1)
        else:
            self.new.lost += row.blob not in self.standing
            self._change(self.new.boxes[number])

    def _finish(self) -> None:
        files, old, new = self.found.file, self.old, self.new
        names = {box.name for box in new.boxes.values()}
        subscriptions = old.subscriptions if old.exists else frozenset(files.subscriptions)
        new.subscriptions = frozenset(subscriptions - names)
        if not old.exists or not old.whole or new.moves or new.doubles:
            new.changed = True
        if new.changed:
            new.modseq = new.floor = self.changed_at
        for box in new.boxes.values():
            box.highestmodseq = min(box.highestmodseq, new.modseq)

    def _change(self, box: Box) -> int:
        self.new.changed = True
        box.highestmodseq = self.changed_at
        return self.changed_at


def _copy(box: Box, name: str, path: str) -> Box:
    return replace(box, name=name, folder=path)


def _flags(
    path: str, letters: dict[str, str], extra: tuple[str, ...]
) -> tuple[int, frozenset[str]]:
    system, marks = parse_letters(path)
    return int(system), frozenset([letters[mark] for mark in marks if mark in letters] + [*extra])


def _below(folder: str, path: str) -> str:
    return f"{folder}/{path}" if folder else path
