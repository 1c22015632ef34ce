"""The demo: everything on this machine, with a local Stripe sandbox, from an empty checkout to a synced account.

`folder` is where it keeps things, `people` its users, `services` its child processes, `visitor` the admin who clicks,
and `story` the order of it all.
"""
