"""Small messages, each for one symbol of the spam filter, and what they are made with."""

from base64 import b64encode

from filters.spam.reading import read
from filters.spam.rules.mail import Mail
from filters.spam.rules.run import find
from filters.spam.rules.text import GTUBE
from filters.spam.rules.transit import Transit
from message.crlf import to_crlf
from message.scan import scan_crlf

NOW = 1_795_860_000.0  # 28 November 2026
BASE = {
    "Date": "Sat, 28 Nov 2026 10:00:00 +0000",
    "From": "Ann Lee <ann@sender.test>",
    "To": "Ben <ben@home.test>",
    "Subject": "Minutes of the meeting",
    "Message-ID": "<a1.b2@mail.sender.test>",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Transfer-Encoding": "8bit",
    "Received": "from a.sender.test by mx.sender.test; Sat, 28 Nov 2026 10:00:00 +0000",
}
TRANSIT = Transit(
    NOW,
    sender="ann@sender.test",
    recipients=("ben@home.test",),
    helo="mx.sender.test",
    address="192.0.2.7",
    reverse="mx.sender.test",
    symbols=frozenset({"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"}),
)
TEXT = "Dear Ben,\nhere are the minutes of our meeting. See you on Monday.\nAnn\n"


def message(body: str = TEXT, extra: bytes = b"", **fields: str | None) -> bytes:
    """A message of BASE with changed fields (`_` for `-`); None takes one away."""
    changed = {name.replace("_", "-"): value for name, value in fields.items()}
    named = {key.lower(): key for key in BASE}
    lines = BASE | {named.get(key.lower(), key): value for key, value in changed.items()}
    head = "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)
    return head.encode("utf-8", "surrogateescape") + extra + b"\n" + body.encode()


def mail(data: bytes, transit: Transit = TRANSIT) -> Mail:
    data = to_crlf(data)
    root = scan_crlf(data)
    return Mail(read(data, root), root, data, transit)


def html(body: str, **fields: str | None) -> bytes:
    return message(body, extra=b"", **{"Content_Type": "text/html; charset=utf-8", **fields})


def mixed(*parts: str, kind: str = "mixed") -> bytes:
    body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
    return message(body, Content_Type=f'multipart/{kind}; boundary="b"')


