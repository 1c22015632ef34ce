"""The consent page: which app asks for what, a choice of account, Connect and Cancel."""

from collections.abc import Mapping
from html import escape

from sandbox.accounts import ACCOUNTS, APP_NAME

NAMES = {
    "customer_read": "Customers",
    "subscription_read": "Subscriptions",
    "invoice_read": "Invoices",
    "payment_intent_read": "Payment Intents",
    "product_read": "Products",
    "plan_read": "Prices",
    "coupon_read": "Coupons",
    "event_read": "Events",
}

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f3f4f8, #14161c); }
main { width: min(27rem, calc(100vw - 3rem)); margin: 1.5rem 0; padding: 2rem; border-radius: 12px;
  background: light-dark(#fff, #1e212a); border: 1px solid light-dark(#dde0e8, #353a47); }
h1 { margin: 0 0 .25rem; font-size: 1.25rem; line-height: 1.3; text-wrap: balance; }
p { margin: 0 0 1.25rem; color: light-dark(#4b5163, #a9b0c0); }
ul { margin: .25rem 0 1.25rem; padding-left: 1.25rem; columns: 2; }
.mode { display: inline-block; margin-bottom: 1rem; padding: .1rem .6rem; border-radius: 99px; font-size: .8125rem;
  color: light-dark(#4b5163, #c7cddb); border: 1px solid light-dark(#c5c9d6, #4a5060); }
fieldset { margin: 0 0 1.5rem; padding: 0; border: 0; }
legend { padding: 0; margin-bottom: .5rem; font-weight: 600; }
label { display: flex; gap: .625rem; padding: .625rem .75rem; border: 1px solid light-dark(#dde0e8, #353a47);
  border-radius: 8px; cursor: pointer; }
label + label { margin-top: .5rem; }
label:has(:checked) { border-color: light-dark(#4f46e5, #9aa2ff); }
label small { display: block; color: light-dark(#5b6275, #a9b0c0); }
.actions { display: flex; gap: .75rem; }
button { flex: 1; padding: .625rem 1rem; font: inherit; font-weight: 600; border-radius: 8px; cursor: pointer;
  border: 1px solid light-dark(#c5c9d6, #4a5060); background: transparent; color: inherit; }
button.primary { border-color: transparent; background: #4f46e5; color: #fff; }
:focus-visible { outline: 2px solid light-dark(#4f46e5, #9aa2ff); outline-offset: 2px; }
footer { margin-top: 1.25rem; font-size: .8125rem; color: light-dark(#5b6275, #a9b0c0); }
"""


def page(action: str, fields: Mapping[str, str], mode: str, permissions: list[str]) -> str:
    """The consent page as HTML. `fields` go back with the form, `action` is where it is posted."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    rights = "".join(f"<li>{escape(NAMES.get(permission, permission))}</li>" for permission in permissions)
    accounts = "".join(
        f'<label><input type="radio" name="account" value="{escape(account.id)}"{" checked" if first else ""}>'
        f"<span>{escape(account.name)}<small>{escape(account.id)}</small></span></label>"
        for first, account in ((number == 0, account) for number, account in enumerate(ACCOUNTS.values()))
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connect {APP_NAME} to Stripe (sandbox)</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<span class="mode">{escape(mode.capitalize())} mode</span>
<h1>{APP_NAME} asks for read access to your Stripe account</h1>
<p>It will be able to read, and never to change:</p>
<ul>{rights}</ul>
<form method="post" action="{escape(action)}">
{hidden}
<fieldset>
<legend>Stripe account</legend>
{accounts}
</fieldset>
<div class="actions">
<button class="primary" name="decision" value="connect">Connect</button>
<button name="decision" value="cancel">Cancel</button>
</div>
</form>
<footer>This is the local Stripe sandbox. No real account is involved.</footer>
</main>
</body>
</html>
"""
