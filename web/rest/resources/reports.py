"""Reports of DMARC and TLS that others sent."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from web.rest.endpoint import Access, Endpoint
from web.rest.models import Give, Page, Paging, Time
from web.rest.operations import Operations

MAIL: Final = "mail flow"
ReportId = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class Report(Give):
    """A report that others sent of mail in our name."""

    id: str
    kind: str
    domain: str
    organisation: str
    contact: str
    report_id: str
    begin: Time
    end: Time
    received_at: Time
    verified: bool
    messages: int
    failed: int


class ReportWhole(Report):
    """With its rows."""

    sources: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def report_endpoints(do: Operations) -> Sequence[Endpoint]:
    at, one = "/admin/reports/{id}", {"id": ReportId}
    return [
        Endpoint(
            *("GET", "/admin/reports", MAIL, "listReports", "Reports of others"),
            do.by("report.list", limit=100_000),
            *(Access.OWN, None, Paging, Page[Report]),
            order=lambda row: (-int(row["id"]),),
        ),
        Endpoint(
            *("GET", at, MAIL, "getReport", "A report"),
            do.by("report.show"),
            params=one,
            gives=ReportWhole,
        ),
        Endpoint(
            *("DELETE", at, MAIL, "deleteReport", "Delete a report"),
            do.by("report.delete"),
            params=one,
        ),
    ]
