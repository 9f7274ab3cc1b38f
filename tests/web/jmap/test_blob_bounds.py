"""What one call of Blob/upload, Blob/copy and Blob/get may cost the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from auth.grant import FULL
from config.logging import get_logger
from filters.blob_scanning import BlobScanner
from filters.virus_scanner import VirusScanner
from storage.object_ids import account_number
from tests.support.services import open_test_services
from tests.support.stores import appended, message
from web.jmap.blob.making import BLOB, BlobMaking
from web.jmap.blob.management import BlobMethods
from web.jmap.blob.reading import BlobReader
from web.jmap.blob.uploads import Uploads
from web.jmap.limits import Limits
from web.jmap.mail.email import EmailType
from web.jmap.methods import CORE, Methods
from web.jmap.request import ApiRequest, Invocation

LIMITS = Limits(handled=25)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Any]:
    """What calls a method and gives the response's name and arguments, its account, the store."""
    async with open_test_services(folder) as services:
        user = await services.directory.add_account("ada@example.test", "hash")
        await services.store.add_account(user.id)
        scanner = VirusScanner(services.offload, services.clock, get_logger("test"))
        blob_scanner = BlobScanner(services.blobs, scanner, get_logger("test"))
        store, offload = services.store, services.offload
        emails = EmailType(store, services.directory, offload, LIMITS)
        reader = BlobReader(emails, services.blobs, blob_scanner, offload)
        uploads = Uploads(services.blobs, blob_scanner, LIMITS, services.clock)
        making = BlobMaking(reader, uploads, LIMITS)
        methods: Methods[Any] = Methods(LIMITS, get_logger("test"))
        making.add_to(methods)
        BlobMethods(reader, making, store, emails, LIMITS, offload).add_to(methods)
        login = SimpleNamespace(account=user.id, grant=FULL, address="ada@example.test")

        async def call(name: str, **arguments: Any) -> tuple[str, Any]:
            members = {"accountId": account_number(user.id), **arguments}
            asked = ApiRequest(frozenset({CORE, BLOB}), (Invocation(name, members, "0"),))
            (found,) = await methods.run(asked, SimpleNamespace(login=login, anyone=True))
            return found.name, found.arguments

        yield call, user.id, services.store


async def test_what_one_call_handles_is_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path) as (call, account, _):
        made = {"data": [{"data:asText": "0123456789"}]}
        _, told = await call("Blob/upload", create={"a": made})
        id_ = told["created"]["a"]["id"]
        again = {"data": [{"blobId": id_}, {"data:asText": "."}]}
        _, told = await call("Blob/upload", create={"a": again, "b": again, "c": again})
        assert told["created"].keys() == {"a", "b"}
        assert told["notCreated"]["c"]["type"] == "rateLimit"
        longer = told["created"]["a"]["id"]
        ids = [id_, longer, "Snone"]
        _, told = await call("Blob/copy", fromAccountId=account_number(account), blobIds=ids)
        assert told["copied"] == {id_: id_, longer: longer}
        digests = ["digest:sha", "digest:sha-256"]
        _, told = await call("Blob/get", ids=[id_], properties=digests)
        assert told["list"][0].keys() == {"id", *digests}
        name, told = await call("Blob/get", ids=[id_, longer], properties=digests)
        assert (name, told["type"]) == ("error", "requestTooLarge")


async def test_of_a_message_no_more_is_read_than_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (call, account, store):
        data = message("a long line\r\n" * 9_000)
        done = await store.append(account, "INBOX", [appended(data)])
        inbox = await store.mailbox(account, "INBOX")
        (blob,) = (await store.contents(account, inbox.id, done.target)).values()
        read, octets = store.read_body, 0

        async def counted(*arguments: Any) -> bytes:
            nonlocal octets
            found: bytes = await read(*arguments)
            octets += len(found)
            return found

        monkeypatch.setattr(store, "read_body", counted)
        _, told = await call("Blob/get", ids=[f"B{blob:x}"], properties=["size"])
        assert told["list"][0]["size"] == len(data) and octets == 0
        ranged = {"properties": ["data:asText"], "offset": 10, "length": 20}
        _, told = await call("Blob/get", ids=[f"B{blob:x}"], **ranged)
        assert told["list"][0]["data:asText"] == data[10:30].decode() and octets == 20
