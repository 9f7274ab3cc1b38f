"""Address books and cards by JMAP, through real connections (RFC 9610)."""

from typing import Any

import pytest

from tests.support.jmap import BOB, Jmap, basic
from tests.support.server import PASSWORD, ServerProcess

CONTACTS = "urn:ietf:params:jmap:contacts"
CAT = "cat@example.test"


@pytest.fixture(scope="module")
def cat(server: ServerProcess) -> Jmap:
    server.perform("account.add", address=CAT, password=PASSWORD)
    return Jmap(server, basic(CAT))


@pytest.fixture(scope="module")
def book(cat: Jmap) -> str:
    (found,) = cat.call("AddressBook/get", ids=None)["list"]
    assert isinstance(found["id"], str)
    return found["id"]


def create(jmap: Jmap, book: str, **card: Any) -> Any:
    made = {"addressBookIds": {book: True}, **card}
    found = jmap.call("ContactCard/set", create={"a": made})
    return found["created"]["a"] if found["created"] else found["notCreated"]["a"]


def update(jmap: Jmap, id_: str, **patch: Any) -> Any:
    found = jmap.call("ContactCard/set", update={id_: patch})
    return found["updated"] or found["notUpdated"][id_]


def test_address_books_are_made_changed_and_deleted(cat: Jmap, book: str) -> None:
    capability = cat.session["accounts"][cat.account]["accountCapabilities"][CONTACTS]
    assert capability == {"maxAddressBooksPerCard": 1, "mayCreateAddressBook": True}
    assert cat.session["primaryAccounts"][CONTACTS] == cat.account
    before = cat.call("AddressBook/get", ids=None)
    assert before["list"] == [
        {
            "id": book,
            "name": "Contacts",
            "description": None,
            "sortOrder": 0,
            "isDefault": True,
            "isSubscribed": True,
            "shareWith": None,
            "myRights": {"mayRead": True, "mayWrite": True, "mayShare": True, "mayDelete": True},
        }
    ]
    made = cat.call(
        "AddressBook/set",
        create={"w": {"name": "Work", "sortOrder": 3}},
        onSuccessSetIsDefault="#w",
    )
    work = made["created"]["w"]["id"]
    assert made["created"]["w"]["isDefault"] and made["updated"] == {book: {"isDefault": False}}
    assert made["oldState"] == before["state"] != made["newState"]
    changed = cat.call("AddressBook/set", update={work: {"name": "Office", "description": "x"}})
    assert changed["updated"] == {work: None}
    told = cat.call("AddressBook/changes", sinceState=before["state"])
    assert (told["created"], told["updated"], told["destroyed"]) == ([work], [book], [])
    assert cat.get("AddressBook", work, "name", "isDefault") == {
        "id": work,
        "name": "Office",
        "isDefault": True,
    }
    back = cat.call("AddressBook/set", update={}, onSuccessSetIsDefault=book)
    assert back["updated"] == {book: {"isDefault": True}, work: {"isDefault": False}}
    ignored = cat.call("AddressBook/set", onSuccessSetIsDefault="B999999")
    assert ignored["updated"] is None
    card = create(cat, work, name={"full": "Somebody"})
    refused = cat.call("AddressBook/set", destroy=[work])
    assert refused["notDestroyed"][work]["type"] == "addressBookHasContents"
    state = cat.call("ContactCard/get", ids=[])["state"]
    gone = cat.call("AddressBook/set", destroy=[work], onDestroyRemoveContents=True)
    assert gone["destroyed"] == [work]
    assert cat.call("ContactCard/changes", sinceState=state)["destroyed"] == [card["id"]]
    assert cat.call("ContactCard/get", ids=[card["id"]])["notFound"] == [card["id"]]
    for wrong, at_fault in (
        ({"name": ""}, "name"),
        ({"name": "a", "sortOrder": -1}, "sortOrder"),
        ({"name": "a", "isDefault": True}, "isDefault"),
        ({"name": "a", "x": 1}, "x"),
    ):
        error = cat.call("AddressBook/set", create={"a": wrong})["notCreated"]["a"]
        assert (error["type"], error["properties"]) == ("invalidProperties", [at_fault])
    for id_ in (work, "Bx", "B0", "X1"):
        error = cat.call("AddressBook/set", update={id_: {"name": "a"}})["notUpdated"][id_]
        assert error["type"] == "notFound"


