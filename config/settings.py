"""Every key of mailserver.toml as a typed, frozen model; its sections: config/sections_*.py.

Reading files, environment and line numbers is config/load.py. Loaded paths are absolute.
"""

from pathlib import Path

from config.fields import Domain, Section
from config.sections_filters import (
    Attachments,
    Blocklist,
    Dmarc,
    Dnsbl,
    Explain,
    Filters,
    Greylisting,
    Milter,
    Quarantine,
    Spam,
    Spf,
    Tagging,
    Virus,
)
from config.sections_oauth import OAuth, Oidc
from config.sections_sending import (
    Dkim,
    Forwarding,
    MtaSts,
    Outbound,
    Reports,
    Submission,
    Suppression,
)
from config.sections_server import (
    Auth,
    Discovery,
    Dns,
    Drive,
    Http,
    Images,
    Imap,
    Limits,
    Listen,
    PolicyRule,
    Push,
    Services,
    Smtp,
    Store,
    Tls,
)


class Settings(Section):
    """A whole configuration. `hostname` is the only key without a default."""

    hostname: Domain
    domains: list[Domain] = []
    data_dir: Path = Path("data")
    listen: Listen = Listen()
    tls: Tls = Tls()
    auth: Auth = Auth()
    oauth: OAuth = OAuth()
    oidc: Oidc = Oidc()
    store: Store = Store()
    services: Services = Services()
    dns: Dns = Dns()
    outbound: Outbound = Outbound()
    mta_sts: MtaSts = MtaSts()
    submission: Submission = Submission()
    dkim: Dkim = Dkim()
    forwarding: Forwarding = Forwarding()
    suppression: Suppression = Suppression()
    filters: Filters = Filters()
    tagging: Tagging = Tagging()
    blocklist: Blocklist = Blocklist()
    dnsbl: Dnsbl = Dnsbl()
    greylist: Greylisting = Greylisting()
    spf: Spf = Spf()
    dmarc: Dmarc = Dmarc()
    reports: Reports = Reports()
    http: Http = Http()
    drive: Drive = Drive()
    discovery: Discovery = Discovery()
    push: Push = Push()
    images: Images = Images()
    virus: Virus = Virus()
    attachments: Attachments = Attachments()
    spam: Spam = Spam()
    explain: Explain = Explain()
    quarantine: Quarantine = Quarantine()
    imap: Imap = Imap()
    smtp: Smtp = Smtp()
    limits: Limits = Limits()
    milter: list[Milter] = []
    policy: list[PolicyRule] = []
