"""The words and figures that start states of the full desk are drawn from."""

from __future__ import annotations

from typing import NamedTuple

TODAY = "2026-03-16"
"""The desk's one day: no tool asks a clock."""

DAYS = ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
DAY_DATES = {"Tuesday": 17, "Wednesday": 18, "Thursday": 19, "Friday": 20, "Saturday": 21}
TIMES = ("09:00", "09:45", "10:30", "11:15", "13:00", "13:45", "14:30", "15:15", "16:00", "16:45")
SERVICES = ("bike tune-up", "brake service", "wheel truing", "ski waxing", "boot resoling", "tent repair")
TEAMS = ("phone", "chat", "workshop")
CANCEL_REASONS = ("no longer needed", "ordered by mistake", "found it cheaper", "delivery too slow")
CARRIERS = ("PostNord", "DHL", "GLS", "DPD")
HUBS = ("Hamburg", "Utrecht", "Liège", "Cologne", "Leipzig", "Rotterdam", "Mechelen", "Basel")
PAYMENT_KINDS = ("visa", "mastercard", "paypal", "gift card")


class Product(NamedTuple):
    """One product: how the shop names it, what it costs, its variants and how people ask for it."""

    name: str
    category: str
    euros: int
    colours: tuple[str, ...]
    sizes: tuple[str, ...]
    description: str
    asked_as: tuple[str, ...]


_CLOTHES = ("S", "M", "L", "XL")
_SHOES = ("39", "41", "43", "45")
PRODUCTS = (
    Product("Ridgeline 2 Tent", "tents", 289, ("green", "sand", "orange"), ("standard",),
            "Three-season tent for two people, 2.1 kg.", ("tent for two", "two-person tent", "three-season tent")),
    Product("Basecamp 4 Tent", "tents", 449, ("green", "grey"), ("standard",),
            "Family tunnel tent for four people with porch.", ("family tent", "four-person tunnel tent")),
    Product("Drift Down Sleeping Bag", "sleeping", 219, ("blue", "red", "black"), ("regular", "long"),
            "Down sleeping bag, comfort to -4 degrees.", ("down sleeping bag", "warm sleeping bag")),
    Product("Cloudmat Pad", "sleeping", 94, ("grey", "orange"), ("regular", "wide"),
            "Inflatable insulated sleeping pad.", ("inflatable sleeping pad", "insulated pad to sleep on")),
    Product("Trail 45 Backpack", "packs", 159, ("green", "blue", "black"), ("S", "M", "L"),
            "Trekking backpack, 45 litres, with rain cover.", ("trekking backpack", "45 litre backpack")),
    Product("Commuter 20 Roll-Top", "packs", 89, ("black", "yellow", "grey"), ("standard",),
            "Waterproof roll-top bag for the daily ride.", ("waterproof roll-top", "roll-top bag for commuting")),
    Product("Fjord Rain Jacket", "clothing", 179, ("navy", "yellow", "red"), _CLOTHES,
            "Three-layer rain jacket with hood.", ("rain jacket", "three-layer rain jacket")),
    Product("Alder Fleece", "clothing", 79, ("grey", "green", "rust"), _CLOTHES,
            "Mid-weight recycled fleece pullover.", ("fleece pullover", "recycled fleece")),
    Product("Tern Merino Shirt", "clothing", 69, ("navy", "black", "olive"), _CLOTHES,
            "Thin merino base layer for all seasons.", ("merino base layer", "thin merino shirt")),
    Product("Scree Trousers", "clothing", 109, ("black", "olive"), _CLOTHES,
            "Stretch hiking trousers with zip-off legs.", ("zip-off hiking trousers", "stretch trousers")),
    Product("Granite Boots", "footwear", 199, ("brown", "black"), _SHOES,
            "Leather hiking boots, resolable.", ("leather hiking boots", "resolable boots")),
    Product("Swift Trail Shoes", "footwear", 129, ("red", "blue", "grey"), _SHOES,
            "Light trail running shoes with rock plate.", ("trail running shoes", "running shoes with rock plate")),
    Product("Kestrel Headlamp", "lights", 54, ("black", "orange"), ("standard",),
            "Rechargeable headlamp, 450 lumen.", ("rechargeable headlamp", "450 lumen headlamp")),
    Product("Beacon Bike Light Set", "lights", 64, ("black", "silver"), ("standard",),
            "Front and rear bicycle lights, USB charging.", ("bicycle lights", "front and rear lights with USB")),
    Product("Lynx Helmet", "cycling", 119, ("white", "black", "blue"), ("S", "M", "L"),
            "Vented cycling helmet with MIPS.", ("vented cycling helmet", "MIPS helmet")),
    Product("Harbour Panniers", "cycling", 139, ("black", "yellow", "green"), ("20 l", "30 l"),
            "Pair of roll-closure panniers for the rear rack.", ("pair of rear panniers", "panniers for the rack")),
    Product("Steady Floor Pump", "cycling", 49, ("black", "red"), ("standard",),
            "Floor pump with gauge for both valve types.", ("floor pump", "pump with gauge")),
    Product("Grit Gravel Tyre", "cycling", 44, ("black", "tan"), ("700x38", "700x45"),
            "Tubeless gravel tyre, folding.", ("tubeless gravel tyre", "folding gravel tyre")),
    Product("Ember Gas Stove", "cooking", 59, ("silver", "black"), ("standard",),
            "Folding gas stove, 85 grams.", ("folding gas stove", "small gas stove")),
    Product("Nest Cook Set", "cooking", 72, ("silver", "blue"), ("2 pots", "3 pots"),
            "Nesting aluminium pots with lid.", ("nesting pots", "aluminium cook set")),
    Product("Spring Water Filter", "cooking", 46, ("blue", "white"), ("standard",),
            "Squeeze water filter, 0.1 micron.", ("squeeze water filter", "micron water filter")),
    Product("Summit Poles", "hiking", 99, ("red", "black"), ("110 cm", "120 cm", "130 cm"),
            "Folding carbon trekking poles, pair.", ("carbon trekking poles", "folding poles")),
    Product("Glacier Sunglasses", "hiking", 84, ("black", "white"), ("standard",),
            "Category 4 sunglasses with side shields.", ("category 4 sunglasses", "sunglasses with side shields")),
    Product("Loft Gloves", "clothing", 49, ("black", "red"), ("S", "M", "L"),
            "Insulated touring gloves, touchscreen ready.", ("insulated gloves", "touchscreen touring gloves")),
    Product("Nordic Touring Skis", "snow", 329, ("white", "blue"), ("185 cm", "195 cm", "205 cm"),
            "Cross-country touring skis with steel edges.", ("cross-country skis", "touring skis with steel edges")),
    Product("Drift Snowshoes", "snow", 149, ("red", "black"), ("22 in", "25 in"),
            "Aluminium frame snowshoes with heel lift.", ("snowshoes with heel lift", "aluminium snowshoes")),
)  # fmt: skip