def test_cards_are_made_changed_and_deleted(cat: Jmap, book: str) -> None:
    state = cat.call("ContactCard/get", ids=[])["state"]
    name = {"components": [{"kind": "given", "value": "Ann"}], "full": "Ann"}
    given = {"name": name, "emails": {"e1": {"address": "ann@world.test"}}, "x.test:y": [1]}
    made = create(cat, book, **given)
    assert set(made) == {"id", "@type", "version", "uid", "created", "updated"}
    assert made["uid"].startswith("urn:uuid:")
    whole = cat.get("ContactCard", made["id"])
    assert whole == {**given, **made, "addressBookIds": {book: True}}
    told = update(cat, made["id"], **{"emails/e1/pref": 1, "nicknames": {"n": {"name": "A"}}})
    assert set(told[made["id"]]) == {"updated"}
    part = cat.get("ContactCard", made["id"], "emails", "uid", "absent")
    assert part == {
        "id": made["id"],
        "uid": made["uid"],
        "emails": {"e1": {"address": "ann@world.test", "pref": 1}},
    }
    assert update(cat, made["id"], **{"emails/e1/pref": 1}) == {made["id"]: None}
    changes = cat.call("ContactCard/changes", sinceState=state)
    assert (changes["created"], changes["updated"]) == ([made["id"]], [])
    other = cat.call("AddressBook/set", create={"o": {"name": "Other"}})["created"]["o"]["id"]
    assert update(cat, made["id"], addressBookIds={other: True}) == {made["id"]: None}
    assert cat.get("ContactCard", made["id"], "addressBookIds")["addressBookIds"] == {other: True}
    moved = cat.call("ContactCard/changes", sinceState=changes["newState"])
    assert (moved["created"], moved["updated"], moved["destroyed"]) == ([], [made["id"]], [])
    assert create(cat, book, uid=made["uid"])["type"] == "alreadyExists"
    for wrong, at_fault in (
        ({"emails": {"e": {"address": 5}}}, "emails"),
        ({"uid": 5}, "uid"),
        ({"addressBookIds": {}}, "addressBookIds"),
        ({"addressBookIds": {book: True, other: True}}, "addressBookIds"),
        ({"addressBookIds": {"B999999": True}}, "addressBookIds"),
        ({"id": "C1"}, "id"),
        ({"media": {"m": {"kind": "photo", "blobId": "G1"}}}, "media"),
    ):
        error = create(cat, book, **{"name": {"full": "x"}, **wrong})
        assert (error["type"], error["properties"]) == ("invalidProperties", [at_fault]), wrong
    for patch, kind in (
        ({"uid": "other"}, "invalidProperties"),
        ({"id": "C1"}, "invalidProperties"),
        ({"phones/p/number": "1"}, "invalidPatch"),
        ({"addressBookIds": None}, "invalidProperties"),
    ):
        assert update(cat, made["id"], **patch)["type"] == kind, patch
    gone = cat.call("ContactCard/set", destroy=[made["id"], "C999999", "x"])
    assert gone["destroyed"] == [made["id"]] and set(gone["notDestroyed"]) == {"C999999", "x"}
    assert cat.call("ContactCard/changes", sinceState=moved["newState"])["destroyed"] == [
        made["id"]
    ]
    cat.call("AddressBook/set", destroy=[other])


def test_changes_come_in_parts(cat: Jmap, book: str) -> None:
    state = cat.call("ContactCard/get", ids=[])["state"]
    ids = [create(cat, book, name={"full": f"Part {n}"})["id"] for n in range(5)]
    seen = []
    while True:
        found = cat.call("ContactCard/changes", sinceState=state, maxChanges=2)
        seen += found["created"]
        state = found["newState"]
        if not found["hasMoreChanges"]:
            break
    assert seen == ids
    assert cat.call("ContactCard/changes", sinceState="999999")["error"] == "cannotCalculateChanges"
    assert cat.call("ContactCard/changes", sinceState="x")["error"] == "cannotCalculateChanges"
    cat.call("ContactCard/set", destroy=ids)


