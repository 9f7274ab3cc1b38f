"""Builds the services that HTTP routes to, and registers them. One line a service."""

from auth.admission import Admission
from auth.local_service import LocalAuthService
from auth.sessions import Sessions
from auth.sign_up import SignUpDesk
from config.logging import get_logger
from mailserver.services import Services
from web.auth import AuthApi
from web.mta_sts import mta_sts_route
from web.pages.login import LoginPages
from web.pages.pages import Pages
from web.registry import Registry, Service


def build_registry(services: Services, desk: SignUpDesk, admission: Admission) -> Registry:
    """What this process serves by HTTP, without /healthz."""
    registry, log = Registry(), get_logger("http")
    auth = LocalAuthService(desk, Sessions(services.auth, services.directory, services.clock))
    api = AuthApi(auth, admission, lambda: services.settings, log)
    registry.register(Service("auth", api.routes()))
    pages = Pages(
        auth,
        admission,
        lambda: services.settings,
        services.directory.secrets.get,
        services.offload,
        services.clock,
        log,
    )
    registry.register(Service("pages", [*pages.routes(), *LoginPages(pages, auth).routes()]))
    policy = mta_sts_route(lambda: services.settings, services.directory.serves)
    registry.register(Service("mta-sts", [policy]))
    return registry
