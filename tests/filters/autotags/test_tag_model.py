"""What is learned of a tag, from which messages, and when it is never given."""

from array import array
from random import Random

from filters.autotags.choosing import BY_ITSELF, OTHERS, TAGGED, Seen, choose
from filters.autotags.model import ENOUGH, Example, learn
from storage.values import MailboxId

BOX = MailboxId(1)


def mail(random: Random, words: range) -> "array[int]":
    """A few words of a topic among those that all mail has."""
    own, common = random.sample(words, 12), random.sample(range(10_000, 10_200), 40)
    return array("I", sorted({*own, *common}))


def examples(count: int, *, told_apart: bool = True) -> list[Example]:
    random = Random(5)
    topic, rest = range(100, 160), range(500, 900)
    other = rest if told_apart else topic
    tagged = [(mail(random, topic), True) for _ in range(count)]
    found = [*tagged, *((mail(random, other), False) for _ in range(2 * count))]
    random.shuffle(found)
    return found


def test_a_topic_is_learned_and_told_from_other_mail() -> None:
    model = learn("work", examples(40))
    assert model is not None and model.is_used
    assert (model.tagged, model.right) == (40, model.given) and model.given > 30
    random = Random(9)
    assert all(model.fits(mail(random, range(100, 160))) for _ in range(20))
    assert not any(model.fits(mail(random, range(500, 900))) for _ in range(20))
    assert not model.fits(array("I"))


def test_what_cannot_be_told_apart_is_never_given() -> None:
    model = learn("mood", examples(60, told_apart=False))
    assert model is not None and not model.is_used
    random = Random(9)
    assert not any(model.fits(mail(random, range(100, 160))) for _ in range(50))


def test_too_few_teach_nothing() -> None:
    few = [one for one in examples(40) if not one[1]] + examples(40)[:3]
    assert sum(wanted for _, wanted in few) < ENOUGH
    assert learn("work", few) is None


def test_which_messages_are_learned_from() -> None:
    mark = BY_ITSELF.lower()
    tagged = [Seen(BOX, uid, frozenset({"work"})) for uid in range(1, 301)]
    others = [Seen(BOX, uid, frozenset()) for uid in range(301, 5001)]
    by_itself = [Seen(BOX, 6000, frozenset({"work", mark}))]
    mistakes = [Seen(BOX, uid, frozenset({mark})) for uid in (7000, 7001)]
    chosen = choose([*tagged, *others, *by_itself, *mistakes], "Work")
    assert [one.uid for one in chosen.tagged] == list(range(301 - TAGGED, 301))
    assert [one.uid for one in chosen.others[:2]] == [7000, 7001]
    assert OTHERS - 100 < len(chosen.others) <= OTHERS
    assert 6000 not in {one.uid for one in chosen.all}
