"""Rules about mail that goes to many: lists, bulk mail, reports and what programs write."""

from filters.spam.rules.mail import Finds, Found, Mail


def lists(mail: Mail) -> Finds:
    fields = mail.fields
    if b"list-id" in fields and fields.keys() & {b"list-post", b"list-unsubscribe", b"list-help"}:
        yield Found("MAILLIST", (mail.first(b"list-id") or b"")[:80].decode("utf-8", "replace"))
    if b"list-unsubscribe" in fields:
        yield Found("HAS_LIST_UNSUB")
        click = mail.first(b"list-unsubscribe-post") or b""
        if click.replace(b" ", b"").lower() == b"list-unsubscribe=one-click":
            yield Found("LIST_UNSUB_ONE_CLICK")
    if (mail.first(b"precedence") or b"").strip().lower() in (b"bulk", b"list", b"junk"):
        yield Found("PRECEDENCE_BULK")


def machines(mail: Mail) -> Finds:
    report = mail.root.type == b"multipart" and mail.root.subtype == b"report"
    if report and not mail.transit.sender:
        yield Found("BOUNCE")
    said = (mail.first(b"auto-submitted") or b"no").strip().lower()
    if not said.startswith(b"no"):
        yield Found("AUTO_GENERATED")


RULES = (lists, machines)
