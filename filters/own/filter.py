"""The pipeline's filter `own`: everything that the filters of the folder say about a message."""

from filters.context import Context
from filters.filter import Filter
from filters.own.own import OwnFilters
from filters.own.values import describe, job_of, verdict_of
from filters.verdict import ACCEPT, Verdict, merge


class Own(Filter):
    """Asks in the order of the files' names; all of them, also when one refuses."""

    name = "own"

    def __init__(self, own: OwnFilters | None) -> None:
        self._own = own

    async def data(self, context: Context) -> Verdict:
        own = self._own
        if context.message is None or own is None or not own.active:
            return ACCEPT
        told = []
        for one, answer in await own.judge(job_of(context, context.message)):
            if answer.error:
                own.log.warning(
                    "own filter failed",
                    filter=one.name,
                    connection=context.connection,
                    message=context.trace,
                    reason=answer.error,
                    line=answer.line,
                )
            elif one.shadow and describe(answer.verdict):
                own.log.info(
                    "own filter, shadow",
                    filter=one.name,
                    connection=context.connection,
                    message=context.trace,
                    verdict=describe(answer.verdict),
                )
            told.append(verdict_of(answer, shadow=one.shadow))
        return merge(told)
