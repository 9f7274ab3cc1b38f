"""The IMAP commands as values: one frozen class a command, each with the tag it came with. Here is
their union; the classes stand in the modules that it names.

Mailbox names are decoded strings with INBOX in upper case; flags are canonical (values.py). Whether
a command is legal in the session's state, and whether a mailbox or message exists, is not asked
here. `uid` says that the command came with the UID prefix, and so what its numbers mean.
"""

from typing import TypeAlias

from imap.grammar.acl import AclCommand
from imap.grammar.append_commands import Append, Replace
from imap.grammar.gmail import StoreLabels
from imap.grammar.mailbox_commands import (
    Create,
    Delete,
    List,
    Lsub,
    Namespace,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
    Xlist,
)
from imap.grammar.message_commands import (
    Check,
    Close,
    Copy,
    Expunge,
    Fetch,
    Idle,
    Move,
    Notify,
    Search,
    Store,
    Unselect,
)
from imap.grammar.metadata import MetadataCommand
from imap.grammar.quota import QuotaCommand
from imap.grammar.search_commands import CancelUpdate, Esearch, Sort, Thread
from imap.grammar.session_commands import (
    Authenticate,
    Capability,
    Compress,
    Enable,
    GetJmapAccess,
    Id,
    Login,
    Logout,
    Noop,
    StartTls,
    Unauthenticate,
)

Command: TypeAlias = (
    Capability
    | Noop
    | Logout
    | StartTls
    | Compress
    | Authenticate
    | Login
    | Unauthenticate
    | GetJmapAccess
    | Enable
    | Id
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Lsub
    | Xlist
    | Namespace
    | Status
    | Append
    | Replace
    | Idle
    | Notify
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | Sort
    | Thread
    | Esearch
    | CancelUpdate
    | Fetch
    | Store
    | Copy
    | Move
    | QuotaCommand
    | StoreLabels
    | MetadataCommand
    | AclCommand
)
