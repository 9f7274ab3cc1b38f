"""`mailserver tags ...`: the tags of an account, and those that its mail gets by itself."""

from collections.abc import Mapping
from typing import Any

from filters.autotags.model import TagModel
from filters.spam.extract import as_it_came
from filters.spam.features import features
from filters.spam.reading import read
from filters.spam.reasons import reasons
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.personal_wiring import build_trainer
from mailserver.services import Services
from net.threads import Busy, Pool
from storage.preferences import AUTO_TAGS, Tag
from storage.values import AccountId

Args = Mapping[str, Any]
READ = 128 * 1024
STRONGEST = 8


async def tags_list(services: Services, args: Args) -> dict[str, Any]:
    """{auto, tags: [{keyword, name, colour, learned}]}; `learned` is null where nothing was."""
    account = await account_of(services, args)
    preferences = services.directory.preferences
    known = {one.keyword.lower(): one for one in await services.auto_tags.known(account.id)}
    return {
        "auto": await preferences.get(account.id, AUTO_TAGS),
        "tags": [
            {
                "keyword": tag.keyword,
                "name": tag.name,
                "colour": tag.colour,
                "learned": _learned(known.get(tag.keyword.lower())),
            }
            for tag in await preferences.tags(account.id)
        ],
    }


async def tags_add(services: Services, args: Args) -> None:
    """A tag, or the one of its keyword changed."""
    account = await account_of(services, args)
    keyword = str(args["keyword"])
    made = Tag(keyword, str(args.get("name") or keyword), str(args.get("colour") or ""))
    await services.directory.preferences.put_tag(account.id, made)


async def tags_delete(services: Services, args: Args) -> None:
    """Messages keep the keyword."""
    account = await account_of(services, args)
    await services.directory.preferences.delete_tag(account.id, str(args["keyword"]))


async def tags_auto(services: Services, args: Args) -> None:
    """Whether the account's mail gets tags by itself."""
    account = await account_of(services, args)
    await services.directory.preferences.set(account.id, AUTO_TAGS, bool(args["on"]))


async def tags_learn(services: Services, args: Args) -> dict[str, Any]:
    """Learns the account's tags at once, whether it wants them given or not."""
    account = await account_of(services, args)
    try:
        await build_trainer(services).train(account.id)
    except Busy as error:
        raise OperationError("too much waits already, try again later") from error
    return await tags_list(services, args)


async def tags_why(services: Services, args: Args) -> list[dict[str, Any]]:
    """Of a message at `mailbox` and `uid`, for each tag that was learned: {keyword, margin,
    threshold, fits, reasons}, the strongest reasons first.
    """
    account = await account_of(services, args)
    box = await services.store.mailbox(account.id, str(args.get("mailbox") or "INBOX"))
    data = await _read(services, account.id, box.id, int(args["uid"]))
    if data is None:
        raise OperationError(f"there is no message with UID {args['uid']} in {box.name}")
    models = await services.auto_tags.known(account.id)
    job = (data, services.settings.hostname, models)
    return await services.offload.run(Pool.MIME, _why, *job)


def _why(data: bytes, hostname: str, models: list[TagModel]) -> list[dict[str, Any]]:
    reading = read(as_it_came(data, hostname))
    cut, found = features(reading), []
    for one in models:
        told, margin = reasons(reading, one.weights), one.margin(cut)
        found.append(
            {
                "keyword": one.keyword,
                "margin": round(margin, 2),
                "threshold": round(one.threshold, 2),
                "fits": one.fits(cut),
                "reasons": [[reason.text, reason.weight] for reason in told[:STRONGEST]],
            }
        )
    return found


async def _read(services: Services, account: AccountId, mailbox: Any, uid: int) -> bytes | None:
    async for rows in services.store.rows(account, mailbox, [uid]):
        for row in rows:
            return await services.store.read_message(account, mailbox, row, 0, READ)
    return None


def _learned(one: TagModel | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "used": one.is_used,
        "tagged": one.tagged,
        "given": one.given,
        "right": one.right,
        "threshold": round(one.threshold, 2),
    }