CARDS: dict[str, dict[str, Any]] = {
    "ann": {
        "name": {
            "components": [
                {"kind": "given", "value": "Ann"},
                {"kind": "surname", "value": "Zoë"},
                {"kind": "surname2", "value": "Ruiz"},
            ]
        },
        "emails": {"1": {"address": "ann@query.test"}},
        "phones": {"1": {"number": "+49 123"}},
        "organizations": {"1": {"name": "Query Works", "units": [{"name": "Lab"}]}},
        "created": "2020-01-01T00:00:00Z",
        "updated": "2024-01-01T00:00:00Z",
        "uid": "query-ann",
    },
    "bo": {
        "name": {
            "components": [
                {"kind": "given", "value": "Bo"},
                {"kind": "surname", "value": "Abel"},
            ]
        },
        "nicknames": {"1": {"name": "Bobby"}},
        "notes": {"1": {"note": "a query note"}},
        "onlineServices": {"1": {"service": "Mastodon", "user": "@bo"}},
        "addresses": {"1": {"components": [{"kind": "locality", "value": "Rome"}]}},
        "created": "2022-01-01T00:00:00Z",
        "updated": "2023-01-01T00:00:00Z",
        "uid": "query-bo",
    },
    "team": {
        "kind": "group",
        "name": {"full": "Query team"},
        "members": {"query-ann": True},
        "created": "2021-01-01T00:00:00Z",
        "uid": "query-team",
    },
}
FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"uid": "query-bo"}, ["bo"]),
    ({"hasMember": "query-ann"}, ["team"]),
    ({"kind": "group"}, ["team"]),
    ({"kind": "individual"}, ["ann", "bo"]),
    ({"createdBefore": "2021-01-01T00:00:00Z"}, ["ann"]),
    ({"createdAfter": "2021-01-01T00:00:00Z"}, ["bo", "team"]),
    ({"updatedBefore": "2024-01-01T00:00:00Z"}, ["bo"]),
    ({"updatedAfter": "2024-01-01T00:00:00Z"}, ["ann", "team"]),
    ({"text": "query"}, ["ann", "bo", "team"]),
    ({"text": "query lab"}, ["ann"]),
    ({"name": "zoe"}, ["ann"]),
    ({"name/given": "an"}, ["ann"]),
    ({"name/surname": "abel"}, ["bo"]),
    ({"name/surname2": "ruiz"}, ["ann"]),
    ({"nickname": "bobby"}, ["bo"]),
    ({"organization": "lab"}, ["ann"]),
    ({"email": "ann@query"}, ["ann"]),
    ({"phone": "123"}, ["ann"]),
    ({"onlineService": "mastodon"}, ["bo"]),
    ({"address": "rome"}, ["bo"]),
    ({"note": "note"}, ["bo"]),
    ({"text": "nowhere"}, []),
]