FIRST_NAMES = tuple(
    "Ana Bram Chiara Dario Elin Farid Greta Hugo Ines Jonas Katja Liam Mara Nils Oona Pavel Quinn Rosa Soren Tessa "
    "Umar Vera Wout Ximena Yara Zoe Amir Berit Cas Dunja Emeka Freya Goran Hanne Ivo Kofi Lotte Milan Noor".split()
)
LAST_NAMES = tuple(
    "Almeida Baker Castel Dijkstra Eriksen Fontaine Gruber Hansen Ivanov Jansen Keller Lindqvist Moreau Novak Okafor "
    "Peeters Quist Romano Santos Thorsen Urban Visser Weber Xavier Yilmaz Zanetti Aalto Brandt Costa Dubois Engel "
    "Ferrari Garcia Haas Iversen Jensen Kovacs Laurent Meyer Nielsen Olsen Petrov Rossi Schmidt Tanaka Vogel".split()
)
STREETS = tuple(
    "Mill Lane,Kerkstraat,Lindenweg,Rue du Port,Via Roma,Harbour Road,Parkallee,Oak Avenue,Stationsplein,Bergweg,"
    "Canal Street,Rosenstrasse,Hoogstraat,Church Hill,Quai Nord,Elm Close,Molenweg,Bahnhofstrasse,Sea View".split(",")
)
CITIES = tuple(
    "Utrecht,Ghent,Bremen,Aarhus,Lyon,Graz,Porto,Malmö,Bergen,Turin,Cork,Leiden,Kassel,Nantes,Bern,Tartu".split(",")
)
