"""The Stripe accounts a visitor of the consent page can choose, and the app that asks."""

from dataclasses import dataclass

from sandbox.shapes import Json, build

CREATED = 1_546_300_800
"""1 January 2019: both accounts are older than anything in them."""

MODES = ("live", "test")
CLIENT_IDS = {"ca_sandbox_live": "live", "ca_sandbox_test": "test"}
DEVELOPER_KEYS = {"sk_live_sandbox": "live", "sk_test_sandbox": "test"}
APP_NAME = "Pivotal"


@dataclass(frozen=True)
class Account:
    """A Stripe account."""

    id: str
    name: str
    country: str
    currency: str

    def document(self) -> Json:
        """The answer to `GET /v1/account`."""
        account = build(
            "account",
            id=self.id,
            country=self.country,
            created=CREATED,
            default_currency=self.currency,
            email=f"billing@{self.name.split()[0].lower()}.example",
        )
        account["business_profile"]["name"] = self.name
        account["settings"]["dashboard"]["display_name"] = self.name
        account["external_accounts"]["url"] = f"/v1/accounts/{self.id}/external_accounts"
        return account


FIELDNOTE = Account("acct_1SandboxFieldnote", "Fieldnote Inc", "US", "usd")
OTHER = Account("acct_1SandboxOther", "Other GmbH", "DE", "eur")
ACCOUNTS = {account.id: account for account in (FIELDNOTE, OTHER)}
