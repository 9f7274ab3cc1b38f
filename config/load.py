"""Reads mailserver.toml and the environment into Settings, or reports every error at once.

A value from the environment (MAILSERVER_<SECTION>_<KEY>, MAILSERVER_<KEY>) wins over the file; a
secret may stand in a file of its own, named by `<key>_file`. Secrets never show in an error.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from config.fields import Section
from config.lines import KeyLines
from config.sections_accounts import AccountSource
from config.settings import Settings

ENVIRONMENT_PREFIX = "MAILSERVER_"
_NOT_KEYS = {"MAILSERVER_CONFIG", "MAILSERVER_HOME"}
_SECRET_KEYS = {
    *(("outbound", "smarthost"), ("store", "database"), ("store", "cache")),
    ("auth", "sms"),
    ("oidc", "client_secret"),
}
_SOURCE: Final = ("auth", "source")
_SOURCE_SECRETS: Final = ("bind_password", "database")
SEARCH_PATH = (Path("mailserver.toml"), Path("/etc/mailserver/mailserver.toml"))

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing wrong. `line` is 1-based, 0 where no line of the file says it."""

    source: str
    line: int
    key: str
    found: str
    allowed: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        found = f"found {self.found}, " if self.found else ""
        return f"{place}: {self.key}: {found}{self.allowed}"


