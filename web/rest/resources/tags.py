"""Tags and preferences, on the PreferenceStore (storage/preferences.py)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from storage.preferences import (
    ATTACHMENT_LINKS,
    AUTO_TAGS,
    COLLECT_CONTACTS,
    LANGUAGE,
    TIME_ZONE,
    UNDO_SECONDS,
    Key,
    Preferences,
    Tag,
)
from web.rest.endpoint import Access, Call, Endpoint
from web.rest.errors import absent
from web.rest.models import Give, Page, Paging, Take

TAGS: Final = "tags"
PREFERENCES: Final = "preferences"
Keyword = Annotated[str, StringConstraints(pattern=r"^[!$&'+\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,64}$")]
Label = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern="^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"),
]
Colour = Annotated[str, StringConstraints(pattern="^(#[0-9a-f]{6})?$")]
Position = Annotated[int, Field(ge=0, lt=1_000_000)]
_KEYS: Final[dict[str, Key[Any]]] = {
    "language": LANGUAGE,
    "time_zone": TIME_ZONE,
    "auto_tags": AUTO_TAGS,
    "collect_contacts": COLLECT_CONTACTS,
    "attachment_links": ATTACHMENT_LINKS,
    "undo_seconds": UNDO_SECONDS,
}


class TagShape(Give):
    """`keyword` is what messages carry; `colour` "#rrggbb" or ""; shown in order of `position`."""

    keyword: str
    name: str
    colour: str
    position: int


class TagBody(Take):
    """A tag whole."""

    name: Label
    colour: Colour = ""
    position: Position = 0


class TagPatch(Take):
    """What is given changes."""

    name: Label | None = None
    colour: Colour | None = None
    position: Position | None = None


class PreferenceShape(Give):
    """Version 1 of the settings."""

    language: str
    time_zone: str
    auto_tags: bool
    collect_contacts: bool
    attachment_links: str
    undo_seconds: int


class PreferencePatch(Take):
    """What is given changes; null goes back to the default."""

    language: Annotated[str, StringConstraints(max_length=35, pattern="^[A-Za-z0-9-]*$")] | None = (
        None
    )
    time_zone: (
        Annotated[str, StringConstraints(max_length=64, pattern="^[A-Za-z0-9_+/-]*$")] | None
    ) = None
    auto_tags: bool | None = None
    collect_contacts: bool | None = None
    attachment_links: Literal["", "on", "off"] | None = None
    undo_seconds: Annotated[int, Field(strict=True, ge=0, le=30)] | None = None


class TagResource:
    """Handlers."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences

    def endpoints(self) -> Sequence[Endpoint]:
        one = {"keyword": Keyword}
        return [
            Endpoint(
                *("GET", "/tags", TAGS, "listTags", "The account's tags", self._list),
                *(Access.OWN, None, Paging, Page[TagShape]),
                order=lambda row: (row.position, row.name.casefold(), row.keyword),
            ),
            Endpoint(
                *("GET", "/tags/{keyword}", TAGS, "getTag", "A tag", self._get),
                params=one,
                gives=TagShape,
            ),
            Endpoint(
                *("PUT", "/tags/{keyword}", TAGS, "putTag", "Make or replace a tag", self._put),
                *(Access.OWN, TagBody),
                params=one,
                gives=TagShape,
            ),
            Endpoint(
                *("PATCH", "/tags/{keyword}", TAGS, "changeTag", "Change a tag", self._change),
                *(Access.OWN, TagPatch),
                params=one,
                gives=TagShape,
            ),
            Endpoint(
                *("DELETE", "/tags/{keyword}", TAGS, "deleteTag", "Delete a tag", self._delete),
                params=one,
            ),
            Endpoint(
                *("GET", "/preferences", PREFERENCES, "getPreferences", "Settings", self._settings),
                gives=PreferenceShape,
            ),
            Endpoint(
                *("PATCH", "/preferences", PREFERENCES, "changePreferences", "Change settings"),
                *(self._set, Access.OWN, PreferencePatch),
                gives=PreferenceShape,
            ),
        ]

    async def _list(self, call: Call) -> list[Tag]:
        return await self._preferences.tags(call.account)

    async def _get(self, call: Call) -> Tag:
        key = call.params["keyword"].lower()
        for one in await self._preferences.tags(call.account):
            if one.keyword.lower() == key:
                return one
        raise absent("There is no such tag")

    async def _put(self, call: Call) -> Tag:
        made = Tag(call.params["keyword"], **call.taken(TagBody).model_dump())
        await self._preferences.put_tag(call.account, made)
        return made

    async def _change(self, call: Call) -> Tag:
        body = call.taken(TagPatch).model_dump(exclude_none=True)
        made = replace(await self._get(call), **body)
        await self._preferences.put_tag(call.account, made)
        return made

    async def _delete(self, call: Call) -> None:
        await self._preferences.delete_tag(call.account, call.params["keyword"])

    async def _settings(self, call: Call) -> dict[str, Any]:
        get = self._preferences.get
        return {name: await get(call.account, key) for name, key in _KEYS.items()}

    async def _set(self, call: Call) -> dict[str, Any]:
        for name, value in call.taken(PreferencePatch).model_dump(exclude_unset=True).items():
            await self._preferences.set(call.account, _KEYS[name], value)
        return await self._settings(call)
