"""Who may do what to whom: the table, its edges, and that the page for people says the same."""

from pathlib import Path

import pytest

from auth.roles import TABLE, Actor, Right, Role, Scope, actor_of, may
from storage.directory_values import Account
from storage.values import AccountId

HERE, THERE = "here.test", "there.test"


def account(
    number: int, domain: str = HERE, *, admin: bool = False, administers: tuple[str, ...] = ()
) -> Account:
    address = f"a{number}@{domain}"
    return Account(
        *(AccountId(number), address, address, "", ""),
        *(True, admin, 0, 0, 0.0),
        administers=administers,
    )


def actor(who: Account) -> Actor:
    found = actor_of(who)
    assert found is not None
    return found


USER, OTHER, STRANGER = account(1), account(2), account(3, THERE)
LOCAL, LOCAL_TOO = account(4, administers=(HERE,)), account(5, administers=(HERE,))
WIDER = account(6, administers=(HERE, THERE))
ADMIN, ADMIN_TOO = account(7, admin=True), account(8, admin=True)


def test_every_right_has_a_row_and_administrators_have_them_all() -> None:
    assert set(TABLE) == set(Right)
    assert all(row[2] is Scope.ALL for row in TABLE.values())
    order = [Scope.NOBODY, Scope.OWN, Scope.DOMAINS, Scope.ALL]
    assert all([order.index(one) for one in row] == sorted(map(order.index, row))
               for row in TABLE.values())  # fmt: skip


@pytest.mark.parametrize("right", Right, ids=lambda right: right.name.lower())
def test_users_do_to_others_nothing(right: Right) -> None:
    for target in (OTHER, STRANGER, LOCAL, ADMIN, HERE, THERE, "", None):
        assert not may(actor(USER), right, target)
    assert may(actor(USER), right, USER) is (TABLE[right][0] is Scope.OWN)


@pytest.mark.parametrize("right", Right, ids=lambda right: right.name.lower())
def test_domain_administrators_stay_within_their_domains(right: Right) -> None:
    within = TABLE[right][1] is Scope.DOMAINS
    assert may(actor(LOCAL), right, OTHER) is within
    assert may(actor(LOCAL), right, HERE) is within
    for target in (STRANGER, ADMIN, THERE, "", None):
        assert not may(actor(LOCAL), right, target)


def test_a_domain_administrator_touches_nobody_who_may_more() -> None:
    assert may(actor(LOCAL), Right.ACCOUNT_PASSWORD, LOCAL_TOO)
    assert may(actor(WIDER), Right.ACCOUNT_PASSWORD, LOCAL)
    # whoever set this password would administer THERE
    assert not may(actor(LOCAL), Right.ACCOUNT_PASSWORD, WIDER)
    assert not may(actor(LOCAL), Right.ACCOUNT_DELETE, account(9, admin=True))


def test_a_domain_administrator_does_to_itself_what_users_do() -> None:
    for right in Right:
        assert may(actor(LOCAL), right, LOCAL) is may(actor(USER), right, USER)


def test_nobody_gives_itself_a_role() -> None:
    assert may(actor(ADMIN), Right.ACCOUNT_ROLE, LOCAL)
    assert may(actor(ADMIN), Right.ACCOUNT_ROLE, ADMIN_TOO)
    for one in (USER, LOCAL, ADMIN):
        assert not may(actor(one), Right.ACCOUNT_ROLE, one)


def test_who_administers_is_not_acted_for() -> None:
    assert may(actor(ADMIN), Right.LOG_IN_AS, USER)
    for target in (ADMIN, ADMIN_TOO, LOCAL):
        assert not may(actor(ADMIN), Right.LOG_IN_AS, target)


def test_a_disabled_account_acts_as_nobody() -> None:
    off = Account(AccountId(9), "x@here.test", "x@here.test", "", "", False, True, 0, 0, 0.0)
    assert actor_of(off) is None


def test_the_page_says_what_the_table_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "roles.md").read_text("utf-8")
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in page.splitlines()
        if line.startswith("| ")
    ]
    assert [role.value for role in Role] == list(rows[0][1:])
    assert rows[1:] == [
        (right.value, *(scope.value for scope in row)) for right, row in TABLE.items()
    ]