class ConfigInvalid(Exception):
    """The configuration can't be used; `errors` lists everything that is wrong with it."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def find_config(given: Path | None, environment: Mapping[str, str]) -> Path:
    """--config, $MAILSERVER_CONFIG, ./mailserver.toml, /etc/mailserver/mailserver.toml."""
    if given is not None:
        return given
    if environment.get("MAILSERVER_CONFIG"):
        return Path(environment["MAILSERVER_CONFIG"])
    for path in SEARCH_PATH:
        if path.exists():
            return path
    tried = ", ".join(map(str, SEARCH_PATH))
    raise ConfigInvalid([ConfigError("mailserver", 0, "--config", "", f"no file at {tried}")])


def load(path: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of the file at `path`, its paths made absolute. Raises ConfigInvalid."""
    environment = os.environ if environment is None else environment
    try:
        text = path.read_text("utf-8")
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigInvalid(
            [ConfigError(str(path), 0, "file", "", error.strerror or "?")]
        ) from None
    except UnicodeDecodeError:
        raise ConfigInvalid([ConfigError(str(path), 0, "file", "", "must be UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid([_syntax(path, str(error))]) from None
    return _Loader(path, KeyLines(text), tree, environment).settings()


def _syntax(path: Path, text: str) -> ConfigError:
    message, _, place = text.partition(" (at line ")
    line = int(place.split(",")[0]) if place else 0
    return ConfigError(str(path), line, "syntax", "", message)


class _Loader:
    def __init__(
        self, path: Path, lines: KeyLines, tree: dict[str, Any], environment: Mapping[str, str]
    ) -> None:
        self._path, self._lines, self._tree, self._environment = path, lines, tree, environment
        self._errors: list[ConfigError] = []
        self._origin: dict[Key, str] = {}

    def settings(self) -> Settings:
        self._read_secret_files()
        self._read_environment()
        self._check_pairs()
        loaded = None
        try:
            loaded = Settings.model_validate(self._tree)
        except ValidationError as invalid:
            self._errors += [self._error(error) for error in invalid.errors(include_url=False)]
        if loaded is None or self._errors:
            raise ConfigInvalid(sorted(self._errors, key=lambda e: (e.line, e.key))) from None
        return self._absolute(loaded)

    def _read_secret_files(self) -> None:
        for section, key in _SECRET_KEYS:
            table = self._tree.get(section)
            if isinstance(table, dict):
                self._read_secret_file(table, key, (section,))
        for index, source in enumerate(self._sources()):
            for key in _SOURCE_SECRETS:
                self._read_secret_file(source, key, (*_SOURCE, index))

    def _read_secret_file(self, table: dict[str, Any], key: str, at: Key) -> None:
        if f"{key}_file" not in table:
            return
        named = table.pop(f"{key}_file")
        try:
            table[key] = (self._path.parent / str(named)).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self._errors.append(self._at((*at, f"{key}_file"), repr(named), "a readable file"))

    def _sources(self) -> list[dict[str, Any]]:
        """The tables [[auth.source]] of the file, whatever stands in them."""
        auth = self._tree.get("auth")
        found = auth.get("source") if isinstance(auth, dict) else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def _read_source_secrets(self) -> set[str]:
        """Secrets of sources from MAILSERVER_AUTH_SOURCE_<NAME>_<KEY>; the variables used."""
        used = set()
        for source in self._sources():
            for key in _SOURCE_SECRETS:
                name = re.sub(r"\W", "_", f"{source.get('name')}_{key}").upper()
                variable = f"{ENVIRONMENT_PREFIX}AUTH_SOURCE_{name}"
                if variable in self._environment:
                    source[key] = self._environment[variable]
                    used.add(variable)
        return used

    def _read_environment(self) -> None:
        of_sources = self._read_source_secrets()
        for name, value in self._environment.items():
            if not name.startswith(ENVIRONMENT_PREFIX) or name in _NOT_KEYS | of_sources:
                continue
            found = key_of(name.removeprefix(ENVIRONMENT_PREFIX).lower())
            if found is None:
                self._refuse_misspelt(name)
                continue
            self._origin[found] = name
            table = self._tree
            for part in found[:-1]:
                inner = table.setdefault(str(part), {})
                table = inner if isinstance(inner, dict) else {}
            table[str(found[-1])] = _environment_value(found, value)

    def _refuse_misspelt(self, name: str) -> None:
        """A variable of a known section must be a key of it; others may be anybody's (Kubernetes
        sets MAILSERVER_SERVICE_HOST for a service of that name).
        """
        found = _split(name.removeprefix(ENVIRONMENT_PREFIX).lower())
        if found is not None:
            self._origin[found] = name
            self._errors.append(self._at(found, "", f"unknown key{_nearest(found)}"))

    def _error(self, error: Any) -> ConfigError:
        key: Key = tuple(error["loc"])
        found = _shown(key, error.get("input"))
        kind = error["type"]
        if kind == "extra_forbidden":
            return self._at(key, "", f"unknown key{_nearest(key)}")
        if kind == "missing":
            return self._at(key, "nothing", "this key is needed")
        text = _allowed(kind, error["msg"])
        return self._at(key, found, text if "not in this version" in text else f"allowed: {text}")

    def _at(self, key: Key, found: str, allowed: str) -> ConfigError:
        name = ".".join(str(part) for part in key if isinstance(part, str))
        variable = self._origin.get(tuple(part for part in key if isinstance(part, str)))
        if variable:
            return ConfigError(variable, 0, name, found, allowed)
        return ConfigError(str(self._path), self._lines.find(key), name, found, allowed)

    def _check_pairs(self) -> None:
        tls = self._tree.get("tls")
        if isinstance(tls, dict) and ("certificate" in tls) != ("key" in tls):
            missing = "certificate" if "key" in tls else "key"
            self._errors.append(self._at(("tls", missing), "nothing", "needed beside the other"))

    def _absolute(self, loaded: Settings) -> Settings:
        base = self._path.parent.resolve()
        data_dir = base / loaded.data_dir
        tls = loaded.tls.model_copy(
            update={
                "certificate": base / loaded.tls.certificate if loaded.tls.certificate else None,
                "key": base / loaded.tls.key if loaded.tls.key else None,
            }
        )
        auth = loaded.auth.model_copy(
            update={
                name: base / path if (path := getattr(loaded.auth, name)) else None
                for name in ("client_ca", "leaked_passwords")
            }
            | {"source": [_absolute_source(base, one) for one in loaded.auth.source]}
        )
        store = loaded.store.model_copy(update={"maildir": data_dir / loaded.store.maildir})
        own = loaded.filters.own
        filters = loaded.filters.model_copy(update={"own": str(base / own) if own else ""})
        return loaded.model_copy(
            update={
                "data_dir": data_dir,
                "tls": tls,
                "auth": auth,
                "store": store,
                "filters": filters,
            }
        )


def _absolute_source(base: Path, source: AccountSource) -> AccountSource:
    kind, _, file = source.database.get_secret_value().partition(":")
    changed: dict[str, object] = {"ca": base / source.ca if source.ca else None}
    if kind == "sqlite":
        changed["database"] = SecretStr(f"sqlite:{base / file}")
    return source.model_copy(update=changed)


def _allowed(kind: str, message: str) -> str:
    """What the key takes, in an operator's words."""
    if kind == "path_type":
        return "a path"
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return text.removesuffix(", unable to parse string as an integer").removesuffix(
        ", unable to parse string as a number"
    )


def _sections() -> dict[str, type[Section]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def key_of(name: str) -> tuple[str, ...] | None:
    """Of a variable: `auth_bcrypt_rounds` is ("auth", "bcrypt_rounds"); None for what is no key."""
    if name in Settings.model_fields and name not in _sections():
        return (name,)
    found = _split(name)
    if found is None:
        return None
    section, key = found
    fields = _sections()[section].model_fields
    if key in fields:
        return found
    inner = next((one for one in _inner(section) if key.startswith(f"{one}_")), "")
    rest = key.removeprefix(f"{inner}_")
    known = inner and rest in _inner(section)[inner].model_fields
    return (section, inner, rest) if known else None


def _inner(section: str) -> dict[str, type[Section]]:
    """Sections of a section, such as [spam.rspamd]."""
    return {
        name: field.annotation
        for name, field in _sections()[section].model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def _split(name: str) -> tuple[str, str] | None:
    """Section and key, known or not; the name of a section may hold `_`, as in `mta_sts_mode`."""
    for section in _sections():
        if name.startswith(f"{section}_") and name != f"{section}_":
            return section, name.removeprefix(f"{section}_")
    return None


def _environment_value(key: tuple[str, ...], text: str) -> object:
    """Text as it stands, split at commas for a list, a TOML number or truth where one is meant."""
    model: type[BaseModel] = Settings if len(key) == 1 else _sections()[key[0]]
    if len(key) == 3:
        model = _inner(key[0])[key[1]]
    annotation = model.model_fields[key[-1]].annotation
    if str(annotation).startswith("list"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return int(text) if annotation is int and text.isdecimal() else text


def _shown(key: Key, value: object) -> str:
    if key[:2] == _SOURCE and len(key) < 4:
        return ""  # a whole table, with its secrets
    if key[:2] == _SOURCE and key[-1] in _SOURCE_SECRETS:
        return "a secret"
    if key[:2] in _SECRET_KEYS or isinstance(value, SecretStr):
        return "a secret"
    return repr(value)[:80]


def _nearest(key: Key) -> str:
    model: type[BaseModel] | None = Settings
    for part in key[:-1]:
        if isinstance(part, int) or model is None:
            continue
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        inner = get_args(annotation)[0] if get_args(annotation) else annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
    known = list(model.model_fields) if model else []
    close = difflib.get_close_matches(str(key[-1]), known, n=1, cutoff=0.5)
    if close:
        return f'; nearest known key: "{close[0]}"'
    return f"; known: {', '.join(known)}" if known else ""
