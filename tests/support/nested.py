"""Parenthesised values of IMAP read by the letter: ENVELOPE, BODYSTRUCTURE and whole responses."""

import re

_VALUE = re.compile(
    rb'\(|"((?:[^"\\\r\n\0]|\\["\\])*+)"|~?\{(\d+)\}\r\n|(NIL)(?![^ )])|([^\s()"{]+)'
)


_LABEL = re.compile(rb"BODY\[HEADER\.FIELDS[^\]]*\]")


def strict(data: bytes) -> list[object]:
    """One parenthesised value read by the letter of RFC 9051 §9; anything else is an error.

    Strings are bytes, NIL is None; numbers and atoms are bytes too.
    """
    stack: list[list[object]] = [[]]
    position = 0
    while position < len(data):
        if data[position : position + 1] == b")":
            stack[-2].append(stack.pop())
            position += 1
        else:
            # one space between values, none after an opening one; bodies stand side by side
            position += data[position : position + 1] == b" "
            match = _VALUE.match(data, position)
            assert match is not None, data[position : position + 60]
            text, length, nil, number = match.groups()
            position = match.end()
            if length is not None:
                stack[-1].append(data[position : position + int(length)])
                position += int(length)
            elif match[0] == b"(":
                stack.append([])
            elif text is not None:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", text))
            else:
                stack[-1].append(None if nil else number)
    ((value,),) = stack
    assert isinstance(value, list)
    return value


def fetched(response: bytes) -> dict[bytes, object]:
    """The items of one FETCH response, by their names as sent."""
    start = response.index(b"(")
    labels = _LABEL.findall(response)
    for number, label in enumerate(labels):
        response = response.replace(label, b"%%%d%%" % number, 1)
    values = strict(response[start:])
    items: dict[bytes, object] = {}
    names = iter(values)
    for name in names:
        assert isinstance(name, bytes)
        found = re.fullmatch(rb"%(\d+)%", name)
        items[labels[int(found[1])] if found else name] = next(names)
    return items
