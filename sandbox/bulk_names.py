"""Invented company names, one for every number."""

_FIRST = (
    "Amber", "Birch", "Cobalt", "Crescent", "Dune", "Ember", "Falcon", "Granite", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lumen", "Maple", "Nimbus", "Onyx", "Pioneer", "Quartz", "Raven", "Summit", "Tidal", "Umber", "Vantage",
    "Willow", "Xenon", "Yarrow", "Zephyr",
)  # fmt: skip
_SECOND = (
    "Analytics", "Biotech", "Capital", "Dental", "Energy", "Foods", "Freight", "Games", "Health", "Insurance", "Labs",
    "Logistics", "Media", "Networks", "Optics", "Payroll", "Robotics", "Software", "Studios", "Textiles", "Travel",
    "Ventures", "Works",
)  # fmt: skip


def company(number: int) -> str:
    """The name of company `number`; numbers make names unique where words run out."""
    return f"{_FIRST[number % len(_FIRST)]} {_SECOND[number // len(_FIRST) % len(_SECOND)]} {number:06d}"


def slug(number: int) -> str:
    """The same as a domain label."""
    return company(number).lower().replace(" ", "-")
