"""The symbols of the spam filter: each with its weight, its group and what it says. Pure data.

Names are rspamd's where it has one for the same thing. A weight is what a symbol adds to the score
when `[spam.weights]` says nothing else; 0 is for what is only told. docs/spam.md lists the table.
"""

from dataclasses import dataclass
from enum import Enum


class Group(Enum):
    """What a symbol is about; the value is its heading."""

    AUTHENTICATION = "Authentication"
    PEER = "The peer"
    ADDRESSES = "Addresses"
    HEADER = "Header"
    SUBJECT = "Subject"
    MIME = "MIME"
    ATTACHMENTS = "Attachments"
    TEXT = "Text and HTML"
    LINKS = "Links"
    BULK = "Bulk and lists"
    LEARNED = "What was learned"


@dataclass(frozen=True, slots=True)
class Symbol:
    """`description` is one sentence for an administrator."""

    name: str
    weight: float
    group: Group
    description: str


_TABLE: dict[Group, tuple[tuple[str, float, str], ...]] = {
    Group.AUTHENTICATION: (
        ("R_SPF_ALLOW", -0.2, "SPF allows the peer to send for the sender's domain."),
        ("R_SPF_FAIL", 1.0, "SPF says that the peer may not send for the sender's domain."),
        ("R_SPF_SOFTFAIL", 0.3, "SPF says that the peer probably may not send for it."),
        ("R_SPF_NEUTRAL", 0.0, "SPF of the sender's domain says nothing about the peer."),
        ("R_SPF_NA", 0.0, "The sender's domain has no SPF record."),
        ("R_SPF_DNSFAIL", 0.0, "SPF could not be looked up."),
        ("R_SPF_PERMFAIL", 0.0, "The SPF record is broken."),
        ("R_DKIM_ALLOW", -0.2, "A DKIM signature is good."),
        ("R_DKIM_REJECT", 0.8, "A DKIM signature does not fit the message."),
        ("R_DKIM_TEMPFAIL", 0.0, "The key of a DKIM signature could not be looked up."),
        ("R_DKIM_PERMFAIL", 0.0, "A DKIM signature or its key is broken."),
        ("R_DKIM_NA", 0.0, "There is no DKIM signature."),
        ("DMARC_POLICY_ALLOW", -0.5, "The author's domain is proved by SPF or DKIM."),
        ("DMARC_POLICY_SOFTFAIL", 0.3, "The author's domain is not proved and asks for nothing."),
        ("DMARC_POLICY_QUARANTINE", 1.5, "It is not proved and asks for quarantine."),
        ("DMARC_POLICY_REJECT", 2.0, "It is not proved and asks for refusal."),
        ("DMARC_NA", 0.0, "The author's domain has no DMARC record."),
        ("DMARC_BAD_POLICY", 0.2, "The DMARC record is broken."),
        ("DMARC_DNSFAIL", 0.0, "DMARC could not be looked up."),
        ("DMARC_SEVERAL_FROM", 3.0, "From names several domains, so that none can be proved."),
        ("ARC_ALLOW", -0.5, "The chain of ARC seals is good."),
        ("ARC_REJECT", 0.5, "The chain of ARC seals is broken."),
        ("ARC_NA", 0.0, "There are no ARC seals."),
        ("ARC_DNSFAIL", 0.0, "A key of the ARC seals could not be looked up."),
        ("AUTH_NA", 1.0, "Neither SPF nor DKIM, DMARC or ARC proves anything."),
    ),
    Group.PEER: (
        ("RDNS_NONE", 1.5, "The peer's address has no name."),
        ("RDNS_MISMATCH", 0.8, "The peer's name does not lead back to its address."),
        ("RDNS_DNSFAIL", 0.0, "The peer's name could not be looked up."),
        ("HELO_OURS", 3.0, "The peer greets with our name or address."),
        ("HELO_SYNTAX", 2.0, "The name in HELO is no host name."),
        ("HELO_UNQUALIFIED", 1.5, "The name in HELO has no domain."),
        ("HELO_LITERAL", 0.8, "HELO is the peer's address instead of a name."),
        ("HELO_FOREIGN_LITERAL", 3.0, "HELO is an address that is not the peer's."),
        ("HELO_BARE_ADDRESS", 2.5, "HELO is an address without brackets."),
        ("HFILTER_HELO_5", 2.5, "The name in HELO is one of a home connection."),
        ("HFILTER_HOSTNAME_5", 2.5, "The peer's name is one of a home connection."),
        ("HFILTER_HOSTNAME_2", 0.8, "The peer's name spells its address."),
        ("HFILTER_FROMHOST_NORES_A_OR_MX", 1.5, "No mail can be sent to the sender's domain."),
        ("HFILTER_RCPT_BOUNCEMOREONE", 1.5, "A bounce goes to more than one recipient."),
        ("EARLY_TALKER", 3.0, "The peer spoke before it was greeted."),
        ("DIRECT_TO_MX", 0.3, "A mail program of users delivers without their server."),
        ("ONCE_RECEIVED", 0.1, "No server before the peer has left a Received field."),
        ("ONCE_RECEIVED_STRICT", 1.5, "And the peer is at a home connection or has no name."),
    ),
    Group.ADDRESSES: (
        ("FROM_EQ_ENVFROM", 0.0, "From is the sender of the envelope."),
        ("FROM_NEQ_ENVFROM", 0.0, "From is not the sender of the envelope."),
        ("FORGED_SENDER", 0.3, "From and the sender of the envelope have different domains."),
        ("FORGED_RECIPIENTS", 0.5, "None of the recipients stands in To or Cc."),
        ("FROM_INVALID", 2.0, "From holds no address."),
        ("FROM_NEQ_DISPLAY_NAME", 3.0, "The name in From shows an address of another domain."),
        ("FROM_NAME_EXCESS_SPACE", 1.0, "The name in From holds runs of blanks."),
        ("FROM_NAME_HAS_TITLE", 0.5, "The name in From begins with a title."),
        ("FROM_DN_EQ_ADDR", 0.3, "The name in From is its address."),
        ("FROM_NEEDS_ENCODING", 1.0, "From holds raw octets beyond ASCII without SMTPUTF8."),
        ("FROM_EXCESS_BASE64", 1.0, "From is encoded in base64 without need."),
        ("SPOOF_DISPLAY_NAME", 4.0, "The name in From shows an address of the recipient's domain."),
        ("SPOOF_OWN_DOMAIN", 3.0, "From is in the recipient's domain and is not proved."),
        ("FROM_LOOKALIKE", 5.0, "The domain in From looks like another, well-known one."),
        ("FREEMAIL_FROM", 0.0, "From is at a provider where anybody gets an address."),
        ("FREEMAIL_ENVFROM", 0.0, "The sender of the envelope is at such a provider."),
        ("FREEMAIL_REPLYTO", 0.0, "Reply-To is at such a provider."),
        ("FREEMAIL_REPLYTO_NEQ_FROM", 2.0, "Reply-To is at another such provider than From."),
        ("FREEMAIL_REPLYTO_NEQ_FROM_DOM", 2.0, "Reply-To is at such a provider, From is not."),
        ("HAS_REPLYTO", 0.0, "There is a Reply-To field."),
        ("REPLYTO_EQ_FROM", 0.0, "Reply-To is the address of From."),
        ("REPLYTO_DOM_NEQ_FROM_DOM", 0.2, "Reply-To and From have different domains."),
        ("REPLYTO_EQ_TO_ADDR", 2.0, "Reply-To is the recipient, who did not write it."),
        ("REPLYTO_UNPARSEABLE", 1.0, "Reply-To holds no address."),
        ("TO_EQ_FROM", 0.3, "To and From are the same address."),
        ("MISSING_TO", 1.0, "There is neither To nor Cc."),
        ("UNDISC_RCPTS", 0.5, "To says only that the recipients are undisclosed."),
        ("RCPT_COUNT_GT_50", 0.8, "To and Cc hold more than 50 addresses."),
        ("ENVFROM_PRVS", 0.0, "The sender of the envelope carries a tag of BATV."),
        ("ENVFROM_VERP", 0.0, "The sender of the envelope carries the recipient (VERP)."),
        ("TAGGED_RCPT", 0.0, "A recipient is written with a tag."),
    ),
    Group.HEADER: (
        ("MISSING_DATE", 1.0, "There is no Date."),
        ("INVALID_DATE", 1.5, "Date names no moment."),
        ("DATE_IN_PAST", 1.0, "Date is more than a day before the arrival."),
        ("DATE_IN_FUTURE", 2.5, "Date is more than a day behind the arrival."),
        ("MISSING_MID", 2.0, "There is no Message-ID."),
        ("INVALID_MSGID", 1.5, "Message-ID has no form of one."),
        ("MID_RHS_NOT_FQDN", 0.3, "Message-ID ends in a name without domain."),
        ("MID_RHS_IP_LITERAL", 0.3, "Message-ID ends in an address literal."),
        ("MID_BARE_IP", 1.5, "Message-ID ends in a bare address."),
        ("MID_RHS_MATCH_TO", 1.0, "Message-ID ends in the recipient's domain, not in From's."),
        ("MID_CONTAINS_TO", 0.8, "Message-ID holds the recipient's address."),
        ("MISSING_FROM", 2.0, "There is no From."),
        ("MISSING_MIME_VERSION", 1.0, "There are MIME fields without MIME-Version."),
        ("MIME_HEADER_CTYPE_ONLY", 0.3, "Content-Type is the only MIME field."),
        ("MULTIPLE_FROM", 4.0, "There are several From fields."),
        ("MULTIPLE_UNIQUE_HEADERS", 3.0, "A field that may stand once stands several times."),
        ("BROKEN_HEADERS", 2.0, "The header holds lines that are no fields."),
        ("LONG_HEADER", 1.5, "The header is larger than 64 KiB."),
        ("R_BAD_HEADER_OCTETS", 1.0, "The header holds NUL or other control octets."),
        ("RCVD_ILLEGAL_CHARS", 1.0, "A Received field holds octets beyond ASCII."),
        ("RCVD_COUNT_MANY", 0.3, "There are more than 25 Received fields."),
        ("HEADER_RCONFIRM_MISMATCH", 1.5, "A receipt is asked for to an address outside From."),
        ("HAS_X_PRIO_ONE", 0.3, "The message calls itself most urgent."),
        ("PRIO_NO_MUA", 0.8, "It calls itself urgent and names no mail program."),
        ("SPAM_FLAG", 2.0, "A server before us took it for spam."),
        ("FAKE_REPLY", 1.0, "The subject says Re:, but nothing says what it answers."),
        ("HAS_X_PHP_SCRIPT", 0.5, "A PHP script on a web server sent it."),
        ("X_PHP_EVAL", 4.0, "A PHP script sent it that was put into a running one."),
    ),
    Group.SUBJECT: (
        ("MISSING_SUBJECT", 1.0, "There is no Subject."),
        ("EMPTY_SUBJECT", 0.5, "Subject is empty."),
        ("SUBJ_ALL_CAPS", 1.5, "Subject is written in capitals."),
        ("LONG_SUBJ", 1.0, "Subject has more than 200 characters."),
        ("SUBJECT_ENDS_EXCLAIM", 0.2, "Subject ends in an exclamation mark."),
        ("SUBJECT_MANY_MARKS", 0.8, "Subject holds three marks or more in a row."),
        ("SUBJECT_ENDS_SPACES", 0.5, "Subject ends in blanks."),
        ("SUBJECT_HAS_CURRENCY", 0.5, "Subject names an amount of money."),
        ("SUBJECT_RANDOM_TAIL", 1.5, "Subject ends in letters without sense behind blanks."),
        ("SUBJECT_NEEDS_ENCODING", 1.0, "Subject holds raw octets beyond ASCII without SMTPUTF8."),
        ("SUBJ_EXCESS_BASE64", 1.0, "Subject is encoded in base64 without need."),
        ("SUBJ_EXCESS_QP", 0.5, "Subject is encoded in quoted-printable without need."),
        ("URL_IN_SUBJECT", 1.0, "Subject holds a link or a domain."),
        ("SUBJECT_HAS_RCPT", 0.8, "Subject holds the recipient's address."),
        ("SUBJECT_MIXED_CHARSET", 3.0, "A word of Subject mixes look-alike letters of scripts."),
        ("SUBJECT_INVISIBLE", 2.0, "Subject holds characters that nobody sees."),
    ),
    Group.MIME: (
        ("MIME_HTML_ONLY", 0.5, "There is HTML and no plain text."),
        ("R_PARTS_DIFFER", 1.0, "The plain text and the HTML say different things."),
        ("MIME_MA_MISSING_TEXT", 0.8, "The alternatives lack plain text."),
        ("R_MISSING_CHARSET", 0.5, "Text beyond ASCII names no charset."),
        ("R_BAD_CTE_7BIT", 1.0, "Text beyond ASCII calls itself 7bit."),
        ("R_UNKNOWN_CHARSET", 1.0, "A charset is none that is known."),
        ("BROKEN_CONTENT_TYPE", 1.0, "A Content-Type can't be read."),
        ("CTYPE_MIXED_BOGUS", 0.5, "multipart/mixed holds nothing but one text."),
        ("MULTIPART_BROKEN", 1.5, "A multipart has no boundary, or its boundary never comes."),
        ("MIME_BASE64_TEXT_BOGUS", 1.0, "Plain ASCII text is encoded in base64."),
        ("MIME_TOO_DEEP", 3.0, "Parts are nested deeper than anybody reads."),
        ("MIME_MANY_PARTS", 1.5, "There are more than 100 parts."),
        ("TEXT_EMPTY", 1.0, "There is neither text nor attachment."),
        ("PREAMBLE_TEXT", 0.5, "Text hides in front of the first part."),
    ),
    Group.ATTACHMENTS: (
        ("HAS_ATTACHMENT", 0.0, "There is an attachment."),
        ("MIME_BAD_EXTENSION", 2.0, "An attachment's name has the ending of a program."),
        ("MIME_DOUBLE_BAD_EXTENSION", 4.0, "A program's name ends like a document's and its own."),
        ("MIME_BAD_ATTACHMENT", 3.0, "An attachment is a program that says to be something else."),
        ("MIME_TYPE_MISMATCH", 0.8, "An attachment's content is not of the type that it claims."),
        ("MIME_EXECUTABLE", 3.0, "An attachment is a program by its content."),
        ("MIME_ARCHIVE_IN_ARCHIVE", 2.0, "An archive holds an archive."),
        ("MIME_ENCRYPTED_ARCHIVE", 1.5, "An archive is locked with a password."),
        ("MIME_ARCHIVE_BAD_EXTENSION", 3.0, "An archive holds a program."),
        ("MIME_BAD_UNICODE", 4.0, "An attachment's name turns the direction of writing."),
        ("MIME_NAME_SPACES", 2.0, "An attachment's ending hides behind many blanks."),
        ("MIME_HTML_ATTACHMENT", 1.0, "An attachment is a page that a browser opens."),
        ("MIME_MACRO_DOCUMENT", 1.5, "An attachment is a document that may hold macros."),
        ("MIME_DISK_IMAGE", 2.5, "An attachment is the image of a disk."),
        ("MIME_ONE_ATTACHMENT_NO_TEXT", 1.0, "An attachment comes without a word."),
        ("SIGNED_PGP", -0.5, "The message is signed with OpenPGP; by whom was not looked at."),
        ("SIGNED_SMIME", -0.5, "The message is signed with S/MIME; by whom was not looked at."),
        ("ENCRYPTED_PGP", -0.5, "The message is encrypted with OpenPGP."),
    ),
    Group.TEXT: (
        ("R_MIXED_CHARSET", 2.5, "Words mix look-alike letters of different scripts."),
        ("ZERO_WIDTH_TEXT", 1.5, "Words are cut by characters that nobody sees."),
        ("ZERO_FONT", 0.8, "HTML holds text in letters without size."),
        ("MANY_INVISIBLE_PARTS", 1.5, "HTML hides much of its text."),
        ("R_WHITE_ON_WHITE", 1.5, "HTML holds text in the colour of its ground."),
        ("HTML_SHORT_LINK_IMG", 1.5, "Little text stands around a picture that is a link."),
        ("HTML_IMAGE_ONLY", 1.0, "HTML shows pictures and next to no text."),
        ("HIDDEN_IMAGE", 0.2, "A picture of one point tells the sender who reads."),
        ("HTML_FORM", 0.5, "HTML holds a form."),
        ("HTML_FORM_PASSWORD", 3.0, "HTML asks for a password."),
        ("HTML_SCRIPT", 0.8, "HTML holds a script."),
        ("HTML_META_REFRESH", 3.0, "HTML leads elsewhere as soon as it is opened."),
        ("HTML_OBFUSCATED", 0.5, "HTML spells plain letters as numbers."),
        ("HTML_COMMENTS_IN_WORDS", 2.0, "Comments cut words of HTML."),
        ("TEXT_ALL_CAPS", 0.8, "Most of the text is written in capitals."),
        ("GTUBE", 50.0, "The text holds the line that tests of spam filters use."),
        ("LEAKED_PASSWORD_SCAM", 4.0, "It threatens and asks for cryptocurrency."),
        ("BITCOIN_ADDR", 0.3, "The text holds an address of a cryptocurrency."),
        ("ADVANCE_FEE", 2.5, "It promises a sum in millions in the words of such letters."),
        ("CREDENTIAL_LURE", 1.5, "It says that an account ends unless a link is followed."),
        ("UNSUBSCRIBE_TEXT", 0.2, "The text tells how to get off a list, no field does."),
    ),
    Group.LINKS: (
        ("PHISHING", 3.0, "The text of a link shows another domain than it leads to."),
        ("PHISHING_BRAND", 2.5, "It names a firm in From or a link and leads elsewhere."),
        ("URL_HOMOGRAPH_ATTACK", 4.0, "A domain mixes look-alike letters of scripts."),
        ("URL_LOOKALIKE", 3.0, "A domain looks like another, well-known one."),
        ("URL_PUNYCODE", 0.5, "A domain is written in punycode."),
        ("URL_NUMERIC_IP", 2.0, "A link leads to an address instead of a name."),
        ("URL_NUMERIC_OBFUSCATED", 4.0, "A link hides an address in another notation."),
        ("URL_USER_PASSWORD", 2.0, "A link holds a user's name in front of its host."),
        ("URL_SHORTENER", 0.8, "A link leads through a service that shortens links."),
        ("URL_ODD_PORT", 1.0, "A link names an unusual port."),
        ("URL_EXCESSIVE_DOTS", 1.5, "A link's host has many labels."),
        ("URL_VERY_LONG", 0.5, "A link is longer than 2,000 characters."),
        ("URL_ZERO_WIDTH_SPACES", 4.0, "A link holds characters that nobody sees."),
        ("URL_BACKSLASH_PATH", 2.0, "A link is written with backslashes."),
        ("URL_SUSPICIOUS_TLD", 1.0, "A link is in a domain where most names are for spam."),
        ("URL_HEX_HOST", 2.0, "The host of a link is percent-encoded."),
        ("URL_DATA_OR_SCRIPT", 3.0, "A link is a page or a script of its own."),
        ("URL_REDIRECTOR", 0.5, "A link leads through a search engine or another site."),
        ("URL_RECIPIENT", 0.5, "A link to a stranger's site holds the recipient's address."),
        ("HFILTER_URL_ONLY", 1.5, "The text is a link and nothing else."),
        ("HFILTER_URL_ONELINE", 1.0, "The text is one line with a link."),
        ("URL_MANY_DOMAINS", 0.5, "Links lead to more than 15 domains."),
    ),
    Group.BULK: (
        ("MAILLIST", -0.2, "It comes through a mailing list with all its fields."),
        ("PRECEDENCE_BULK", 0.0, "It calls itself bulk mail."),
        ("HAS_LIST_UNSUB", 0.0, "A field tells how to unsubscribe."),
        ("LIST_UNSUB_ONE_CLICK", -0.1, "One click unsubscribes (RFC 8058)."),
        ("BOUNCE", -0.1, "It is a report about mail that was sent."),
        ("AUTO_GENERATED", 0.0, "A program wrote it, by its own account."),
        ("FUZZY_BULK", 2.0, "The same text came from many senders that nobody knows."),
        ("FUZZY_SPAM", 5.0, "The same text was called spam before."),
        ("FUZZY_HAM", -2.0, "The same text was called no spam before."),
    ),
    Group.LEARNED: (
        ("BAYES_SPAM", 5.0, "What was learned calls it spam; the weight grows with certainty."),
        ("BAYES_HAM", -3.0, "What was learned calls it no spam; the weight grows likewise."),
        ("KNOWN_CORRESPONDENT", -3.0, "Our users wrote to the author, who is proved."),
        ("CORRESPONDENT_UNPROVED", -0.5, "Our users wrote to the author, who is not proved."),
        ("IP_REPUTATION_SPAM", 2.5, "The peer's network sent spam before; by how much."),
        ("IP_REPUTATION_HAM", -1.0, "The peer's network sent good mail before; by how much."),
        ("SENDER_REPUTATION_SPAM", 2.5, "The sender sent spam before; by how much."),
        ("SENDER_REPUTATION_HAM", -1.5, "The proved sender sent good mail before; by how much."),
        ("DOMAIN_REPUTATION_SPAM", 2.0, "The sender's domain sent spam before; by how much."),
        ("DOMAIN_REPUTATION_HAM", -1.0, "The proved domain sent good mail before; by how much."),
    ),
}

SYMBOLS: dict[str, Symbol] = {
    name: Symbol(name, weight, group, said)
    for group, rows in _TABLE.items()
    for name, weight, said in rows
}
