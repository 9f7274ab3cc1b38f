"""The issuer: its parts, built once a process from the configuration, and its metadata."""

from typing import Any, Final

from auth.login import Authenticator
from auth.oauth.authorizing import Authorizing
from auth.oauth.clients import Clients
from auth.oauth.granting import GRANTS, Devices, Granting
from auth.oauth.identity import CLAIMS, Identity
from auth.oauth.keys import ALGORITHM, SigningKeys
from auth.oauth.scopes import MEANING
from auth.oauth.tokens import GivenTokens
from config.clock import Clock
from config.issuer import issuer_of
from config.settings import Settings
from net.threads import Offload
from storage.directory import Directory
from storage.oauth_clients import OAuthClients
from storage.oauth_codes import OAuthCodes
from storage.oauth_devices import OAuthDevices

AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post")


class Provider:
    """What web/oauth serves, and commands change."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        auth: Authenticator,
        offload: Offload,
        clock: Clock,
    ) -> None:
        database = directory.database
        codes, devices = OAuthCodes(database, clock), OAuthDevices(database, clock)
        self.clients = Clients(settings, OAuthClients(database, clock), auth.throttle)
        self.keys = SigningKeys(settings.data_dir, offload, clock, settings.oauth.key_life)
        self.identity = Identity(self.keys, directory.secrets.get, clock)
        self.authorizing = Authorizing(self.clients, codes, auth.audit, clock)
        self.granting = Granting(directory, auth.issuer, self.identity, codes, devices, auth.audit)
        self.devices = Devices(devices, auth.audit)
        self.tokens = GivenTokens(directory, self.clients, auth.issuer, self.identity, clock)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes [oauth] of a changed configuration."""
        self.clients.reload(settings)
        self.issuer = self.identity.issuer = self.authorizing.issuer = issuer_of(settings)
        self.granting.unused = settings.oauth.unused
        self.keys.life = settings.oauth.key_life
        self.registration = settings.oauth.registration

    def metadata(self) -> dict[str, Any]:
        """RFC 8414 §2 and OpenID Connect Discovery §3."""
        at = f"{self.issuer}/oauth"
        found: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "jwks_uri": f"{at}/jwks",
            "userinfo_endpoint": f"{at}/userinfo",
            "revocation_endpoint": f"{at}/revoke",
            "introspection_endpoint": f"{at}/introspect",
            "device_authorization_endpoint": f"{at}/device_authorization",
            "scopes_supported": list(MEANING),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANTS),
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["none", *AUTH_METHODS],
            "revocation_endpoint_auth_methods_supported": ["none", *AUTH_METHODS],
            "introspection_endpoint_auth_methods_supported": list(AUTH_METHODS),
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": [*CLAIMS, "iss", "aud", "exp", "iat", "auth_time", "nonce"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "authorization_response_iss_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
        if self.registration:
            found["registration_endpoint"] = f"{at}/register"
        return found
