"""What a changed configuration can change in a running server, and what needs a restart."""

from typing import Any

from config.fields import Section
from config.settings import Settings

NEEDS_RESTART = (
    "hostname",
    "data_dir",
    "listen",
    "store",
    "services",
    "auth.bcrypt_rounds",
    "auth.client_ca",
    "dns",
    "limits.memory",
    "spam.learn",
)


def flatten(settings: Settings) -> dict[str, Any]:
    """`section.key` to value, for every key."""
    flat: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Section):
            flat |= {f"{name}.{key}": getattr(value, key) for key in type(value).model_fields}
        else:
            flat[name] = value
    return flat


def changed_keys(old: Settings, new: Settings) -> tuple[list[str], list[str]]:
    """Keys that differ: those that can be applied, and those that wait for a restart."""
    before, after = flatten(old), flatten(new)
    differ = [key for key in after if before[key] != after[key]]
    restart = [key for key in differ if key in NEEDS_RESTART or key.split(".")[0] in NEEDS_RESTART]
    return [key for key in differ if key not in restart], restart


def applicable(old: Settings, new: Settings) -> Settings:
    """The new settings, with the values that need a restart kept as they are."""
    kept: dict[str, Any] = {}
    for key in NEEDS_RESTART:
        section, _, inner = key.partition(".")
        if inner:
            part = kept.get(section, getattr(new, section))
            kept[section] = part.model_copy(update={inner: getattr(getattr(old, section), inner)})
        else:
            kept[section] = getattr(old, section)
    return new.model_copy(update=kept)