def test_queries(cat: Jmap) -> None:
    made = cat.call("AddressBook/set", create={"q": {"name": "Q"}})["created"]["q"]["id"]
    ids = {name: create(cat, made, **card)["id"] for name, card in CARDS.items()}
    names = {id_: name for name, id_ in ids.items()}
    here = {"inAddressBook": made}

    def query(filter_: dict[str, Any], *sort: dict[str, Any]) -> list[str]:
        asked = {"operator": "AND", "conditions": [here, filter_]}
        found = cat.call("ContactCard/query", filter=asked, sort=list(sort))
        return [names[id_] for id_ in found["ids"]]

    for filter_, wanted in FILTERS:
        assert sorted(query(filter_)) == wanted, filter_
    for either in (
        {"kind": "group"},
        {"uid": "no-such"},
        {"inAddressBook": "B999999"},
        {"kind": ""},
    ):
        said = cat.call("ContactCard/query", filter={"operator": "NOT", "conditions": [either]})
        assert (set(ids.values()) <= set(said["ids"])) is (either != {"kind": "group"})
    asked = {"operator": "OR", "conditions": [{"kind": "group"}, {"nickname": "bobby"}]}
    both = cat.call("ContactCard/query", filter={"operator": "AND", "conditions": [here, asked]})
    assert sorted(names[id_] for id_ in both["ids"]) == ["bo", "team"]
    assert cat.call("ContactCard/query", filter={"inAddressBook": "x"})["ids"] == []
    assert query({}, {"property": "name/surname"}) == ["team", "bo", "ann"]
    assert query({}, {"property": "name/given", "isAscending": False}) == ["bo", "ann", "team"]
    assert query({}, {"property": "created"}) == ["ann", "team", "bo"]
    assert query({}, {"property": "updated", "isAscending": False}) == ["team", "ann", "bo"]
    assert query({}, {"property": "name/surname2"}) == ["bo", "team", "ann"]
    sort = [{"property": "name/surname"}]
    before = cat.call("ContactCard/query", filter=here, sort=sort, calculateTotal=True)
    assert before["total"] == 3 and before["canCalculateChanges"]
    extra = create(cat, made, name={"components": [{"kind": "surname", "value": "Mid"}]})["id"]
    changes = cat.call(
        "ContactCard/queryChanges", filter=here, sort=sort, sinceQueryState=before["queryState"]
    )
    assert changes["added"] == [{"id": extra, "index": 2}]
    error = cat.call("ContactCard/query", filter={"x": "y"})
    assert error["error"] == "unsupportedFilter"
    for wrong in ({"kind": 5}, {"createdBefore": "yesterday"}):
        assert cat.call("ContactCard/query", filter=wrong)["error"] == "invalidArguments"
    assert cat.call("ContactCard/query", sort=[{"property": "uid"}])["error"] == "unsupportedSort"
    cat.call("AddressBook/set", destroy=[made], onDestroyRemoveContents=True)


def test_others_see_nothing_and_readers_write_nothing(
    server: ServerProcess, cat: Jmap, book: str
) -> None:
    made = create(cat, book, name={"full": "Secret"})["id"]
    bob = Jmap(server, basic(BOB))
    assert bob.call("ContactCard/get", ids=[made])["notFound"] == [made]
    assert bob.call("AddressBook/get", ids=[book])["notFound"] == [book]
    assert bob.call("ContactCard/set", destroy=[made])["notDestroyed"][made]["type"] == "notFound"
    assert create(bob, book, name={"full": "x"})["properties"] == ["addressBookIds"]
    found = bob.request(["ContactCard/get", {"accountId": cat.account, "ids": None}, "c"])
    assert found.body["methodResponses"][0][1]["type"] == "accountNotFound"
    copied = cat.call("ContactCard/copy", fromAccountId=bob.account, create={})
    assert copied["error"] == "fromAccountNotFound"
    reader = server.perform("account.app-password.add", address=CAT, name="r", read_only=True)
    reading = Jmap(server, basic(CAT, reader["secret"]))
    assert reading.get("ContactCard", made, "name")["name"] == {"full": "Secret"}
    assert reading.call("ContactCard/set", destroy=[made])["error"] == "accountReadOnly"
    rights = reading.get("AddressBook", book, "myRights")["myRights"]
    assert rights == {"mayRead": True, "mayWrite": False, "mayShare": False, "mayDelete": False}


OWNER, READER, STRANGER = "olga@example.test", "rita@example.test", "sten@example.test"
PRINCIPALS = "urn:ietf:params:jmap:principals"
READ = {"mayRead": True, "mayWrite": False, "mayShare": False, "mayDelete": False}
WRITE = {**READ, "mayWrite": True}


def in_account(jmap: Jmap, account: str, name: str, **arguments: Any) -> Any:
    found = jmap.request([name, {"accountId": account, **arguments}, "c"])
    ((kind, answer, _), *_rest) = found.body["methodResponses"]
    return answer if kind == name else {"error": answer["type"]}


