"""Email/query and its changes, beside IMAP on one account, through real connections."""

import imaplib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.jmap import ADA, BOB, Jmap, append, letter
from tests.support.server import PASSWORD, ServerProcess

NEWEST = [{"property": "receivedAt", "isAscending": False}]
BY_SUBJECT = [{"property": "subject"}]


def message(subject: str, text: str = "text", **fields: str) -> bytes:
    lines = {"From": "Bob Ray <bob@x.test>", "To": "ada@example.test", "Subject": subject, **fields}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()


@pytest.fixture(scope="module")
def ids(jmap: Jmap, imap: imaplib.IMAP4) -> dict[str, str]:
    """Emails by name, in INBOX but for `sent`."""
    return {
        "apple": append(
            imap, message("apple", "red and green", Message_ID="<a@x>"), flags="(\\Seen)"
        ),
        "berry": append(
            imap,
            message("Re: Apple", "Heidelbeere ist blau", Message_ID="<b@x>", In_Reply_To="<a@x>"),
            flags="(\\Flagged $Work)",
        ),
        "cherry": append(
            imap, message("cherry pie", "sweet", From="Zoe <z@x.test>", Cc="team@x.test")
        ),
        "files": append(imap, letter("files", X_Odd="curious")),
        "sent": append(imap, message("sent", "to you", To="Carl <c@x.test>"), mailbox="Sent"),
    }


@pytest.fixture(scope="module")
def boxes(jmap: Jmap) -> dict[str, str]:
    found = jmap.call("Mailbox/get", ids=None, properties=["name"])["list"]
    return {one["name"]: one["id"] for one in found}


FILTERS: list[Any] = [
    pytest.param({}, "apple berry cherry files sent", id="all"),
    pytest.param({"inMailbox": "Inbox"}, "apple berry cherry files", id="mailbox"),
    pytest.param({"inMailbox": "F1-9999"}, "", id="no-mailbox"),
    pytest.param({"inMailboxOtherThan": ["Inbox"]}, "sent", id="other-than"),
    pytest.param({"hasKeyword": "$seen"}, "apple", id="seen"),
    pytest.param({"hasKeyword": "$WORK"}, "berry", id="keyword"),
    pytest.param({"notKeyword": "$flagged"}, "apple cherry files sent", id="not-keyword"),
    pytest.param({"allInThreadHaveKeyword": "$seen"}, "", id="all-in-thread"),
    pytest.param({"someInThreadHaveKeyword": "$seen"}, "apple berry", id="some-in-thread"),
    pytest.param({"noneInThreadHaveKeyword": "$flagged"}, "cherry files sent", id="none-in-thread"),
    pytest.param({"hasAttachment": True}, "files", id="attachment"),
    pytest.param({"hasAttachment": False}, "apple berry cherry sent", id="no-attachment"),
    pytest.param({"text": "HEIDEL"}, "berry", id="text"),
    pytest.param({"text": "green red"}, "apple", id="words"),
    pytest.param({"text": "'red and'"}, "apple", id="phrase"),
    pytest.param({"text": '"green red"'}, "", id="no-phrase"),
    pytest.param({"body": "berry"}, "", id="body"),
    pytest.param({"subject": "RE:"}, "berry", id="subject"),
    pytest.param({"from": "zoe"}, "cherry", id="from"),
    pytest.param({"to": "carl"}, "sent", id="to"),
    pytest.param({"cc": "team"}, "cherry", id="cc"),
    pytest.param({"bcc": "team"}, "", id="bcc"),
    pytest.param({"header": ["X-Odd"]}, "files", id="header"),
    pytest.param({"header": ["x-odd", "CURIOUS"]}, "files", id="header-text"),
    pytest.param({"header": ["In-Reply-To", "other"]}, "", id="no-header-text"),
    pytest.param({"minSize": 100000}, "", id="size"),
    pytest.param({"before": "2020-01-01T00:00:00Z"}, "", id="before"),
    pytest.param({"after": "2020-01-01T00:00:00Z"}, "apple berry cherry files sent", id="after"),
    pytest.param({"text": "blau", "hasKeyword": "$seen"}, "", id="both"),
    pytest.param(
        {
            "operator": "NOT",
            "conditions": [
                {"subject": "apple"},
                {"operator": "AND", "conditions": [{"from": "bob"}, {"text": "heidelbeere"}]},
            ],
        },
        "cherry files sent",
        id="operators",
    ),
]


