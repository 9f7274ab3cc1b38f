"""What the spam figures rest on: mail without what gives its label away, cuts and ranges."""

from pathlib import Path

import pytest

from tests.bench.spam_corpus import newer, older, stripped
from tests.bench.spam_figures import Scores, Share

MAIL = b"""From list-admin@taint.org Thu Aug 22 12:36:23 2002
Return-Path: <x@spammer.example>
Delivered-To: zzzz@localhost.netnoteinc.com
Received: from localhost (localhost [127.0.0.1])
\tby phobos.labs.netnoteinc.com (Postfix); Thu, 22 Aug 2002 07:36:16 -0400
Received: from ratree.psu.ac.th ([202.28.97.6])
\tby dogma.slashnull.org for <zzzz@jmason.org>; Thu, 22 Aug 2002 07:18:55 -0400
From: Ann <ann@a.example.org>
To: yyyy@spamassassin.taint.org
X-Spam-Status: Yes
List-Id: <list.example.org>
Precedence: bulk
Subject: Hello

Dear zzzz@jmason.org, bye.
"""


def test_what_tells_the_label_is_taken_out() -> None:
    assert stripped(MAIL) == (
        b"Received: from ratree.psu.ac.th ([202.28.97.6])\n"
        b"\tby mx.mail.example for <someone@mail.example>; Thu, 22 Aug 2002 07:18:55 -0400\n"
        b"From: Ann <ann@a.example.org>\n"
        b"To: someone@mail.example\n"
        b"Subject: Hello\n\nDear someone@mail.example, bye.\n"
    )


def test_the_parts_are_cut_by_time_and_share_no_body(tmp_path: Path) -> None:
    for group, count in (("easy-ham-1", 10), ("spam-1", 10)):
        (tmp_path / group).mkdir()
        for number in range(count):
            date = f"Received: from a.example by b.example; {number + 1} Aug 2002 07:00:00 +0000\n"
            text = "the same\n" if number in (2, 8) else f"text {group} {number}\n"
            (tmp_path / group / f"{count - number:02}.txt").write_text(f"{date}\n{text}")
    before, after = older(tmp_path), newer(tmp_path)
    assert [mail.spam for mail in before].count(True) == 7
    assert max(mail.date for mail in before) < min(mail.date for mail in after)
    assert sorted(mail.name for mail in after) == [
        "easy-ham-1/01",
        "easy-ham-1/03",
        "spam-1/01",
        "spam-1/03",
    ]


def test_a_cut_leaves_so_many_ham_above() -> None:
    found = Scores([5.0, 4.0, 3.0, 2.0, 1.0], [True, False, True, False, True])
    assert found.cut(0) == 4.0
    assert found.at(0) == Share(1, 3)
    assert found.cut(1) == 2.0
    assert found.wrong(found.cut(1)) == Share(1, 2)
    assert found.at(1) == Share(2, 3)


def test_ranges_are_those_of_wilson() -> None:
    low, high = Share(510, 566).between
    assert (low, high) == pytest.approx((87.4, 92.3), abs=0.1)
    assert Share(0, 1245).between == pytest.approx((0.0, 0.31), abs=0.01)
