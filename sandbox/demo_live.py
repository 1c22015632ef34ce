"""The live-mode customers of the demo: one story for every situation a customer header can show."""

from sandbox.ledger import Item, Plan, Story


def _plan(price: str, quantity: int | None, started: int, **rest: object) -> Plan:
    return Plan((Item(price, quantity),), started, **rest)  # type: ignore[arg-type]


HOSTILE_NAME = '<script>alert(1)</script> & "Söhne"'

ORDINARY = (
    Story("Northwind Traders", "billing@northwind.co", (_plan("scale_monthly", 46, 2110),)),
    Story(
        "Alderbrook Health Systems & Community Care Partners of the Greater Puget Sound Region",
        "accounts.payable@alderbrookhealth.org",
        (_plan("scale_annual", 38, 1650), _plan("insights_monthly", 1, 700)),
    ),
    Story("Kestrel Insurance", "ap@kestrel.insure", (_plan("scale_quarterly", 25, 1470),)),
    Story(
        "Ostfriesische Versicherungs- und Rückversicherungsgesellschaft mbH & Co. KG",
        "buchhaltung@ostfriesische-versicherung.de",
        (_plan("scale_annual_eur", 18, 1400, send_invoice=True, payment="paid"),),
        country="DE",
    ),
    Story("Halden Energy", "finance@halden.energy", (_plan("growth_monthly", 12, 1080, coupons=("PARTNER15",)),)),
    Story("Orbital Coffee", "roasters@orbital.coffee", (_plan("starter_weekly", 6, 300),)),
    Story("Zephyr Maps", "maps@zephyrmaps.org", (_plan("legacy", 1, 2180),)),
    Story("Müller Söhne GmbH", "rechnung@müller-söhne.de", (_plan("growth_monthly_eur", 9, 640),), country="DE"),
    Story("Fenwick & Hale LLP", "accounts@fenwickhale.co.uk", (_plan("growth_monthly_gbp", 14, 870),), country="GB"),
    Story("Tanabe Seisakusho", "keiri@tanabe-ss.co.jp", (_plan("growth_monthly_jpy", 8, 610),), country="JP"),
    Story("Al Safat Trading", "accounts@alsafat.com.kw", (_plan("growth_monthly_kwd", 6, 450),), country="KW"),
    Story(
        "Marlow Daycare",
        "hello@marlowdaycare.com",
        (_plan("starter_daily", 2, 35), _plan("starter_fortnightly", 1, 90)),
    ),
)

PAYMENTS = (
    Story("Acme Corp", "billing@acme.com", (_plan("growth_monthly", 13, 840, status="past_due", payment="failing"),)),
    Story(
        "Acme Deutschland GmbH",
        "buchhaltung@acme.com",
        (_plan("growth_monthly_eur", 4, 400), _plan("support_monthly", 1, 210)),
        country="DE",
    ),
    Story(
        "Saltmarsh Foods",
        "ap@saltmarshfoods.com",
        (_plan("growth_monthly", 9, 640, status="past_due", payment="exhausted"),),
    ),
    Story(
        "Tandem Payroll",
        "treasury@tandempayroll.com",
        (
            _plan("growth_monthly", 22, 1200, status="past_due", payment="overdue", send_invoice=True),
            _plan("insights_monthly", 1, 500),
        ),
    ),
    Story(
        "Ironbridge Construction",
        "ap@ironbridge.build",
        (_plan("growth_annual", 15, 1605, payment="sent", send_invoice=True),),
    ),
    Story("Cobalt Robotics", "finance@cobaltrobotics.ai", (_plan("growth_monthly", 17, 1130, older_open=True),)),
    Story("Vale Robotics", "ops@valerobotics.com", (_plan("scale_monthly", 7, 330, payment="processing"),)),
    Story(
        "Rook & Sons",
        "books@rookandsons.com",
        (_plan("starter_monthly", 5, 260, payment="needs_action", status="past_due"),),
    ),
    Story(
        "Sable Logistics",
        "ar@sablelogistics.net",
        (_plan("growth_monthly", 8, 410, status="past_due", payment="retrying_debit"),),
    ),
    Story("Harbor & Finch", "tea@harborfinch.co", (_plan("starter_monthly", 2, 3, payment="none"),)),
    Story(
        "Gannet Shipping",
        "billing@gannetshipping.com",
        (_plan("growth_monthly", 10, 900, status="unpaid", payment="draft", older_open=True),),
    ),
    Story(
        "Larch & Pine",
        "hallo@larchpine.eu",
        (_plan("starter_monthly", 3, 1, status="incomplete", payment="needs_action"),),
    ),
    Story(
        "Mistral Yachts",
        "capitaine@mistral-yachts.fr",
        (_plan("growth_monthly_eur", 7, 760, status="past_due", payment="uncollectible"),),
        country="FR",
    ),
)

LIFECYCLE = (
    Story("Tern Bicycle Works", "ride@ternworks.cc", (_plan("starter_monthly", 4, 4, status="trialing"),)),
    Story(
        "Pinecrest Schools",
        "bursar@pinecrest.edu",
        (_plan("growth_annual", 12, 1560, fields={"cancel_at_period_end": True}),),
    ),
    Story(
        "Delmar Textiles",
        "contabilidad@delmartextiles.com",
        (_plan("growth_monthly", 6, 2030, status="canceled", payment="exhausted"),),
    ),
    Story("Fernwood Clinics", "billing@fernwoodclinics.com", (_plan("starter_annual", 8, 2240, status="canceled"),)),
    Story(
        "Meadowlark Theatre",
        "box@meadowlark.theatre",
        (_plan("starter_monthly", 5, 700, fields={"pause_collection": {"behavior": "void", "resumes_at": None}}),),
    ),
    Story(
        "Pausanias Travel",
        "office@pausanias.travel",
        (_plan("growth_monthly", 4, 480, status="paused", payment="paid"),),
    ),
    Story("Old Quay Brewery", "cellar@oldquay.beer", (_plan("growth_monthly", 5, 600),), deleted=True),
)