@pytest.mark.parametrize(("filter_", "wanted"), FILTERS)
def test_emails_that_meet_a_filter_are_found(
    jmap: Jmap, ids: dict[str, str], boxes: dict[str, str], filter_: dict[str, Any], wanted: str
) -> None:
    filter_ = dict(filter_)
    if "inMailbox" in filter_:
        filter_["inMailbox"] = boxes.get(filter_["inMailbox"], filter_["inMailbox"])
    if "inMailboxOtherThan" in filter_:
        filter_["inMailboxOtherThan"] = [boxes[one] for one in filter_["inMailboxOtherThan"]]
    found = jmap.call("Email/query", filter=filter_, calculateTotal=True)
    names = {id_: name for name, id_ in ids.items()}
    assert sorted(names[one] for one in found["ids"]) == wanted.split()
    assert found["total"] == len(found["ids"])


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        pytest.param([], "sent files cherry berry apple", id="none"),
        pytest.param(["receivedAt"], "apple berry cherry files sent", id="received"),
        pytest.param(["subject"], "apple berry cherry files sent", id="subject"),
        pytest.param(["-from", "-subject"], "cherry sent files berry apple", id="from"),
        pytest.param(["to", "subject"], "files apple berry cherry sent", id="to"),
        pytest.param(["$seen", "-subject"], "sent files cherry berry apple", id="keyword"),
        pytest.param(
            ["-some:$seen", "-$flagged", "subject"], "berry apple cherry files sent", id="thread"
        ),
        pytest.param(["-all:$flagged", "subject"], "apple berry cherry files sent", id="all"),
    ],
)
def test_emails_come_in_the_order_asked_for(
    jmap: Jmap, ids: dict[str, str], sort: list[str], wanted: str
) -> None:
    asked: list[dict[str, Any]] = []
    for one in sort:
        name = one.removeprefix("-")
        kind, _, keyword = name.partition(":") if ":" in name else ("", "", "")
        made: dict[str, Any] = {"property": name, "isAscending": not one.startswith("-")}
        if name.startswith("$"):
            made |= {"property": "hasKeyword", "keyword": name}
        elif keyword:
            made |= {"property": f"{kind}InThreadHaveKeyword", "keyword": keyword}
        asked.append(made)
    names = {id_: name for name, id_ in ids.items()}
    found = jmap.call("Email/query", sort=asked)["ids"]
    assert [names[one] for one in found] == wanted.split()


def test_of_a_thread_the_first_email_alone_is_told(jmap: Jmap, ids: dict[str, str]) -> None:
    found = jmap.call("Email/query", sort=BY_SUBJECT, collapseThreads=True, calculateTotal=True)
    assert found["ids"] == [ids[name] for name in ("apple", "cherry", "files", "sent")]
    assert found["total"] == 4


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"filter": {"color": 1}}, "unsupportedFilter", id="filter"),
        pytest.param({"filter": {"text": 1}}, "invalidArguments", id="text"),
        pytest.param({"filter": {"inMailbox": None}}, "invalidArguments", id="null"),
        pytest.param({"filter": {"before": "yesterday"}}, "invalidArguments", id="date"),
        pytest.param({"filter": {"header": []}}, "invalidArguments", id="header"),
        pytest.param({"filter": {"hasKeyword": "a b"}}, "invalidArguments", id="keyword"),
        pytest.param({"filter": {"text": "a " * 101}}, "unsupportedFilter", id="terms"),
        pytest.param({"filter": {"body": "a" * 10_001}}, "unsupportedFilter", id="long"),
        pytest.param({"sort": [{"property": "threadId"}]}, "unsupportedSort", id="sort"),
        pytest.param({"sort": [{"property": "hasKeyword"}]}, "invalidArguments", id="no-keyword"),
        pytest.param(
            {"sort": [{"property": "size", "keyword": "$seen"}]}, "invalidArguments", id="more"
        ),
        pytest.param({"anchor": "M1"}, "anchorNotFound", id="anchor"),
        pytest.param({"collapseThreads": 1}, "invalidArguments", id="collapse"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    jmap: Jmap, arguments: dict[str, Any], error: str
) -> None:
    assert jmap.call("Email/query", **arguments) == {"error": error}


