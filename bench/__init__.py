"""Measures the product against the local Stripe: `make bench`. Nothing of the product imports it."""
