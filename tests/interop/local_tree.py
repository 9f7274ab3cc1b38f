"""A local tree of Maildirs, as a program that syncs IMAP keeps it."""

import mailbox
from pathlib import Path


class LocalTree:
    """`folder` holds a Maildir a mailbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def box(self, name: str = "INBOX") -> mailbox.Maildir:
        return mailbox.Maildir(self.folder / name, create=False)

    def flags(self, name: str = "INBOX") -> dict[str, str]:
        """Maildir flags by subject."""
        return {str(message["Subject"]): message.get_flags() for message in self.box(name)}

    def change(self, title: str, flags: str) -> None:
        """Sets the Maildir flags of the INBOX message with that subject."""
        box = self.box()
        for key, message in box.items():
            if message["Subject"] == title:
                message.set_flags(flags)
                message.set_subdir("cur")
                box[key] = message

    def remove(self, title: str) -> None:
        """Deletes the INBOX message with that subject."""
        box = self.box()
        for key, message in box.items():
            if message["Subject"] == title:
                del box[key]

    def add(self, message: bytes, name: str = "INBOX") -> None:
        self.box(name).add(message.replace(b"\r\n", b"\n"))