def test_the_session_says_what_is_sorted_by(jmap: Jmap) -> None:
    account = jmap.session["accounts"][jmap.account]
    options = account["accountCapabilities"]["urn:ietf:params:jmap:mail"]["emailQuerySortOptions"]
    for one in options:
        keyword = {"keyword": "$seen"} if "Keyword" in one else {}
        assert "ids" in jmap.call("Email/query", sort=[{"property": one, **keyword}])


@pytest.fixture
def other(server: ServerProcess) -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    yield client
    client.logout()


def applied(old: list[str], changes: dict[str, Any]) -> list[str]:
    """As §5.6 tells clients to."""
    result = [id_ for id_ in old if id_ not in changes["removed"]]
    for one in changes["added"]:
        result.insert(one["index"], one["id"])
    return result


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"sort": NEWEST}, id="newest"),
        pytest.param({"filter": {"hasKeyword": "$flagged"}, "sort": BY_SUBJECT}, id="flagged"),
        pytest.param({"filter": {"text": "change"}, "sort": NEWEST}, id="text"),
        pytest.param({"sort": NEWEST, "collapseThreads": True}, id="collapsed"),
        pytest.param({"filter": {"someInThreadHaveKeyword": "$flagged"}}, id="thread"),
    ],
)
def test_changes_of_a_query_lead_to_the_new_result(
    jmap: Jmap, other: imaplib.IMAP4, ids: dict[str, str], asked: dict[str, Any]
) -> None:
    old = jmap.call("Email/query", **asked)
    new_one = append(other, message("Re: apple", "change", References="<b@x>"), flags="(\\Flagged)")
    jmap.call("Email/set", update={ids["cherry"]: {"keywords/$flagged": True}})
    new = jmap.call("Email/query", **asked, calculateTotal=True)
    assert new["queryState"] != old["queryState"] and new["canCalculateChanges"]
    changes = jmap.call(
        "Email/queryChanges", **asked, sinceQueryState=old["queryState"], calculateTotal=True
    )
    assert applied(old["ids"], changes) == new["ids"]
    assert (changes["newQueryState"], changes["total"]) == (new["queryState"], new["total"])
    assert new_one in [one["id"] for one in changes["added"]]
    assert not {ids["apple"], ids["files"]} & {one["id"] for one in changes["added"]}
    few = jmap.call("Email/queryChanges", **asked, sinceQueryState=old["queryState"], maxChanges=0)
    assert few == {"error": "tooManyChanges"}
    jmap.call("Email/set", destroy=[new_one], update={ids["cherry"]: {"keywords/$flagged": None}})
    back = jmap.call("Email/queryChanges", **asked, sinceQueryState=new["queryState"])
    assert applied(new["ids"], back) == old["ids"]
    assert new_one in back["removed"]


def test_changes_are_told_after_a_mailbox_was_shared(jmap: Jmap, other: imaplib.IMAP4) -> None:
    old = jmap.call("Email/query")
    assert other.create("Shared")[0] == "OK"
    assert other.setacl("Shared", BOB, "lr")[0] == "OK"
    try:
        asked = {"filter": {"hasKeyword": "$flagged"}}  # of which nobody kept the old result
        found = jmap.call("Email/queryChanges", **asked, sinceQueryState=old["queryState"])
        assert (found["removed"], found["added"]) == ([], [])
    finally:
        other.delete("Shared")


def test_states_that_nobody_gave_are_refused(jmap: Jmap) -> None:
    for state in ("x", "99999999", "1-abc", ""):
        found = jmap.call("Email/queryChanges", sinceQueryState=state)
        assert found == {"error": "cannotCalculateChanges"}, state
    assert jmap.call("Email/queryChanges") == {"error": "invalidArguments"}


