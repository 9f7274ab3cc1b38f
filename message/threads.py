"""The algorithms of THREAD: REFERENCES and ORDEREDSUBJECT (RFC 5256 §3), and REFS of
draft-ietf-morg-inthread.

Pure, in pieces, and without recursion: a chain of replies may be as long as the mailbox. A message
is a place in the columns of Keys; places ascend like sequence numbers, so that they settle equal
dates. A dummy stands for a message that is named but not there.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from message.pieces import Pieces, order_by

DUMMY: Final = -1
_BLOCK: Final = 200
_BUDGET: Final = 20_000


class Keys(NamedTuple):
    """Columns by message. `dates` are those to sort by: when sent, for REFS when received. `ids`
    number the Message-IDs (DUMMY: none), `references` has the numbers that a message names.
    """

    dates: Sequence[float]
    subjects: Sequence[str] = ()
    replies: Sequence[bool] = ()
    ids: Sequence[int] = ()
    references: Sequence[tuple[int, ...]] = ()


class Node:
    """A message, or a dummy, with what is below it."""

    __slots__ = ("children", "message", "parent")

    def __init__(self, message: int = DUMMY) -> None:
        self.message = message
        self.parent: Node | None = None
        self.children: list[Node] = []


def ordered_subject(messages: Sequence[int], keys: Keys) -> Pieces[list[Node]]:
    """Messages of one base subject: the first that was sent, the others below it."""
    by_date = yield from order_by(messages, keys.dates)
    threads: dict[str, Node] = {}
    for done, message in enumerate(by_date):
        node, subject = Node(message), keys.subjects[message]
        first = threads.setdefault(subject, node)
        if first is not node:
            first.children.append(node)
        if done % _BLOCK == 0:
            yield
    return list(threads.values())


def references(messages: Sequence[int], keys: Keys) -> Pieces[list[Node]]:
    """The six steps of REFERENCES."""
    forest = _Forest(keys)
    yield from forest.link(messages)
    yield from forest.prune()
    yield from forest.sort_roots()
    yield from forest.merge_subjects()
    yield from forest.sort_siblings()
    yield from forest.sort_roots()
    return forest.roots


def refs(messages: Sequence[int], keys: Keys) -> Pieces[list[Node]]:
    """As REFERENCES without a look at subjects; the thread that received mail last comes last."""
    forest = _Forest(keys)
    yield from forest.link(messages)
    yield from forest.prune()
    yield from forest.sort_siblings()
    yield from forest.sort_roots_by_last()
    return forest.roots


class _Forest:
    """The tree under construction; `nodes` has every node that was made."""

    __slots__ = ("_budget", "_keys", "nodes", "roots")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.nodes: list[Node] = []
        self.roots: list[Node] = []
        self._budget = _BUDGET

    def _made(self, message: int = DUMMY) -> Node:
        node = Node(message)
        self.nodes.append(node)
        return node

    # Step 1: links by Message-ID.

    def link(self, messages: Sequence[int]) -> Pieces[None]:
        """Makes a node of every message and every message that is named."""
        table: dict[int, Node] = {}
        known = table.get
        ids, named = self._keys.ids, self._keys.references
        for done, message in enumerate(messages):
            parent: Node | None = None
            for number in named[message]:
                node = known(number)
                if node is None:
                    node = table[number] = self._made()
                if node.parent is None and parent is not None:
                    self._put_below(node, parent)
                parent = node
            node = self._named(table, ids[message])
            node.message = message
            if node.parent is not parent:
                self._move_below(node, parent)
            if done % _BLOCK == 0 or self._budget < 0:
                self._budget = _BUDGET
                yield

    def _named(self, table: dict[int, Node], number: int) -> Node:
        """The node of a Message-ID; one of its own where there is none or it was used before."""
        if number == DUMMY:
            return self._made()
        node = table.get(number)
        if node is None:
            node = table[number] = self._made()
        return node if node.message == DUMMY else self._made()

    def _move_below(self, node: Node, parent: Node | None) -> None:
        """The last reference is the parent, whatever truncated References of others said."""
        if node.parent is not None:
            node.parent.children.remove(node)
            node.parent = None
        if parent is not None:
            self._put_below(node, parent)

    def _put_below(self, node: Node, parent: Node) -> None:
        """Unless that made a loop."""
        if node.children or node is parent:
            above: Node | None = parent
            while above is not None:
                if above is node:
                    return
                above = above.parent
                self._budget -= 1
        node.parent = parent
        parent.children.append(node)

    # Steps 2 and 3: roots, without dummies where they are not needed.

    def prune(self) -> Pieces[None]:
        """Puts the children of a dummy in its place; at the top only a single child."""
        for done, node in enumerate(self.nodes):
            parent = node.parent
            if node.message == DUMMY and parent is not None:
                at = parent.children.index(node)
                parent.children[at : at + 1] = node.children
                for child in node.children:
                    child.parent = parent
                node.children = []
            if done % _BLOCK == 0:
                yield
        for done, node in enumerate(self.nodes):
            if node.message == DUMMY and len(node.children) == 1:
                node.children[0].parent = None
                node.children = []
            if done % _BLOCK == 0:
                yield
        yield from self._gather()

    def _gather(self) -> Pieces[None]:
        """Roots are those without a parent, dummies only with children."""
        self.roots = []
        for start in range(0, len(self.nodes), _BLOCK):
            self.roots += [
                node
                for node in self.nodes[start : start + _BLOCK]
                if node.parent is None and (node.message != DUMMY or node.children)
            ]
            yield

    # Steps 4 and 6: order.

    def _date(self, node: Node) -> tuple[float, int]:
        """Of a dummy that of its first child."""
        message = node.message
        if message == DUMMY:
            message = node.children[0].message
        return self._keys.dates[message], message

    def sort_roots(self) -> Pieces[None]:
        """By date, that of a dummy's first child."""
        dates: list[tuple[float, int]] = []
        for root in self.roots:
            if root.message == DUMMY:
                root.children.sort(key=self._date)
            dates.append(self._date(root))
            if len(dates) % _BLOCK == 0:
                yield
        yield from self._sort_roots(dates)

    def _sort_roots(self, dates: list[tuple[float, int]]) -> Pieces[None]:
        order = yield from order_by(range(len(self.roots)), dates)
        roots, self.roots = self.roots, []
        for start in range(0, len(order), _BLOCK):
            self.roots += [roots[place] for place in order[start : start + _BLOCK]]
            yield

    def sort_siblings(self) -> Pieces[None]:
        """Below the top there are no dummies: each set is sorted by itself."""
        for done, node in enumerate(self.nodes):
            if len(node.children) > 1:
                node.children.sort(key=self._date)
            if done % _BLOCK == 0:
                yield

    def sort_roots_by_last(self) -> Pieces[None]:
        """By the newest date anywhere in the thread."""
        newest: list[tuple[float, int]] = []
        for root in self.roots:
            found = []
            for node in walk(root):
                if node.message != DUMMY:
                    found.append((self._keys.dates[node.message], node.message))
                if len(found) % _BLOCK == 1:
                    yield
            newest.append(max(found))
        yield from self._sort_roots(newest)

    # Step 5: threads of one subject.

    def _subject(self, root: Node) -> str:
        message = root.message if root.message != DUMMY else root.children[0].message
        return self._keys.subjects[message]

    def _is_reply(self, root: Node) -> bool:
        return root.message != DUMMY and bool(self._keys.replies[root.message])

    def merge_subjects(self) -> Pieces[None]:
        """Gathers threads of the same base subject."""
        table: dict[str, Node] = {}
        for done, root in enumerate(self.roots):
            subject = self._subject(root)
            known = table.get(subject)
            if known is None or (
                known.message != DUMMY
                and (root.message == DUMMY or (self._is_reply(known) and not self._is_reply(root)))
            ):
                table[subject] = root
            if done % _BLOCK == 0:
                yield
        for done, root in enumerate(self.roots):
            subject = self._subject(root)
            if subject and table[subject] is not root:
                table[subject] = self._merged(table[subject], root)
            if done % _BLOCK == 0:
                yield
        yield from self._gather()

    def _merged(self, known: Node, root: Node) -> Node:
        """The one that stands for the subject from here on."""
        if known.message == DUMMY and root.message == DUMMY:
            for child in root.children:
                child.parent = known
            known.children += root.children
            root.children = []
            return known
        if known.message == DUMMY or (self._is_reply(root) and not self._is_reply(known)):
            root.parent = known
            known.children.append(root)
            return known
        both = self._made()
        both.children = [known, root]
        known.parent = root.parent = both
        return both


def walk(root: Node) -> Iterator[Node]:
    """A thread's nodes, each before what is below it."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def written(roots: Sequence[Node], numbers: Sequence[int]) -> Pieces[bytes]:
    """As the response has them; `numbers` are sequence numbers or UIDs by message."""
    out: list[str] = []
    for done, root in enumerate(roots):
        if root.children:
            _write(root, numbers, out)
        else:
            out.append(f"({numbers[root.message]})")
        if done % _BLOCK == 0:
            yield
    return "".join(out).encode()


def _write(root: Node, numbers: Sequence[int], out: list[str]) -> None:
    """A chain is written flat; where it branches, each branch in parentheses."""
    stack: list[Node | None] = [root]
    while stack:
        node = stack.pop()
        if node is None:
            out.append(")")
            continue
        chain = [] if node.message == DUMMY else [numbers[node.message]]
        while len(children := node.children) == 1:
            node = children[0]
            chain.append(numbers[node.message])
        text = "(" + str(chain)[1:-1].replace(",", "")
        if children:
            out.append(text + " " if chain else text)
            stack.append(None)
            stack += reversed(children)
        else:
            out.append(text + ")")
