"""What a user's change says about a message, step by step as clients do it."""

from filters.spam.signs import Place, came, flagged, mark_of, place_of
from storage.spam_values import NOTHING, Known, Label


def words(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_the_spellings_of_clients() -> None:
    for junk in ("$junk", "junk"):
        assert mark_of(words(junk, "\\seen")) is Label.SPAM
    for good in ("$notjunk", "nonjunk", "notjunk"):
        assert mark_of(words(good)) is Label.HAM
    assert mark_of(words("junk", "nonjunk")) is Label.NONE
    assert mark_of(words("junkrecorded")) is Label.NONE


def test_places() -> None:
    assert place_of("\\Junk", "Werbung") is Place.JUNK
    assert place_of("", "Junk") is place_of("", "Spam") is Place.JUNK
    assert place_of("\\Archive", "Junk") is Place.OTHER
    assert place_of("\\Trash", "Deleted") is Place.TRASH


def test_what_the_server_filed_says_nothing() -> None:
    known, said = came(Place.JUNK, words("$junk"), False, NOTHING)
    assert (known, said) == (Known(in_junk=True, mark=Label.SPAM), None)
    assert flagged(words("$junk"), False, known)[1] is None  # it was read
    assert came(Place.TRASH, words("$junk"), True, known)[1] is None  # it was thrown away


def test_what_a_script_marked_elsewhere_says_nothing_either() -> None:
    known, said = came(Place.OTHER, words("$junk"), False, NOTHING)
    assert (known, said) == (Known(mark=Label.SPAM), None)
    assert flagged(words("$junk"), False, known)[1] is None  # it was read
    assert came(Place.OTHER, words("$junk"), True, known)[1] is None  # it was moved
    assert flagged(words(), False, known)[1] is None
    assert flagged(words("$notjunk"), False, known)[1] is Label.HAM


def test_into_junk_and_out_of_it_by_hand() -> None:
    known, said = came(Place.JUNK, words(), True, NOTHING)
    assert said is Label.SPAM
    known, said = came(Place.OTHER, words(), True, known)
    assert (said, known.in_junk) == (Label.HAM, False)
    assert came(Place.OTHER, words(), True, known)[1] is None


def test_out_of_trash_what_was_in_junk_is_ham() -> None:
    known, _ = came(Place.JUNK, words(), False, NOTHING)
    known, said = came(Place.TRASH, words(), True, known)
    assert (said, known.in_junk) == (None, True)
    assert came(Place.OTHER, words(), True, known)[1] is Label.HAM


def test_ordinary_moves_and_mail_that_comes_say_nothing() -> None:
    for place in (Place.OTHER, Place.TRASH):
        for by_user in (True, False):
            assert came(place, words("$label1"), by_user, NOTHING) == (NOTHING, None)


def test_marks_say_what_they_are_once() -> None:
    known, said = flagged(words("junk"), False, NOTHING)
    assert said is Label.SPAM
    assert flagged(words("junk", "$label1"), False, known)[1] is None
    known, said = flagged(words("nonjunk"), False, known)
    assert said is Label.HAM


def test_a_mark_taken_off_takes_back_what_it_said() -> None:
    marked = Known(False, Label.SPAM, Label.SPAM)
    assert flagged(words(), False, marked) == (Known(False, Label.NONE, Label.SPAM), Label.NONE)
    moved = Known(True, Label.SPAM, Label.SPAM)
    assert flagged(words(), False, moved)[1] is None


def test_a_mark_that_comes_with_a_copy_counts_wherever_it_goes() -> None:
    assert came(Place.TRASH, words("$junk"), True, NOTHING)[1] is Label.SPAM
    assert came(Place.OTHER, words("nonjunk"), True, NOTHING)[1] is None


def test_what_its_reader_answers_is_ham_until_he_says_else() -> None:
    assert flagged(words(), True, NOTHING)[1] is Label.HAM
    assert flagged(words("$label1"), True, Known(learned=Label.HAM))[1] is None
    assert flagged(words(), True, Known(in_junk=True))[1] is None
    assert flagged(words("junk"), True, NOTHING)[1] is Label.SPAM
