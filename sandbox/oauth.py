"""The two authorisation flows over HTTP: a Stripe App's and Connect's consent page and token endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from sandbox import consent
from sandbox.accounts import ACCOUNTS, CLIENT_IDS, DEVELOPER_KEYS
from sandbox.auth import masked, presented_key
from sandbox.errors import ApiError, OAuthError
from sandbox.grants import GrantBook
from sandbox.kinds import PERMISSIONS
from sandbox.state import Grant

APP_AUTHORIZE = "/oauth/v2/authorize"
CONNECT_AUTHORIZE = "/oauth/authorize"
APP_TOKEN = "/v1/oauth/token"
CONNECT_TOKEN = "/oauth/token"
TOKEN_PATHS = (APP_TOKEN, CONNECT_TOKEN)
CONSENT_PATHS = (APP_AUTHORIZE, CONNECT_AUTHORIZE)

_SCOPES = ("read_only", "read_write")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass
class OAuth:
    """The endpoints of both flows.

    `permissions` is what a consent grants when the form names none; `authorized` is told of every new grant.
    """

    grants: GrantBook
    permissions: list[str]
    authorized: Callable[[Grant], None]

    async def authorize(self, request: Request) -> Response:
        """The consent page, or what pressing its buttons does: a redirect back with a code or an error."""
        try:
            if request.method == "POST":
                return await self._decide(request)
            fields = _requested(request.url.path, request.query_params)
        except OAuthError as error:
            return error.response()
        mode = CLIENT_IDS[fields["client_id"]]
        return HTMLResponse(
            consent.page(request.url.path, fields, mode, self.permissions), headers={"Cache-Control": "no-store"}
        )

    async def _decide(self, request: Request) -> Response:
        form = await request.form()
        fields = _requested(request.url.path, _texts(form))
        target, state = fields["redirect_uri"], fields.get("state", "")
        if form.get("decision") != "connect":
            return _back(
                target, {"error": "access_denied", "error_description": "The user denied your request", "state": state}
            )
        account = str(form.get("account", ""))
        if account not in ACCOUNTS:
            raise OAuthError("invalid_request", f"No such account: {account}")
        named = str(form.get("permissions", ""))
        permissions = [one for one in named.split(",") if one in PERMISSIONS] if named else list(self.permissions)
        flow = "stripe_app" if request.url.path == APP_AUTHORIZE else "connect"
        code = self.grants.issue_code(flow, account, CLIENT_IDS[fields["client_id"]], permissions)
        answer = {"code": code, "state": state}
        return _back(target, answer if flow == "stripe_app" else {"scope": fields["scope"], **answer})

    async def app_token(self, request: Request) -> Response:
        """`POST /v1/oauth/token`: the developer's secret key, and exactly the grant type and its code or token."""
        form = _texts(await request.form())
        mode = _developer_mode(presented_key(request.headers))
        grant = self._granted("stripe_app", form, mode, {"grant_type", "code", "refresh_token"})
        return _token_answer({**_tokens(grant), "scope": "stripe_apps"})

    async def connect_token(self, request: Request) -> Response:
        """`POST /oauth/token`: the platform key as Bearer, Basic or `client_secret`."""
        form = _texts(await request.form())
        mode = _developer_mode(presented_key(request.headers) or form.get("client_secret"))
        allowed = {"grant_type", "code", "refresh_token", "scope", "client_secret", "client_id", "redirect_uri"}
        grant = self._granted("connect", form, mode, allowed)
        return _token_answer({**_tokens(grant), "scope": "read_only"})

    def _granted(self, flow: str, form: Mapping[str, str], mode: str, allowed: set[str]) -> Grant:
        unknown = sorted(form.keys() - allowed)
        if unknown:
            raise OAuthError("invalid_request", f"Received unknown parameter: {', '.join(unknown)}")
        grant_type = form.get("grant_type", "")
        if grant_type == "authorization_code":
            grant = self.grants.exchange_code(_required(form, "code"), flow, mode)
            self.authorized(grant)
            return grant
        if grant_type == "refresh_token":
            return self.grants.refresh(_required(form, "refresh_token"), flow, mode)
        raise OAuthError("unsupported_grant_type", f"Grant type not supported: {grant_type}")


def _requested(path: str, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of an authorize request, checked. Raises OAuthError, which Stripe shows and never redirects."""
    fields = {name: given[name] for name in ("client_id", "redirect_uri", "state") if name in given}
    if fields.get("client_id") not in CLIENT_IDS:
        raise OAuthError(
            "invalid_request", f"No application matches the supplied client identifier: {fields.get('client_id')}"
        )
    if not _acceptable(fields.get("redirect_uri", "")):
        raise OAuthError("invalid_redirect_uri", "Invalid redirect URI: it must be https, or http on a loopback host")
    if path == CONNECT_AUTHORIZE:
        if given.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "Only the response type 'code' is supported")
        fields |= {"response_type": "code", "scope": given.get("scope", "read_only")}
        if fields["scope"] not in _SCOPES:
            raise OAuthError("invalid_scope", f"Invalid scope: {fields['scope']}")
    return fields


def _acceptable(uri: str) -> bool:
    parts = urlsplit(uri)
    if parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _back(target: str, parameters: Mapping[str, str]) -> Response:
    parts = urlsplit(target)
    query = "&".join(part for part in (parts.query, urlencode({k: v for k, v in parameters.items() if v})) if part)
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=303)


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthError("invalid_request", f"Missing required parameter: {name}")
    return value


def _developer_mode(key: str | None) -> str:
    if key is None:
        raise ApiError(401, "You did not provide an API key.")
    if key in DEVELOPER_KEYS:
        return DEVELOPER_KEYS[key]
    if key.startswith(("rk_", "sk_acct_")):
        raise ApiError(
            403, f"The provided key '{masked(key)}' does not have the required permissions for this endpoint."
        )
    raise ApiError(401, f"Invalid API Key provided: {masked(key)}")


def _tokens(grant: Grant) -> dict[str, object]:
    return {
        "access_token": grant.access_token,
        "livemode": grant.mode == "live",
        "refresh_token": grant.refresh_token,
        "stripe_publishable_key": f"pk_{grant.mode}_sandbox_{grant.account}",
        "stripe_user_id": grant.account,
        "token_type": "bearer",
    }


def _token_answer(body: dict[str, object]) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
