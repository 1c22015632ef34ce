"""Errors in Stripe's own body shape."""

from typing import Any

from starlette.responses import JSONResponse, Response

DOCUMENTATION = "https://docs.stripe.com/error-codes/"


class ApiError(Exception):
    """A refused request. `status` is the HTTP status; the rest becomes Stripe's `error` object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """The JSON document Stripe would send for this error."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code:
            error |= {"code": self.code, "doc_url": DOCUMENTATION + self.code.replace("_", "-")}
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": error}

    def response(self, request_id: str) -> Response:
        """The whole HTTP answer."""
        return JSONResponse(self.body(request_id), status_code=self.status, headers=self.headers)


class OAuthError(Exception):
    """A refused OAuth request: answers `{"error": …, "error_description": …}`."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status

    def response(self) -> Response:
        """The whole HTTP answer."""
        body = {"error": self.code, "error_description": self.description}
        return JSONResponse(body, status_code=self.status, headers={"Cache-Control": "no-store"})


def no_such(resource: str, object_id: str, param: str = "id", status: int = 404) -> ApiError:
    """Stripe's answer to an unknown id: 404 for a retrieve, 400 for a cursor."""
    return ApiError(status, f"No such {resource}: '{object_id}'", code="resource_missing", param=param)


def missing_permission(key_label: str, account: str, permission: str, *, app: bool) -> ApiError:
    """Stripe's answer to a key or an app that may not read something; the message names the permission."""
    holder = "This application" if app else f"The provided key '{key_label}'"
    return ApiError(
        403,
        f"{holder} does not have the required permissions for this endpoint on account '{account}'. "
        f"Having the 'rak_{permission}' permission would allow this request to continue.",
        code="more_permissions_required_for_application" if app else None,
    )
