"""EmailSubmission/set with the Email/set that follows from it (RFC 8621 §7.5)."""

from collections.abc import Mapping

from web.jmap.arguments import Arguments
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError
from web.jmap.methods import Call, Results
from web.jmap.standard import Changeable, Object, Standard
from web.jmap.submission.email_submission import OnSuccess, SubmissionType


class SubmissionSet:
    """The method."""

    def __init__(
        self,
        standard: Standard[Context],
        kind: SubmissionType,
        emails: Changeable[Context, Account],
    ) -> None:
        self._standard, self._kind, self._emails = standard, kind, emails

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        extra = self._kind.set_arguments(arguments)
        account_id = arguments.id("accountId")
        account = self._kind.account(call, account_id)
        before = await self._known(call, account, extra)
        answer = await self._standard.set(self._kind, call, Arguments(members))
        results = [("EmailSubmission/set", answer)]
        following = await self._following(call, account, extra, answer, before)
        if following is not None:
            asked = Arguments({"accountId": account_id, **following})
            try:
                told = await self._standard.set(self._emails, call, asked)
                results.append(("Email/set", told))
            except MethodError as error:
                results.append(("error", error.members))
        return results

    async def _known(
        self, call: Call[Context], account: Account, extra: OnSuccess
    ) -> dict[str, str]:
        """Emails of submissions that there are, since they may be destroyed."""
        ids = [one for one in extra.ids if not one.startswith("#")]
        ids += [call.created[one[1:]] for one in extra.ids if one[1:] in call.created]
        return await self._kind.email_ids(account, ids) if ids else {}

    async def _following(
        self,
        call: Call[Context],
        account: Account,
        extra: OnSuccess,
        answer: Object,
        before: Mapping[str, str],
    ) -> Object | None:
        if not extra.ids:
            return None
        made = {one["id"] for one in (answer["created"] or {}).values()}
        done = {*made, *(answer["updated"] or {}), *(answer["destroyed"] or ())}
        emails = {**before, **await self._kind.email_ids(account, sorted(made))}

        def email(reference: str) -> str | None:
            id_ = call.created.get(reference[1:], "") if reference[:1] == "#" else reference
            return emails.get(id_) if id_ in done else None

        update = {found: patch for one, patch in extra.updates.items() if (found := email(one))}
        destroy = [found for one in extra.destroyed if (found := email(one))]
        if not update and not destroy:
            return None
        return {"update": update, "destroy": list(dict.fromkeys(destroy))}