def test_books_are_shared(server: ServerProcess) -> None:
    for address in (OWNER, READER, STRANGER):
        server.perform("account.add", address=address, password=PASSWORD, name=address[:4])
    owner, reader = Jmap(server, basic(OWNER)), Jmap(server, basic(READER))
    (own,) = owner.call("AddressBook/get", ids=None)["list"]
    made = owner.call("AddressBook/set", create={"t": {"name": "Team"}})["created"]["t"]["id"]
    secret = create(owner, own["id"], name={"full": "Secret"})["id"]
    card = create(owner, made, name={"full": "Shared"}, uid="shared")["id"]
    query = owner.call("Principal/query", filter={"email": READER.upper()})
    (them,) = query["ids"]
    assert owner.call("Principal/query", filter={"email": "rita"})["ids"] == []
    assert owner.get("Principal", them, "type", "email", "accounts", "name") == {
        "id": them,
        "type": "individual",
        "name": READER,
        "email": READER,
        "accounts": None,
    }
    assert "A" + them[1:] not in str(owner.call("Principal/get", ids=None))
    shared = owner.call("AddressBook/set", update={made: {f"shareWith/{them}": READ}})
    assert shared["updated"] == {made: None}
    assert owner.get("AddressBook", made, "shareWith")["shareWith"] == {them: READ}

    reader = Jmap(server, basic(READER))
    theirs = reader.session["accounts"][owner.account]
    assert (theirs["name"], theirs["isPersonal"], theirs["isReadOnly"]) == (OWNER, False, True)
    me = reader.session["accounts"][reader.account]["accountCapabilities"][PRINCIPALS]
    assert me == {"currentUserPrincipalId": them}
    (book,) = in_account(reader, owner.account, "AddressBook/get", ids=None)["list"]
    assert (book["id"], book["myRights"], book["shareWith"]) == (made, READ, None)
    assert (
        not book["isSubscribed"] and owner.get("AddressBook", made, "isSubscribed")["isSubscribed"]
    )
    state = in_account(reader, owner.account, "AddressBook/get", ids=[])["state"]
    patches = {made: {"isSubscribed": True}, "B999": {"isSubscribed": True}}
    said = in_account(reader, owner.account, "AddressBook/set", update=patches)
    assert (said["updated"], said["notUpdated"]["B999"]["type"]) == ({made: None}, "notFound")
    assert in_account(reader, owner.account, "AddressBook/changes", sinceState=state)[
        "updated"
    ] == [made]
    for patch in ({"name": "Mine"}, {"isSubscribed": False, "sortOrder": 7}):
        said = in_account(reader, owner.account, "AddressBook/set", update={made: patch})
        assert said["notUpdated"][made]["type"] == "forbidden"
    said = in_account(reader, owner.account, "AddressBook/set", destroy=[made])
    assert said["notDestroyed"][made]["type"] == "forbidden"
    (book,) = in_account(reader, owner.account, "AddressBook/get", ids=None)["list"]
    assert (book["isSubscribed"], book["name"], book["sortOrder"]) == (True, "Team", 0)
    owner.call("AddressBook/set", update={made: {"isSubscribed": False}})
    got = in_account(reader, owner.account, "ContactCard/get", ids=None)
    assert [one["id"] for one in got["list"]] == [card]
    hidden = in_account(reader, owner.account, "ContactCard/get", ids=[secret, card])
    assert hidden["notFound"] == [secret]
    assert in_account(reader, owner.account, "ContactCard/query")["ids"] == [card]
    refused = in_account(reader, owner.account, "ContactCard/set", destroy=[card])
    assert refused["error"] == "accountReadOnly"
    (known,) = [one for one in reader.call("Principal/get", ids=None)["list"] if one["id"] != them]
    assert (known["name"], list(known["accounts"])) == ("olga", [owner.account])

    (told,) = reader.call("ShareNotification/get", ids=None)["list"]
    assert told == {
        "id": told["id"],
        "created": told["created"],
        "changedBy": {
            "name": "olga",
            "email": OWNER,
            "principalId": known["id"],
        },
        "objectType": "AddressBook",
        "objectAccountId": owner.account,
        "objectId": made,
        "oldRights": None,
        "newRights": READ,
        "name": "Team",
    }
    before = reader.call("ShareNotification/get", ids=[])["state"]
    owner.call("AddressBook/set", update={made: {f"shareWith/{them}/mayWrite": True}})
    (second,) = reader.call("ShareNotification/changes", sinceState=before)["created"]
    asked = {"filter": {"objectType": "AddressBook"}, "sort": [{"property": "created"}]}
    listed = reader.call("ShareNotification/query", **asked)
    assert sorted(listed["ids"]) == sorted([told["id"], second])
    assert reader.call("ShareNotification/query", filter={"objectType": "Mailbox"})["ids"] == []
    late = {"after": "2100-01-01T00:00:00Z"}
    assert reader.call("ShareNotification/query", filter=late)["ids"] == []
    done = reader.call(
        "ShareNotification/set",
        create={"a": {}},
        update={second: {"name": "x"}},
        destroy=[told["id"], "N999999", "x"],
    )
    assert done["destroyed"] == [told["id"]] and set(done["notDestroyed"]) == {"N999999", "x"}
    assert done["notCreated"]["a"]["type"] == done["notUpdated"][second]["type"] == "forbidden"
    assert owner.call("ShareNotification/get", ids=None)["list"] == []
    reader = Jmap(server, basic(READER))
    assert reader.session["accounts"][owner.account]["isReadOnly"] is False
    state = in_account(reader, owner.account, "ContactCard/get", ids=[])["state"]
    assert (
        in_account(reader, owner.account, "ContactCard/changes", sinceState=got["state"])["error"]
        == "cannotCalculateChanges"
    )
    new = in_account(
        reader,
        owner.account,
        "ContactCard/set",
        create={"n": {"addressBookIds": {made: True}, "name": {"full": "New"}}},
        update={secret: {"name": {"full": "x"}}, card: {"addressBookIds": {own["id"]: True}}},
    )
    assert new["created"]["n"]["id"] and new["notUpdated"][secret]["type"] == "notFound"
    assert new["notUpdated"][card]["type"] == "invalidProperties"
    owner.call("ContactCard/set", update={card: {"addressBookIds": {own["id"]: True}}})
    told = in_account(reader, owner.account, "ContactCard/changes", sinceState=state)
    assert (told["created"], told["destroyed"]) == ([new["created"]["n"]["id"]], [card])
    for change in ({"name": "Mine"}, {"shareWith": None}):
        answer = in_account(reader, owner.account, "AddressBook/set", update={made: change})
        wanted = {made: None} if change == {"shareWith": None} else None
        assert answer["updated"] == wanted
    answer = in_account(
        reader, owner.account, "AddressBook/set", destroy=[made], create={"a": {"name": "b"}}
    )
    assert answer["notDestroyed"][made]["type"] == "forbidden"
    assert answer["notCreated"]["a"]["type"] == "forbidden"
    (mine,) = reader.call("AddressBook/get", ids=None)["list"]
    found = reader.request(
        [
            "ContactCard/copy",
            {
                "fromAccountId": owner.account,
                "accountId": reader.account,
                "create": {
                    "c": {"id": new["created"]["n"]["id"], "addressBookIds": {mine["id"]: True}},
                    "d": {"id": card, "addressBookIds": {mine["id"]: True}},
                },
                "onSuccessDestroyOriginal": True,
            },
            "c",
        ]
    )
    (_, copied, _), (name, destroyed, _) = found.body["methodResponses"]
    assert reader.get("ContactCard", copied["created"]["c"]["id"], "name")["name"]["full"] == "New"
    assert copied["notCreated"]["d"]["type"] == "notFound"
    assert (name, destroyed["destroyed"]) == ("ContactCard/set", [new["created"]["n"]["id"]])

    owner.call("AddressBook/set", update={made: {"shareWith": None}})
    gone = in_account(reader, owner.account, "ContactCard/get", ids=None)
    assert gone["error"] == "accountNotFound"
    stranger = Jmap(server, basic(STRANGER))
    assert list(stranger.session["accounts"]) == [stranger.account]
    for wrong in ({them: {"mayWrite": True}}, {them: {"x": True}}, {"P1": READ}, {them: 5}):
        answer = owner.call("AddressBook/set", update={made: {"shareWith": wrong}})
        assert answer["notUpdated"][made]["properties"] == ["shareWith"], wrong
