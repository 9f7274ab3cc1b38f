"""The fixed replies of the server, each with its enhanced status code (RFC 3463, RFC 5248).

What depends on settings or on a peer is built where it is sent.
"""

from smtp.grammar.reply import Reply, reply

OK = reply(250, "2.0.0", "Ok")
SENDER_OK = reply(250, "2.1.0", "Sender ok")
RECIPIENT_OK = reply(250, "2.1.5", "Recipient ok")
START_DATA = reply(354, "", "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
NEEDS_STRING = reply(501, "5.5.4", "Syntax: VRFY address")
VERIFY_LATER = reply(252, "2.5.2", "Cannot verify the user, but will take mail and try")
AUTHENTICATED = reply(235, "2.7.0", "Authentication successful")

NOT_IMPLEMENTED = reply(502, "5.5.1", "Command not implemented")
UNKNOWN_COMMAND = reply(500, "5.5.2", "Command not recognised")
BAD_LINE = reply(500, "5.5.2", "Bad syntax: a command is one line without NUL, ended by CRLF")
LINE_TOO_LONG = reply(500, "5.5.6", "Line too long")
NO_ARGUMENT = reply(501, "5.5.4", "This command takes no argument")
NEEDS_DOMAIN = reply(501, "5.5.4", "Syntax: EHLO domain")
HELO_FIRST = reply(503, "5.5.1", "Send EHLO first")
MAIL_FIRST = reply(503, "5.5.1", "Send MAIL first")
RCPT_FIRST = reply(503, "5.5.1", "No valid recipients")
NESTED_MAIL = reply(503, "5.5.1", "Sender already given")
DATA_AFTER_BDAT = reply(503, "5.5.1", "DATA cannot follow BDAT")
BINARY_NEEDS_BDAT = reply(503, "5.5.1", "BODY=BINARYMIME needs BDAT")
BINARY_OUTSIDE = reply(554, "5.6.1", "Binary data outside of a part that is said to be binary")
BDAT_BEGUN = reply(503, "5.5.1", "Message data has begun: BDAT, RSET or QUIT")
TOO_MUCH_REFUSED = reply(421, "4.7.0", "Too much refused message data, closing connection")
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors, closing connection")

TLS_ACTIVE = reply(503, "5.5.1", "TLS is already active")
TLS_UNAVAILABLE = reply(454, "4.7.0", "TLS not available")
AUTH_NEEDED = reply(530, "5.7.0", "Authentication required")
TLS_NEEDED = reply(530, "5.7.0", "Must issue a STARTTLS command first")
AUTH_NEEDS_TLS = reply(538, "5.7.11", "Encryption required for authentication")
AUTH_LATER = reply(454, "4.7.0", "Temporary authentication failure")
ALREADY_AUTHENTICATED = reply(503, "5.5.1", "Already authenticated")
AUTH_IN_TRANSACTION = reply(503, "5.5.1", "AUTH is not permitted during a mail transaction")
UNKNOWN_MECHANISM = reply(504, "5.5.4", "Unknown authentication mechanism")
AUTH_SYNTAX = reply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")

TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients")
NO_RELAY = reply(550, "5.7.1", "Relaying denied")
NOBODY_LEFT = reply(550, "5.7.1", "No recipient left after filtering")
SERVED = reply(250, "2.0.0", "Ok")
NO_SUCH_USER = reply(550, "5.1.1", "No such user here")
DISABLED_USER = reply(550, "5.2.1", "Mailbox disabled, not accepting messages")
NEEDS_ENCRYPTION = reply(550, "5.7.10", "Encryption needed: use STARTTLS for this recipient")
GUESSING = reply(450, "4.7.1", "Too many unknown recipients from your address, try again later")
EARLY_TALKER = reply(554, "5.5.1", "You spoke before the greeting")
REPORTS_ONLY = reply(550, "5.7.1", "This address takes reports of delivery only")
OVER_QUOTA = reply(452, "4.2.2", "Mailbox full")
HELD_TOO_LONG = reply(501, "5.5.4", "Cannot be held for as long as that, see FUTURERELEASE")
NOT_YOURS = reply(553, "5.7.1", "Sender address is not one of yours")
NEEDS_SMTPUTF8 = reply(553, "5.6.7", "Non-ASCII address needs the SMTPUTF8 parameter")

TOO_BIG = reply(552, "5.3.4", "Message too big for system")
BARE_LINE_END = reply(550, "5.6.0", "Bare CR or LF in message: lines must end in CRLF")
NUL_IN_MESSAGE = reply(550, "5.6.0", "NUL in message")
LOCAL_ERROR = reply(451, "4.3.0", "Local error in processing, try again later")
STORAGE_FULL = reply(452, "4.3.1", "Insufficient system storage, try again later")
OVERLOADED = reply(452, "4.3.1", "Server is short of memory, try again later")
BAD_BDAT = reply(501, "5.5.4", "Syntax: BDAT size [LAST]")

SERVER_BUSY = reply(421, "4.3.2", "Too many connections, try again later")


def shutting_down(hostname: str) -> Reply:
    """Sent to idle connections when the server stops."""
    return reply(421, "4.3.2", f"{hostname} is shutting down")


def timed_out(hostname: str, what: str, seconds: float) -> Reply:
    """Says what was waited for and how long (RFC 5321 §3.8)."""
    return reply(421, "4.4.2", f"{hostname} closing connection: {what} within {seconds:g} seconds")


def priority_changed(priority: int) -> Reply:
    """RFC 6710 §5.1: the priority that it has instead comes first."""
    return reply(250, "2.3.6", f"{priority} is the highest priority of users, sender ok")


def chunk_taken(octets: int) -> Reply:
    """The answer to a chunk that is not the last (RFC 3030 §4.2)."""
    return reply(250, "2.0.0", f"{octets} octets received")