def test_snippets_show_what_matches(jmap: Jmap, ids: dict[str, str]) -> None:
    filter_ = {
        "operator": "AND",
        "conditions": [
            {"text": "red"},
            {"operator": "NOT", "conditions": [{"text": "apple"}, {"body": "green"}]},
        ],
    }
    asked = [ids["apple"], ids["berry"], "M1"]
    found = jmap.call("SearchSnippet/get", filter=filter_, emailIds=asked)
    assert found["list"] == [
        {"emailId": ids["apple"], "subject": None, "preview": "<mark>red</mark> and green"},
        {"emailId": ids["berry"], "subject": None, "preview": None},
    ]
    assert found["notFound"] == ["M1"]
    both = {"subject": "'pie'", "body": "sweet"}
    found = jmap.call("SearchSnippet/get", filter=both, emailIds=[ids["cherry"]])
    assert found["list"][0]["subject"] == "cherry <mark>pie</mark>"
    assert found["list"][0]["preview"] == "<mark>sweet</mark>"
    assert found["notFound"] is None
    for arguments, error in (
        ({"filter": {"x": 1}, "emailIds": []}, "unsupportedFilter"),
        ({"filter": None}, "invalidArguments"),
        ({"emailIds": [f"M{number:x}" for number in range(1, 1002)]}, "requestTooLarge"),
    ):
        assert jmap.call("SearchSnippet/get", **arguments) == {"error": error}


def test_mailboxes_are_found_and_sorted_as_a_tree(jmap: Jmap, imap: imaplib.IMAP4) -> None:
    for name in ("zoo", "zoo/b", "zoo/b/deep", "zoo/a", "alpha"):
        imap.create(name)
    imap.unsubscribe("zoo/b")
    told = jmap.call("Mailbox/get", ids=None, properties=["name", "role"])["list"]
    names = {one["id"]: one["name"] for one in told if one["role"] is None}

    def found(**arguments: Any) -> list[str]:
        answer = jmap.call("Mailbox/query", **arguments)
        return [names[one] for one in answer["ids"] if one in names]

    by_name = [{"property": "name"}]
    last = [{"property": "name", "isAscending": False}]
    assert found(sort=by_name) == ["a", "alpha", "b", "deep", "zoo"]
    assert found(sort=by_name, sortAsTree=True) == ["alpha", "zoo", "a", "b", "deep"]
    assert found(sort=last, sortAsTree=True) == ["zoo", "b", "deep", "a", "alpha"]
    plain = {"filter": {"hasAnyRole": False, "isSubscribed": True}, "sort": by_name}
    assert found(**plain) == ["a", "alpha", "deep", "zoo"]
    assert found(**plain, filterAsTree=True) == ["a", "alpha", "zoo"]
    zoo = next(id_ for id_, name in names.items() if name == "zoo")
    assert found(filter={"parentId": zoo}, sort=by_name) == ["a", "b"]
    assert found(filter={"parentId": None}, sort=by_name) == ["alpha", "zoo"]
    assert found(filter={"name": "ALP"}) == ["alpha"]
    (inbox,) = jmap.call("Mailbox/query", filter={"role": "inbox"})["ids"]
    assert inbox not in names
    order = jmap.call("Mailbox/query", sort=[{"property": "sortOrder"}])["ids"]
    assert order[0] == inbox
    assert jmap.call("Mailbox/query", filter={"role": 1}) == {"error": "invalidArguments"}
    assert jmap.call("Mailbox/query", filter={"x": 1}) == {"error": "unsupportedFilter"}
    assert jmap.call("Mailbox/query", sort=[{"property": "id"}]) == {"error": "unsupportedSort"}
    before = jmap.call("Mailbox/query", sort=by_name)
    imap.create("middle")
    imap.delete("alpha")
    after = jmap.call("Mailbox/query", sort=by_name)
    changes = jmap.call("Mailbox/queryChanges", sort=by_name, sinceQueryState=before["queryState"])
    assert len(changes["removed"]) == len(changes["added"]) == 1
    assert applied(before["ids"], changes) == after["ids"]
