"""The algorithms of THREAD: REFERENCES and ORDEREDSUBJECT (RFC 5256 §3), and REFS of
draft-ietf-morg-inthread.

Pure, in pieces, and without recursion: a chain of replies may be as long as the mailbox. A message
is a place in the columns of Keys; places ascend like sequence numbers, so that they settle equal
dates. A dummy stands for a message that is named but not there. Trees are lists of numbers, which
cost the garbage collector nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from message.pieces import Pieces, order_by

DUMMY: Final = -1
NONE: Final = -1
_BLOCK: Final = 200
_BUDGET: Final = 5_000


class Keys(NamedTuple):
    """Columns by message. `dates` are those to sort by: when sent, for REFS when received. `ids`
    number the Message-IDs (DUMMY: none), `references` has the numbers that a message names.
    """

    dates: Sequence[float]
    subjects: Sequence[str] = ()
    replies: Sequence[bool] = ()
    ids: Sequence[int] = ()
    references: Sequence[tuple[int, ...]] = ()


class Forest:
    """Trees of nodes: `messages` by node, its first and last child, and the sibling behind it."""

    __slots__ = ("_first", "_following", "_last", "messages", "roots")

    def __init__(self, messages: list[int]) -> None:
        self.messages = messages
        self._first = [NONE] * len(messages)
        self._last = [NONE] * len(messages)
        self._following = [NONE] * len(messages)
        self.roots: list[int] = []

    def add_dummy(self) -> int:
        """A further node, with nothing below it."""
        for column in (self.messages, self._first, self._last, self._following):
            column.append(NONE)
        return len(self.messages) - 1

    def put(self, node: int, parent: int) -> None:
        """Makes a node the last child of another."""
        self._following[node] = NONE
        if self._first[parent] == NONE:
            self._first[parent] = node
        else:
            self._following[self._last[parent]] = node
        self._last[parent] = node

    def replace(self, parent: int, children: Sequence[int]) -> None:
        """Makes these the children of a node, in this order."""
        self._first[parent] = self._last[parent] = NONE
        for node in children:
            self.put(node, parent)

    def first(self, node: int) -> int:
        """The first child, or NONE."""
        return self._first[node]

    def only_child(self, node: int) -> int:
        """The child of a node that has one, else NONE."""
        child = self._first[node]
        return child if child != NONE and self._following[child] == NONE else NONE

    def children(self, node: int) -> Iterator[int]:
        """The children in order."""
        child = self._first[node]
        while child != NONE:
            yield child
            child = self._following[child]

    def leading(self, root: int) -> int:
        """The message that stands for a root: of a dummy that of its first child."""
        message = self.messages[root]
        return message if message != DUMMY else self.messages[self._first[root]]


def ordered_subject(messages: Sequence[int], keys: Keys) -> Pieces[Forest]:
    """Messages of one base subject: the first that was sent, the others below it."""
    forest = Forest((yield from order_by(messages, keys.dates)))
    threads: dict[str, int] = {}
    for node, message in enumerate(forest.messages):
        first = threads.setdefault(keys.subjects[message], node)
        if first == node:
            forest.roots.append(node)
        else:
            forest.put(node, first)
        if node % _BLOCK == 0:
            yield
    return forest


def references(messages: Sequence[int], keys: Keys) -> Pieces[Forest]:
    """The six steps of REFERENCES."""
    forest, _ = yield from _grown(messages, keys)
    yield from _Subjects(forest, keys).merge()
    return forest


def refs(messages: Sequence[int], keys: Keys) -> Pieces[Forest]:
    """As REFERENCES without a look at subjects; the thread that received mail last comes last."""
    forest, links = yield from _grown(messages, keys)
    tops = yield from links.tops()
    order = yield from order_by(messages, keys.dates)
    newest: dict[int, None] = {}
    for done, message in enumerate(reversed(order)):
        newest.setdefault(tops[links.nodes[message]])
        if done % _BLOCK == 0:
            yield
    forest.roots = list(reversed(newest))
    return forest


class _Links:
    """Step 1: the parent of every node by Message-ID. `nodes` are those of the messages."""

    __slots__ = ("_budget", "_keys", "_table", "_with_children", "messages", "nodes", "parents")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._table: dict[int, int] = {}
        self._with_children = bytearray()
        self._budget = _BUDGET
        self.messages: list[int] = []
        self.parents: list[int] = []
        self.nodes: dict[int, int] = {}

    def _made(self) -> int:
        self.messages.append(DUMMY)
        self.parents.append(NONE)
        self._with_children.append(0)
        return len(self.messages) - 1

    def link(self, messages: Sequence[int]) -> Pieces[None]:
        """Makes a node of every message and every message that is named."""
        table, parents = self._table, self.parents
        ids, named = self._keys.ids, self._keys.references
        for done, message in enumerate(messages):
            parent = NONE
            for number in named[message]:
                node = table.get(number, NONE)
                if node == NONE:
                    node = table[number] = self._made()
                if parents[node] == NONE and parent != NONE:
                    self._put_below(node, parent)
                parent = node
            node = self.nodes[message] = self._named(ids[message])
            self.messages[node] = message
            # The last reference is the parent, whatever truncated References of others said.
            if parents[node] != parent:
                parents[node] = NONE
                if parent != NONE:
                    self._put_below(node, parent)
            if done % _BLOCK == 0 or self._budget < 0:
                self._budget = _BUDGET
                yield

    def _named(self, number: int) -> int:
        """The node of a Message-ID; one of its own where there is none or it was used before."""
        if number == DUMMY:
            return self._made()
        node = self._table.get(number, NONE)
        if node == NONE:
            node = self._table[number] = self._made()
        return node if self.messages[node] == DUMMY else self._made()

    def _put_below(self, node: int, parent: int) -> None:
        """Unless that made a loop."""
        if self._with_children[node] or node == parent:
            above = parent
            while above != NONE:
                if above == node:
                    return
                above = self.parents[above]
                self._budget -= 1
        self.parents[node] = parent
        self._with_children[parent] = 1

    def prune(self) -> Pieces[None]:
        """Steps 2 and 3: a dummy gives way to its children; at the top only to a single one."""
        parents, messages = self.parents, self.messages
        below: dict[int, int] = {}
        for done, node in enumerate(self.nodes.values()):
            parent = parents[node]
            while parent != NONE and messages[parent] == DUMMY and parents[parent] != NONE:
                parent = parents[parent]
                self._budget -= 1
            self._shorten(node, parent)
            if parent != NONE and messages[parent] == DUMMY:
                below[parent] = below.get(parent, 0) + 1
            if done % _BLOCK == 0 or self._budget < 0:
                self._budget = _BUDGET
                yield
        for done, node in enumerate(self.nodes.values()):
            if below.get(parents[node]) == 1:
                parents[node] = NONE
            if done % _BLOCK == 0:
                yield

    def _shorten(self, node: int, end: int) -> None:
        """The way up to `end`, which leads over dummies alone, is one step from here on."""
        while (parent := self.parents[node]) != end:
            self.parents[node] = end
            node = parent

    def tops(self) -> Pieces[list[int]]:
        """The root above each node."""
        tops = [NONE] * len(self.parents)
        for done, start in enumerate(self.nodes.values()):
            way, node = [], start
            while tops[node] == NONE and self.parents[node] != NONE:
                way.append(node)
                node = self.parents[node]
            top = tops[node] = node if tops[node] == NONE else tops[node]
            for node in way:
                tops[node] = top
            self._budget -= len(way)
            if done % _BLOCK == 0 or self._budget < 0:
                self._budget = _BUDGET
                yield
        return tops


def _grown(messages: Sequence[int], keys: Keys) -> Pieces[tuple[Forest, _Links]]:
    """Steps 1 to 4 and 6: put in by date, siblings and roots are in order."""
    links = _Links(keys)
    yield from links.link(messages)
    yield from links.prune()
    forest, parents = Forest(links.messages), links.parents
    order = yield from order_by(messages, keys.dates)
    for done, message in enumerate(order):
        node = links.nodes[message]
        parent = parents[node]
        if parent == NONE:
            forest.roots.append(node)
        else:
            if forest.messages[parent] == DUMMY and forest.first(parent) == NONE:
                forest.roots.append(parent)
            forest.put(node, parent)
        if done % _BLOCK == 0:
            yield
    return forest, links


class _Subjects:
    """Step 5: gathers threads of the same base subject."""

    __slots__ = ("_added", "_forest", "_gone", "_keys", "_table")

    def __init__(self, forest: Forest, keys: Keys) -> None:
        self._forest, self._keys = forest, keys
        self._table: dict[str, int] = {}
        self._added: dict[int, list[int]] = {}
        self._gone: set[int] = set()

    def merge(self) -> Pieces[None]:
        roots = self._forest.roots
        for done, root in enumerate(roots):
            subject = self._subject(root)
            known = self._table.get(subject)
            if known is None or self._is_better(root, known):
                self._table[subject] = root
            if done % _BLOCK == 0:
                yield
        made: list[int] = []
        for done, root in enumerate(roots):
            subject = self._subject(root)
            known = self._table[subject]
            if subject and known != root:
                self._table[subject] = both = self._merged(known, root)
                if both != known:
                    made.append(both)
            if done % _BLOCK == 0:
                yield
        if self._added:
            yield from self._settle(made)

    def _subject(self, root: int) -> str:
        return self._keys.subjects[self._forest.leading(root)]

    def _is_dummy(self, root: int) -> bool:
        return self._forest.messages[root] == DUMMY

    def _is_reply(self, root: int) -> bool:
        message = self._forest.messages[root]
        return message != DUMMY and bool(self._keys.replies[message])

    def _is_better(self, root: int, known: int) -> bool:
        """Whether `root` is to stand for the subject instead."""
        if self._is_dummy(known):
            return False
        return self._is_dummy(root) or (self._is_reply(known) and not self._is_reply(root))

    def _merged(self, known: int, root: int) -> int:
        """The one that stands for the subject from here on."""
        self._gone.add(root)
        if self._is_dummy(known) and self._is_dummy(root):
            self._below(known, list(self._forest.children(root)))
        elif self._is_dummy(known) or (self._is_reply(root) and not self._is_reply(known)):
            self._below(known, [root])
        else:
            both = self._forest.add_dummy()
            self._forest.put(known, both)
            self._below(both, [root])
            self._gone.add(known)
            return both
        return known

    def _below(self, parent: int, nodes: list[int]) -> None:
        self._added.setdefault(parent, []).extend(nodes)

    def _settle(self, made: list[int]) -> Pieces[None]:
        """Puts the order right where something was added."""
        forest, dates = self._forest, self._keys.dates
        for done, (parent, nodes) in enumerate(self._added.items()):
            every = [*forest.children(parent), *nodes]
            every.sort(key=lambda node: (dates[forest.messages[node]], forest.messages[node]))
            forest.replace(parent, every)
            if done % _BLOCK == 0:
                yield
        roots: list[int] = []
        keys: list[tuple[float, int]] = []
        for done, root in enumerate((*forest.roots, *made)):
            if root not in self._gone:
                message = forest.leading(root)
                roots.append(root)
                keys.append((dates[message], message))
            if done % _BLOCK == 0:
                yield
        order = yield from order_by(range(len(roots)), keys)
        forest.roots = [roots[place] for place in order]


def written(forest: Forest, numbers: Sequence[int]) -> Pieces[bytes]:
    """As the response has it; `numbers` are sequence numbers or UIDs by message."""
    return "".join((yield from texts(forest, numbers))).encode()


def texts(forest: Forest, numbers: Sequence[int]) -> Pieces[list[str]]:
    """As `written`, root by root."""
    out: list[str] = []
    for done, root in enumerate(forest.roots):
        if forest.first(root) == NONE:
            out.append(f"({numbers[forest.messages[root]]})")
        else:
            out.append(_written(forest, root, numbers))
        if done % _BLOCK == 0:
            yield
    return out


def members(forest: Forest, root: int) -> Iterator[int]:
    """The messages of a thread, in no order."""
    stack = [root]
    while stack:
        node = stack.pop()
        if forest.messages[node] != DUMMY:
            yield forest.messages[node]
        stack += forest.children(node)


def _written(forest: Forest, root: int, numbers: Sequence[int]) -> str:
    """A chain is written flat; where it branches, each branch in parentheses."""
    messages, stack, out = forest.messages, [root], list[str]()
    while stack:
        node = stack.pop()
        if node == NONE:
            out.append(")")
            continue
        chain = [] if messages[node] == DUMMY else [numbers[messages[node]]]
        while (child := forest.only_child(node)) != NONE:
            node = child
            chain.append(numbers[messages[node]])
        text = "(" + str(chain)[1:-1].replace(",", "")
        if forest.first(node) == NONE:
            out.append(text + ")")
        else:
            out.append(text + " " if chain else text)
            stack.append(NONE)
            stack += reversed(list(forest.children(node)))
    return "".join(out)