SHAPES = (
    Story("Sunrise Charter", "office@sunrisecharter.org", (_plan("growth_monthly", 10, 540, coupons=("NONPROFIT",)),)),
    Story("Founders Guild", "hello@foundersguild.io", (_plan("growth_monthly", 3, 330, coupons=("FOUNDER",)),)),
    Story("Launchpad Labs", "pay@launchpadlabs.dev", (_plan("growth_monthly", 14, 120, coupons=("LAUNCH20",)),)),
    Story("Thistle & Thyme", "orders@thistlethyme.shop", (_plan("starter_monthly", 7, 25, coupons=("WELCOME",)),)),
    Story("Loyal Leathers", "office@loyalleathers.com", (_plan("growth_monthly", 6, 1300, coupons=("LOYAL50",)),)),
    Story("Customer Wide Ltd", "accounts@customerwide.com", (_plan("scale_monthly", 5, 260),), coupon="PARTNER15"),
    Story(
        "Item Discounts Inc",
        "ap@itemdiscounts.com",
        (Plan((Item("growth_monthly", 8, ("GROWTHONLY",)), Item("insights_monthly")), 440),),
    ),
    Story("Granite Gyms", "desk@granitegyms.com", (_plan("seats_graduated", 27, 365),)),
    Story("Volume Vineyards", "cave@volumevineyards.fr", (_plan("seats_volume", 64, 290),), country="FR"),
    Story("Meterworks", "api@meterworks.dev", (Plan((Item("growth_monthly", 3), Item("api_calls", None)), 505),)),
    Story(
        "Everything Agency",
        "accounts@everything.agency",
        (
            Plan(
                tuple(
                    Item(price, number + 1)
                    for number, price in enumerate(
                        (
                            "growth_monthly",
                            "insights_monthly",
                            "support_monthly",
                            "starter_monthly",
                            "scale_monthly",
                            "legacy",
                            "seats_package",
                            "growth_monthly_2023",
                            "events_monthly",
                            "starter_monthly",
                            "growth_monthly",
                            "seats_volume",
                            "seats_graduated",
                            "legacy",
                        )
                    )
                ),
                150,
            ),
        ),
    ),
    Story(HOSTILE_NAME, "söhne@hostile-names.example", (_plan("hostile", 2, 75),)),
)

COLLISIONS = (
    Story("Meridian Logistics Group", "billing@meridian-logistics.com", (_plan("growth_monthly", 18, 1267),)),
    Story(
        "Meridian Cold Chain",
        "accounts.coldchain@meridian-logistics.com",
        (_plan("growth_monthly", 9, 1005, status="past_due", payment="overdue", send_invoice=True),),
    ),
    Story(
        "Meridian Customs Brokerage & Freight Forwarding Services (Rotterdam) B.V.",
        "crediteuren.rotterdam@meridian-logistics.com",
        (_plan("growth_monthly", 6, 446), _plan("starter_monthly", 1, 400)),
        country="NL",
    ),
    Story("Meridian Last Mile", "ops@meridian-logistics.com", (_plan("growth_monthly", 3, 8),)),
    Story("Brightwater Holdings", "ap@brightwater.io", (_plan("growth_monthly", 12, 985, older_open=True),)),
    Story(
        "Brightwater Labs",
        "finance@brightwater.io",
        (_plan("starter_monthly", 15, 13), _plan("growth_monthly_kwd", 2, 13)),
    ),
    Story("Twin Peaks Cooperative", "office@twinpeaks.coop", (_plan("growth_quarterly", 6, 350),)),
)

UNMATCHED = (
    Story("Jane Doe", "jane.doe@gmail.com", (_plan("starter_monthly", 1, 340),)),
    Story("Outlook Freelancer", "freelancer@outlook.com", (_plan("starter_annual", 1, 720),)),
    Story("Sam on iCloud", "sam@icloud.com", (_plan("starter_monthly", 2, 95, status="past_due", payment="failing"),)),
    Story("Nameless Account", None, (_plan("starter_monthly", 3, 505),)),
    Story("Unusable E-mail", "billing at unusable", (_plan("growth_monthly", 2, 230),)),
    Story(None, "info@nameless-company.com", (_plan("starter_monthly", 1, 130),), key="no name"),
    Story("Fernbank Analytics", "billing@eu.fernbank.com", (_plan("growth_monthly", 6, 480),)),
    Story("Osprey Retail Group", "ap@ospreyretail.co.uk", (_plan("growth_monthly_gbp", 5, 390),), country="GB"),
    Story("Tollgate Systems", "admin@tollgate.systems", (_plan("starter_monthly", 9, 610),)),
    Story(
        "Calder Valley Community Transport & Accessible Mobility Partnership",
        "accounts@caldervalley-transport.org.uk",
        (_plan("growth_monthly", 3, 245),),
        country="GB",
    ),
    Story("Looked, never bought", "curious@window-shoppers.com", created=45),
)

STORIES = (*ORDINARY, *PAYMENTS, *LIFECYCLE, *SHAPES, *COLLISIONS, *UNMATCHED)
