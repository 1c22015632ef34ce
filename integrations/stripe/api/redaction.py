"""Takes secrets out of text before it is logged, stored or shown (docs/architecture.md section 5)."""

from __future__ import annotations

import re

# Stripe's own prefixes: secret, restricted and publishable keys (an OAuth access token is a secret key), webhook
# signing secrets, authorisation codes and refresh tokens. The first characters stay, so that one can be told apart.
# Neither a permission (rak_…) nor an account (acct_…) looks like one.
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])((?:sk|rk|pk)_(?:live|test|acct)_|(?:sk|rk|pk)_|whsec_|ac_|rt_)[A-Za-z0-9_*.-]{4,}"
    r"|\b(Bearer\s+|Basic\s+)[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)

# Tokens are opaque strings, so what is called a token is one, whatever it looks like: in JSON, in a form, in a repr.
_NAMED = re.compile(
    r"""((?:access_token|refresh_token|client_secret|whsec|authorization)["']?\s*[:=]\s*["']?)"""
    r"""(?!Bearer\s|Basic\s)[^\s"'&,}\[]{4,}""",
    re.IGNORECASE,
)

# The client secret of a payment or setup intent: pi_…_secret_….
_INTENT_SECRET = re.compile(r"(_secret_)[A-Za-z0-9]{4,}")


def redact(text: str) -> str:
    """`text` with every key, token, signing secret, authorisation code and authorisation header value replaced."""
    text = _PREFIXED.sub(lambda match: f"{match[1] or match[2]}[redacted]", text)
    text = _NAMED.sub(r"\1[redacted]", text)
    return _INTENT_SECRET.sub(r"\1[redacted]", text)
