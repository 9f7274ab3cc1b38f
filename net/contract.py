"""What may be called of a service elsewhere: the async methods of a Protocol, with the schema of
what they take and give.

Made of the annotations by pydantic, and checked on both sides: plain dataclasses, enums, numbers,
texts, octets (as Base64). `called` says of a method how long it may take and whether it may be
asked again.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError, create_model

SECONDS: Final = 20.0
_CONFIG: Final = ConfigDict(
    extra="forbid", strict=True, ser_json_bytes="base64", val_json_bytes="base64"
)
F = TypeVar("F", bound=Callable[..., Any])


class BadSchema(Exception):
    """What came is not what the method takes or gives; the text names no value."""


def called(*, idempotent: bool = False, seconds: float = SECONDS) -> Callable[[F], F]:
    """Marks a method of a Protocol. `idempotent`: done twice, it does the same as once."""

    def mark(function: F) -> F:
        function.__dict__["__called__"] = (idempotent, seconds)
        return function

    return mark


@dataclass(frozen=True, slots=True)
class Method:
    """One of a contract: its name, how long an answer is waited for, and its schemas."""

    name: str
    idempotent: bool
    seconds: float
    parameters: tuple[str, ...]
    takes: type[BaseModel]
    gives: type[RootModel[Any]]

    def pack(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
        """The arguments of a call. Raises BadSchema, TypeError (not those of the method)."""
        if len(args) > len(self.parameters):
            raise TypeError(f"{self.name} takes {len(self.parameters)} arguments")
        values = {**dict(zip(self.parameters, args, strict=False)), **named}
        return _dumped(self.takes, values)

    def unpack(self, data: bytes) -> dict[str, Any]:
        """Raises BadSchema."""
        found = _loaded(self.takes, data)
        return {name: getattr(found, name) for name in self.parameters}

    def pack_result(self, value: Any) -> bytes:
        """Raises BadSchema."""
        return _dumped(self.gives, value)

    def unpack_result(self, data: bytes) -> Any:
        """Raises BadSchema."""
        return _loaded(self.gives, data).root  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Declared:
    """An error that methods may raise across: as a dataclass for the wire, and back."""

    kind: type[Exception]
    shape: type[RootModel[Any]]
    shown: Callable[[Any], Any]
    made: Callable[[Any], Exception]


@dataclass(frozen=True, slots=True)
class Contract:
    """A service by its name. Errors that are not declared are told as a failure, without text."""

    name: str
    methods: Mapping[str, Method]
    error: Declared | None = None

    def pack_error(self, error: Exception) -> bytes | None:
        """None for one that is not declared."""
        if self.error is None or not isinstance(error, self.error.kind):
            return None
        return _dumped(self.error.shape, self.error.shown(error))

    def unpack_error(self, data: bytes) -> Exception:
        """Raises BadSchema."""
        if self.error is None:
            raise BadSchema(f"{self.name} declares no error")
        return self.error.made(_loaded(self.error.shape, data).root)  # type: ignore[attr-defined]


def contract(name: str, protocol: type, error: Declared | None = None) -> Contract:
    """Of the Protocol's public async methods."""
    found = {
        each: _method(each, function)
        for each, function in vars(protocol).items()
        if not each.startswith("_") and inspect.iscoroutinefunction(function)
    }
    return Contract(name, found, error)


def declared(
    kind: type[Exception],
    shape: type,
    shown: Callable[[Any], Any],
    made: Callable[[Any], Exception],
) -> Declared:
    """`shape` is the dataclass that `shown` gives of an error and `made` takes."""
    return Declared(kind, _root(kind.__name__, shape), shown, made)


def _method(name: str, function: Callable[..., Any]) -> Method:
    idempotent, seconds = function.__dict__.get("__called__", (False, SECONDS))
    hints = get_type_hints(function)
    gives = hints.pop("return")
    fields: dict[str, Any] = {each: (kind, ...) for each, kind in hints.items()}
    takes = create_model(f"{name}_takes", __config__=_CONFIG, **fields)
    return Method(name, idempotent, seconds, tuple(hints), takes, _root(f"{name}_gives", gives))


def _root(name: str, kind: Any) -> type[RootModel[Any]]:
    config = ConfigDict(strict=True, ser_json_bytes="base64", val_json_bytes="base64")
    shape = RootModel[kind]
    return type(name, (shape,), {"model_config": config, "__module__": __name__})


def _dumped(shape: type[BaseModel], value: Any) -> bytes:
    try:
        return shape.model_validate(value).model_dump_json().encode()
    except ValidationError as error:
        raise BadSchema(_told(error)) from None
    except ValueError as error:  # a lone surrogate is no JSON
        raise BadSchema(type(error).__name__) from None


def _loaded(shape: type[BaseModel], data: bytes) -> BaseModel:
    try:
        return shape.model_validate_json(data)
    except ValidationError as error:
        raise BadSchema(_told(error)) from None


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return ".".join(map(str, first["loc"])) + ": " + first["msg"]