def attached(name: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    data = b64encode(content).decode()
    return mixed(
        f"Content-Type: text/plain\n\n{TEXT}",
        f'Content-Type: {kind}\nContent-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{data}",
    )


def via(**changes: object) -> Transit:
    found = {name: getattr(TRANSIT, name) for name in TRANSIT.__slots__}
    return Transit(**{**found, **changes})


def member(name: str, flags: int = 0) -> bytes:
    """The beginning of a ZIP archive with one member."""
    head = b"PK\x03\x04\x14\0" + bytes((flags, 0)) + b"\0" * 18
    return head + len(name).to_bytes(2, "little") + b"\0\0" + name.encode() + b"\0" * 40


def word(text: str) -> str:
    """An encoded word (RFC 2047)."""
    return f"=?utf-8?B?{b64encode(text.encode()).decode()}?="


EXE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + b"\0" * 200
WORDS = "alpha bravo charlie delta foxtrot golf hotel india juliett kilo lima mike"
OTHER = "seven birds flew across wide rivers while children watched silent boats"
SITE = '<a href="https://www.site.test/x">the site</a>'
LONG = "All that was said and done stands in the paper that you get with this letter. " * 4
NONE: frozenset[str] = frozenset()

CASES: dict[str, bytes | tuple[bytes, Transit]] = {
    # authentication and peer
    "AUTH_NA": (message(), via(symbols=frozenset({"R_SPF_NA", "R_DKIM_NA"}))),
    "HFILTER_HOSTNAME_5": (message(), via(reverse="7.2.0.192.dyn.isp.test")),
    "HFILTER_HOSTNAME_2": (message(), via(reverse="ip-192-0-2-7.isp.test")),
    "HFILTER_HELO_5": (message(), via(helo="192-0-2-7.dsl.isp.test")),
    "HFILTER_RCPT_BOUNCEMOREONE": (message(), via(sender="", recipients=("a@b.test", "c@b.test"))),
    "DIRECT_TO_MX": message(Received=None, X_Mailer="Outlook"),
    "ONCE_RECEIVED": message(Received=None),
    "ONCE_RECEIVED_STRICT": (message(Received=None), via(symbols=frozenset({"RDNS_NONE"}))),
    # addresses
    "FROM_EQ_ENVFROM": message(),
    "FROM_NEQ_ENVFROM": (message(), via(sender="bounce@sender.test")),
    "FORGED_SENDER": (message(), via(sender="x@other.test")),
    "FORGED_RECIPIENTS": message(To="someone@else.test"),
    "FROM_INVALID": message(From="nobody"),
    "FROM_NEQ_DISPLAY_NAME": message(From='"service@bank.test" <x@sender.test>'),
    "FROM_NAME_EXCESS_SPACE": message(From='"Ann    Lee" <ann@sender.test>'),
    "FROM_NAME_HAS_TITLE": message(From='"Barr. Ann Lee" <ann@sender.test>'),
    "FROM_DN_EQ_ADDR": message(From='"ann@sender.test" <ann@sender.test>'),
    "FROM_NEEDS_ENCODING": message(From="Änn <ann@sender.test>"),
    "FROM_EXCESS_BASE64": message(From="=?utf-8?B?QW5uIExlZQ==?= <ann@sender.test>"),
    "SPOOF_DISPLAY_NAME": message(From='"boss@home.test" <x@sender.test>'),
    "SPOOF_OWN_DOMAIN": (message(From="Boss <boss@home.test>"), via(symbols=NONE)),
    "FROM_LOOKALIKE": message(From="Service <s@paypa1.com>"),
    "FREEMAIL_FROM": message(From="Ann <ann@gmail.com>"),
    "FREEMAIL_ENVFROM": (message(), via(sender="ann@gmail.com")),
    "FREEMAIL_REPLYTO": message(Reply_To="ann@gmail.com"),
    "FREEMAIL_REPLYTO_NEQ_FROM": message(From="ann@gmx.de", Reply_To="bob@gmail.com"),
    "FREEMAIL_REPLYTO_NEQ_FROM_DOM": message(Reply_To="ann@gmail.com"),
    "HAS_REPLYTO": message(Reply_To="ann@sender.test"),
    "REPLYTO_EQ_FROM": message(Reply_To="ann@sender.test"),
    "REPLYTO_DOM_NEQ_FROM_DOM": message(Reply_To="ann@other.test"),
    "REPLYTO_EQ_TO_ADDR": message(Reply_To="ben@home.test"),
    "REPLYTO_UNPARSEABLE": message(Reply_To="nobody"),
    "TO_EQ_FROM": message(To="ann@sender.test"),
    "MISSING_TO": message(To=None),
    "UNDISC_RCPTS": message(To="undisclosed-recipients:;"),
    "RCPT_COUNT_GT_50": message(To=", ".join(f"u{n}@home.test" for n in range(60))),
    "ENVFROM_PRVS": (message(), via(sender="prvs=1234abcd=ann@sender.test")),
    "ENVFROM_VERP": (message(), via(sender="bounce-ben=home.test@sender.test")),
    "TAGGED_RCPT": (message(), via(recipients=("ben+lists@home.test",))),
    # header
    "MISSING_DATE": message(Date=None),
    "INVALID_DATE": message(Date="yesterday"),
    "DATE_IN_PAST": message(Date="Mon, 23 Nov 2026 10:00:00 +0000"),
    "DATE_IN_FUTURE": message(Date="Mon, 30 Nov 2026 10:00:00 +0000"),
    "MISSING_MID": message(Message_ID=None),
    "INVALID_MSGID": message(Message_ID="12345"),
    "MID_RHS_NOT_FQDN": message(Message_ID="<1@pc>"),
    "MID_RHS_IP_LITERAL": message(Message_ID="<1@[192.0.2.7]>"),
    "MID_BARE_IP": message(Message_ID="<1@192.0.2.7>"),
    "MID_RHS_MATCH_TO": message(Message_ID="<1.2.3@home.test>"),
    "MID_CONTAINS_TO": (
        message(Message_ID="<x.berta@home.test>", To="berta@home.test"),
        via(recipients=("berta@home.test",)),
    ),
    "MISSING_FROM": message(From=None),
    "MISSING_MIME_VERSION": message(MIME_Version=None),
    "MIME_HEADER_CTYPE_ONLY": message(MIME_Version=None, Content_Transfer_Encoding=None),
    "MULTIPLE_FROM": message(extra=b"From: Other <o@other.test>\n"),
    "MULTIPLE_UNIQUE_HEADERS": message(extra=b"Subject: again\n"),
    "BROKEN_HEADERS": message(extra=b"this is no field\n"),
    "LONG_HEADER": message(X_Long="x" * 70_000),
    "R_BAD_HEADER_OCTETS": message(X_Odd="a\x01b"),
    "RCVD_ILLEGAL_CHARS": message(extra="Received: from ümlaut by x\n".encode("latin-1")),
    "RCVD_COUNT_MANY": message(extra=b"Received: from a by b\n" * 30),
    "HEADER_RCONFIRM_MISMATCH": message(Disposition_Notification_To="x@other.test"),
    "HAS_X_PRIO_ONE": message(X_Priority="1 (Highest)"),
    "PRIO_NO_MUA": message(X_Priority="1"),
    "SPAM_FLAG": message(X_Spam_Flag="YES"),
    "FAKE_REPLY": message(Subject="Re: your order"),
    "HAS_X_PHP_SCRIPT": message(X_PHP_Originating_Script="1000:mail.php"),
    "X_PHP_EVAL": message(X_PHP_Originating_Script="33:x.php(1) : eval()'d code"),
    # subject
    "MISSING_SUBJECT": message(Subject=None),
    "EMPTY_SUBJECT": message(Subject=""),
    "SUBJ_ALL_CAPS": message(Subject="MAKE MONEY WITH US"),
    "LONG_SUBJ": message(Subject="word " * 60),
    "SUBJECT_ENDS_EXCLAIM": message(Subject="Come today!"),
    "SUBJECT_MANY_MARKS": message(Subject="Come today!!! Please"),
    "SUBJECT_ENDS_SPACES": message(Subject="=?utf-8?Q?Hello=20=20=20?="),
    "SUBJECT_HAS_CURRENCY": message(Subject="Your $500 wait"),
    "SUBJECT_RANDOM_TAIL": message(Subject="Buy today          xkqzrt"),
    "SUBJECT_NEEDS_ENCODING": message(Subject="Grüße"),
    "SUBJ_EXCESS_BASE64": message(Subject="=?utf-8?B?SGVsbG8gQmVu?="),
    "SUBJ_EXCESS_QP": message(Subject="=?utf-8?Q?Hello_Ben?="),
    "URL_IN_SUBJECT": message(Subject="See www.site.test today"),
    "SUBJECT_HAS_RCPT": message(Subject="ben@home.test: mail waits"),
    "SUBJECT_MIXED_CHARSET": message(Subject=word("P\u0430ypal")),
    "SUBJECT_INVISIBLE": message(Subject=word("P\u200bay\u200bpal")),
    # MIME
    "MIME_HTML_ONLY": html(f"<p>{LONG}</p>"),
    "R_PARTS_DIFFER": mixed(
        f"Content-Type: text/plain\n\n{WORDS}\n", f"Content-Type: text/html\n\n<p>{OTHER}</p>\n",
        kind="alternative",
    ),
    "MIME_MA_MISSING_TEXT": mixed(f"Content-Type: text/html\n\n<p>{OTHER}</p>", kind="alternative"),
    "R_MISSING_CHARSET": message("Grüße aus Köln\n", Content_Type="text/plain"),
    "R_BAD_CTE_7BIT": message("Grüße aus Köln\n", Content_Transfer_Encoding="7bit"),
    "R_UNKNOWN_CHARSET": message(Content_Type="text/plain; charset=klingon"),
    "BROKEN_CONTENT_TYPE": message(Content_Type="html"),
    "CTYPE_MIXED_BOGUS": mixed(f"Content-Type: text/plain\n\n{TEXT}"),
    "MULTIPART_BROKEN": message(Content_Type="multipart/mixed"),
    "MIME_BASE64_TEXT_BOGUS": message(
        b64encode(TEXT.encode() * 2).decode(), Content_Type="text/plain; charset=us-ascii",
        Content_Transfer_Encoding="base64",
    ),
    "MIME_TOO_DEEP": message(
        "".join(
            f'--b{n}\nContent-Type: multipart/mixed; boundary="b{n + 1}"\n\n' for n in range(30)
        ) + "--b30\n\nx\n",
        Content_Type='multipart/mixed; boundary="b0"',
    ),
    "MIME_MANY_PARTS": mixed(*["\nx"] * 120),
    "TEXT_EMPTY": message("\n"),
    "PREAMBLE_TEXT": message(
        "words " * 60 + "\n--b\n\nx\n--b--\n", Content_Type='multipart/mixed; boundary="b"'
    ),
    # attachments
    "HAS_ATTACHMENT": attached("a.pdf", b"%PDF-1.7 x", "application/pdf"),
    "MIME_BAD_EXTENSION": attached("tool.scr", b"abc"),
    "MIME_DOUBLE_BAD_EXTENSION": attached("invoice.pdf.exe", b"abc"),
    "MIME_BAD_ATTACHMENT": attached("invoice.pdf", EXE),
    "MIME_TYPE_MISMATCH": attached("invoice.pdf", b"Rar!\x1a\x07\x01\0xx"),
    "MIME_EXECUTABLE": attached("tool", EXE),
    "MIME_ARCHIVE_IN_ARCHIVE": attached("a.zip", member("inner.zip")),
    "MIME_ENCRYPTED_ARCHIVE": attached("a.zip", member("letter.txt", 1)),
    "MIME_ARCHIVE_BAD_EXTENSION": attached("a.zip", member("letter.js")),
    "MIME_BAD_UNICODE": attached("ann\u202efdp.exe", b"abc"),
    "MIME_NAME_SPACES": attached("invoice.pdf" + " " * 20 + ".exe", b"abc"),
    "MIME_HTML_ATTACHMENT": attached("invoice.html", b"<html>x</html>", "text/html"),
    "MIME_MACRO_DOCUMENT": attached("plan.xlsm", b"abc"),
    "MIME_DISK_IMAGE": attached("plan.iso", b"abc"),
    "MIME_ONE_ATTACHMENT_NO_TEXT": mixed(
        'Content-Type: application/pdf; name="a.pdf"\nContent-Disposition: attachment\n\n%PDF-1.4'
    ),
    "SIGNED_PGP": mixed(
        f"Content-Type: text/plain\n\n{TEXT}", "Content-Type: application/pgp-signature\n\nx",
        kind="signed",
    ),
    "SIGNED_SMIME": mixed(
        f"Content-Type: text/plain\n\n{TEXT}", "Content-Type: application/pkcs7-signature\n\nx",
        kind="signed",
    ),
    "ENCRYPTED_PGP": mixed(
        "Content-Type: application/pgp-encrypted\n\nVersion: 1",
        "Content-Type: application/octet-stream\n\nx", kind="encrypted",
    ),
    # text and HTML
    "R_MIXED_CHARSET": message("Your \u0430ccount and p\u0430ssword \u0430re l\u043ecked\n"),
    "ZERO_WIDTH_TEXT": message("Pa\u200bss pa\u200bss pa\u200bss word\n"),
    "ZERO_FONT": html(f'<p>{LONG}</p><span style="font-size:0px">{OTHER}</span>'),
    "MANY_INVISIBLE_PARTS": html(f'<p>Buy</p><div style="display:none">{OTHER * 6}</div>'),
    "R_WHITE_ON_WHITE": html(f'<p>{LONG}</p><font color="#ffffff">{OTHER}</font>'),
    "HTML_SHORT_LINK_IMG": html('<a href="http://site.test/"><img src="http://site.test/i.png"></a>'),
    "HTML_IMAGE_ONLY": html('<img src="http://site.test/i.png">'),
    "HIDDEN_IMAGE": html(f'<p>{LONG}</p><img src="http://s.test/p" width="1" height="1">'),
    "HTML_FORM": html(f'<p>{LONG}</p><form action="http://site.test/"><input name="a"></form>'),
    "HTML_FORM_PASSWORD": html(f'<p>{LONG}</p><form><input type="password" name="p"></form>'),
    "HTML_SCRIPT": html(f"<p>{LONG}</p><script>alert(1)</script>"),
    "HTML_META_REFRESH": html(
        f'<meta http-equiv="refresh" content="0; url=http://site.test/"><p>{LONG}</p>'
    ),
    "HTML_OBFUSCATED": html(f"<p>{LONG} &#112;&#97;&#121;&#112;&#97;&#108;</p>"),
    "HTML_COMMENTS_IN_WORDS": html(f"<p>{LONG} vi<!--x-->ag<!--y-->ra pi<!--z-->lls</p>"),
    "TEXT_ALL_CAPS": message("BUY THIS THING TODAY AND BE HAPPY FOREVER AFTER. " * 10),
    "BITCOIN_ADDR": message("Pay to 1BoatSLRHtKNngkdXEeobR76b53LETtpyT please\n"),
    "GTUBE": message(f"Test\n{GTUBE}\n"),
    "LEAKED_PASSWORD_SCAM": message(
        "Your device was hacked, your webcam recorded you.\nSend bitcoin to"
        " 1BoatSLRHtKNngkdXEeobR76b53LETtpyT\n"
    ),
    "ADVANCE_FEE": message(
        "Dear friend, I am the barrister of a deceased with 10,500,000 dollars. As next of kin you"
        " get it; keep it strictly confidential. God bless.\n"
    ),
    "CREDENTIAL_LURE": message("Your mailbox will be suspended. Go to https://x.test/a now\n"),
    "UNSUBSCRIBE_TEXT": message("News!\nTo unsubscribe write to us.\n"),
    # links
    "PHISHING": html(f'<p>{LONG}<a href="http://evil.test/x">www.bank.example</a></p>'),
    "PHISHING_BRAND": html(f"<p>{LONG}{SITE}</p>", From="PayPal Service <s@sender.test>"),
    "URL_HOMOGRAPH_ATTACK": html(f'<p>{LONG}<a href="http://www.p\u0430ypal.com/">go</a></p>'),
    "URL_LOOKALIKE": html(f'<p>{LONG}<a href="http://micros0ft.com/">go</a></p>'),
    "URL_PUNYCODE": html(f'<p>{LONG}<a href="http://xn--bcher-kva.test/">go</a></p>'),
    "URL_NUMERIC_IP": html(f'<p>{LONG}<a href="http://8.8.4.4/x">go</a></p>'),
    "URL_NUMERIC_OBFUSCATED": html(f'<p>{LONG}<a href="http://0x08.0x08.1028/">go</a></p>'),
    "URL_USER_PASSWORD": html(f'<p>{LONG}<a href="http://bank.test@evil.test/">go</a></p>'),
    "URL_SHORTENER": html(f'<p>{LONG}<a href="https://bit.ly/abc">go</a></p>'),
    "URL_ODD_PORT": html(f'<p>{LONG}<a href="http://site.test:81/">go</a></p>'),
    "URL_EXCESSIVE_DOTS": html(f'<p>{LONG}<a href="http://a.b.c.d.e.f.site.test/">go</a></p>'),
    "URL_VERY_LONG": html(f'<p>{LONG}<a href="http://site.test/{"x" * 2500}">go</a></p>'),
    "URL_ZERO_WIDTH_SPACES": html(f'<p>{LONG}<a href="http://site.test/a\u200bb">go</a></p>'),
    "URL_BACKSLASH_PATH": html(f'<p>{LONG}<a href="http:\\\\site.test\\x">go</a></p>'),
    "URL_SUSPICIOUS_TLD": html(f'<p>{LONG}<a href="http://site.top/">go</a></p>'),
    "URL_HEX_HOST": html(f'<p>{LONG}<a href="http://%73ite.test/">go</a></p>'),
    "URL_DATA_OR_SCRIPT": html(f'<p>{LONG}<a href="data:text/html,x">go</a></p>'),
    "URL_REDIRECTOR": html(
        f'<p>{LONG}<a href="https://www.google.com/url?q=https://evil.test/">go</a></p>'
    ),
    "URL_RECIPIENT": html(f'<p>{LONG}<a href="https://x.test/?u=ben@home.test">go</a></p>'),
    "HFILTER_URL_ONLY": message("https://site.test/x\n"),
    "HFILTER_URL_ONELINE": message("look at this https://site.test/x\n"),
    "URL_MANY_DOMAINS": message("\n".join(f"https://site{n}.test/x" for n in range(20)) + LONG),
    # bulk
    "MAILLIST": message(List_Id="<l.lists.test>", List_Post="<mailto:l@lists.test>"),
    "PRECEDENCE_BULK": message(Precedence="bulk"),
    "HAS_LIST_UNSUB": message(List_Unsubscribe="<https://x.test/u>"),
    "LIST_UNSUB_ONE_CLICK": message(
        List_Unsubscribe="<https://x.test/u>", List_Unsubscribe_Post="List-Unsubscribe=One-Click"
    ),
    "BOUNCE": (
        mixed("\nFailed", "Content-Type: message/delivery-status\n\nA: b", kind="report"),
        via(sender=""),
    ),
    "AUTO_GENERATED": message(Auto_Submitted="auto-generated"),
}  # fmt: skip


def symbols(case: bytes | tuple[bytes, Transit]) -> set[str]:
    """What the rules say of a case."""
    data, transit = case if isinstance(case, tuple) else (case, TRANSIT)
    return {one.name for one in find(mail(data, transit))}
