"""The CRM customers of the demo: whom the product knows before it is connected to Stripe."""

CrmCustomer = tuple[str, str, str, str, str]
"""Name, domain, owner (a username or nothing), status, environment."""

_PRODUCTION = """
Northwind Traders | northwind.co
Alderbrook Health Systems & Community Care Partners of the Greater Puget Sound Region | alderbrookhealth.org
Kestrel Insurance | kestrel.insure
Ostfriesische Versicherungs- und Rückversicherungsgesellschaft mbH & Co. KG | ostfriesische-versicherung.de
Halden Energy | halden.energy
Orbital Coffee | orbital.coffee
Zephyr Maps | zephyrmaps.org
Müller Söhne | müller-söhne.de
Fenwick & Hale | fenwickhale.co.uk
Tanabe Seisakusho | tanabe-ss.co.jp
Al Safat Trading | alsafat.com.kw
Acme Corp | acme.com
Saltmarsh Foods | saltmarshfoods.com
Tandem Payroll | tandempayroll.com
Ironbridge Construction | ironbridge.build
Cobalt Robotics | cobaltrobotics.ai
Vale Robotics | valerobotics.com
Rook & Sons | rookandsons.com
Sable Logistics | sablelogistics.net
Harbor & Finch | harborfinch.co
Gannet Shipping | gannetshipping.com
Larch & Pine | larchpine.eu
Mistral Yachts | mistral-yachts.fr
Tern Bicycle Works | ternworks.cc
Pinecrest Schools | pinecrest.edu
Delmar Textiles | delmartextiles.com
Fernwood Clinics | fernwoodclinics.com
Meadowlark Theatre | meadowlark.theatre
Old Quay Brewery | oldquay.beer
Founders Guild | foundersguild.io
Launchpad Labs | launchpadlabs.dev
Loyal Leathers | loyalleathers.com
Customer Wide | customerwide.com
Granite Gyms | granitegyms.com
Meterworks | meterworks.dev
Everything Agency | everything.agency
"Söhne" & <b>Co</b> | hostile-names.example
Meridian Logistics | meridian-logistics.com
Brightwater | brightwater.io
Twin Peaks North | twinpeaks.coop
Twin Peaks South | twinpeaks.coop
Fernbank | fernbank.com
Osprey Retail | ospreyretail.com
Linden | linden.example
"""

_STAGING = """
Acme Corp (staging) | acme.com
Northwind (staging) | northwind.co
Fieldnote QA, annual plans | qa-annual.fieldnote.dev
Fieldnote QA, declined cards | qa-declined.fieldnote.dev
Fieldnote QA, bank debits | qa-debit.fieldnote.dev
Fieldnote QA, cancellations | qa-cancel.fieldnote.dev
Import rehearsal | rehearsal.fieldnote.dev
Sales demo | demo.fieldnote.dev
Trial walk-through | trial.fieldnote.dev
Tier playground | tiers.fieldnote.dev
Coupon playground | coupons.fieldnote.dev
Metered playground | metered.fieldnote.dev
Currency playground | currencies.fieldnote.dev
Fieldnote QA, three-D secure | qa-3ds.fieldnote.dev
Fieldnote QA, empty | qa-empty.fieldnote.dev
Fieldnote QA, webhooks | qa-webhooks.fieldnote.dev
"""

_CHURNED = {"Delmar Textiles", "Fernwood Clinics", "Twin Peaks South"}
_OWNERS = ("csm", "csm", "csm", "csm", "admin", "csm", "csm", "", "csm", "staff")


def customers() -> list[CrmCustomer]:
    """All CRM customers, production first."""
    rows = [
        (*[part.strip() for part in line.split("|")], environment)
        for environment, block in (("production", _PRODUCTION), ("staging", _STAGING))
        for line in block.strip().splitlines()
    ]
    return [
        (name, domain, _OWNERS[number % len(_OWNERS)], "churned" if name in _CHURNED else "active", environment)
        for number, (name, domain, environment) in enumerate(rows)
    ]
