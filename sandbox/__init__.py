"""A local Stripe for the demo and the tests.

Speaks the part of Stripe's HTTP interface that a read-only billing mirror uses: OAuth consent and tokens, lists,
retrieves, expansion, events and signed webhooks, with faults on demand. Data is generated from a seed. It imports
nothing of the product, and the product imports nothing of it: they meet over HTTP only.
"""

API_VERSION = "2026-10-28.endive"
"""The API version whose object shapes are served; echoed as `Stripe-Version` when a request names none."""
