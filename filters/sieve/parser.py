"""Tokens to a syntax tree (RFC 5228 §8.2); raises Mistake. Depth is bounded, time is linear."""

from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.lexer import Kind, Token, tokens
from filters.sieve.limits import LIMITS, Limits
from filters.sieve.tree import Argument, Command, Number, String, Strings, Tag, Test

_SHOWN: Final = 40


def parse(text: str, limits: Limits = LIMITS) -> tuple[Command, ...]:
    """The commands of a script."""
    return _Parser(tokens(text), limits).script()


class _Parser:
    __slots__ = ("_at", "_count", "_limits", "_tokens")

    def __init__(self, found: list[Token], limits: Limits) -> None:
        self._tokens = found
        self._at = 0
        self._count = 0
        self._limits = limits

    def script(self) -> tuple[Command, ...]:
        commands = self._commands(0)
        token = self._tokens[self._at]
        if token.kind is not Kind.END:
            raise Mistake('there is a "}" without a "{" before it', token.offset)
        return commands

    def _commands(self, depth: int) -> tuple[Command, ...]:
        out: list[Command] = []
        while True:
            token = self._tokens[self._at]
            if token.kind is Kind.END or (token.kind is Kind.MARK and token.text == "}"):
                return tuple(out)
            out.append(self._command(depth))

    def _command(self, depth: int) -> Command:
        token = self._tokens[self._at]
        if token.kind is not Kind.WORD:
            raise Mistake(f"a command is expected, {_shown(token)} is found", token.offset)
        self._count += 1
        if self._count > self._limits.commands:
            raise Mistake(f"more than {self._limits.commands} commands", token.offset)
        self._at += 1
        arguments = self._arguments()
        tests, listed = self._tests(1)
        block = self._block_or_end(token, depth)
        return Command(token.text, arguments, tests, listed, block, token.offset)

    def _block_or_end(self, command: Token, depth: int) -> tuple[Command, ...] | None:
        token = self._tokens[self._at]
        if token.kind is Kind.MARK and token.text == ";":
            self._at += 1
            return None
        if token.kind is not Kind.MARK or token.text != "{":
            raise Mistake(
                f'"{command.text}" is followed by {_shown(token)} where ";" or "{{" is expected',
                token.offset,
            )
        if depth >= self._limits.nesting:
            raise Mistake(f"blocks are nested more than {self._limits.nesting} deep", token.offset)
        self._at += 1
        block = self._commands(depth + 1)
        if self._tokens[self._at].kind is Kind.END:
            raise Mistake('the block has no closing "}"', token.offset)
        self._at += 1
        return block

    def _arguments(self) -> tuple[Argument, ...]:
        out: list[Argument] = []
        while True:
            token = self._tokens[self._at]
            if token.kind is Kind.STRING:
                out.append(String(token.text, token.offset))
            elif token.kind is Kind.TAG:
                out.append(Tag(token.text, token.offset))
            elif token.kind is Kind.NUMBER:
                out.append(Number(token.number, token.offset))
            elif token.kind is Kind.MARK and token.text == "[":
                out.append(self._strings())
                continue
            else:
                return tuple(out)
            self._at += 1

    def _strings(self) -> Strings:
        start = self._tokens[self._at].offset
        self._at += 1
        items: list[String] = []
        token = self._tokens[self._at]
        if token.kind is Kind.MARK and token.text == "]":
            self._at += 1
            return Strings((), start)
        while True:
            token = self._tokens[self._at]
            if token.kind is not Kind.STRING:
                raise Mistake(f"a string is expected in the list, not {_shown(token)}",
                              token.offset)  # fmt: skip
            items.append(String(token.text, token.offset))
            token = self._tokens[self._at + 1]
            self._at += 2
            if token.kind is not Kind.MARK or token.text not in ",]":
                raise Mistake(
                    f'"," or "]" is expected in the list, not {_shown(token)}', token.offset
                )
            if token.text == "]":
                return Strings(tuple(items), start)

    def _tests(self, depth: int) -> tuple[tuple[Test, ...], bool]:
        token = self._tokens[self._at]
        if token.kind is Kind.WORD:
            return (self._test(depth),), False
        if token.kind is not Kind.MARK or token.text != "(":
            return (), False
        out: list[Test] = []
        while True:
            self._at += 1
            out.append(self._test(depth))
            token = self._tokens[self._at]
            if token.kind is not Kind.MARK or token.text not in ",)":
                raise Mistake(
                    f'"," or ")" is expected between tests, not {_shown(token)}', token.offset
                )
            if token.text == ")":
                self._at += 1
                return tuple(out), True

    def _test(self, depth: int) -> Test:
        token = self._tokens[self._at]
        if token.kind is not Kind.WORD:
            raise Mistake(f"a test is expected, not {_shown(token)}", token.offset)
        if depth > self._limits.nesting:
            raise Mistake(f"tests are nested more than {self._limits.nesting} deep", token.offset)
        self._at += 1
        arguments = self._arguments()
        tests, listed = self._tests(depth + 1)
        return Test(token.text, arguments, tests, listed, token.offset)


def _shown(token: Token) -> str:
    """The token in words, for a message."""
    if token.kind is Kind.END:
        return "the end of the script"
    if token.kind is Kind.STRING:
        return "a string"
    return f'"{token.text[:_SHOWN]}"'
