"""The vocabulary of generated receipts: shops, wares and labels, in English and Indonesian."""

from __future__ import annotations

import random
from collections.abc import Mapping

Words = tuple[str, ...]

SHOPS: Mapping[str, tuple[Words, Words]] = {
    "cafe": (
        ("Kopi", "Kedai", "Warung", "Rumah", "Cafe", "Teras", "Toko Kopi"),
        ("Senja", "Melati", "Bukit", "Anggrek", "Lima", "Pagi", "Tepi Kali", "Nusa", "Cempaka", "Rindang"),
    ),
    "supermarket": (
        ("SUPER", "MINI MART", "TOKO", "SWALAYAN", "FRESH", "PASAR"),
        ("INDAH", "MAJU JAYA", "SUMBER", "HARAPAN", "VALLEY", "CORNER", "88", "SENTOSA", "PRIMA"),
    ),
    "restaurant": (
        ("Restoran", "The", "Rumah Makan", "Dapur", "Chez", "Casa", "Little"),
        ("Garden", "Sederhana Baru", "Harbour", "Olive", "Pondok", "Saffron", "Lotus", "Old Mill", "Bamboo"),
    ),
    "petrol": (("SPBU", "STATION", "FUEL STOP", "GAS"), ("34.12", "Km 57", "NORTH", "RING ROAD", "CENTRAL", "51.801")),
    "hotel": (("Hotel", "Grand", "Villa", "Guesthouse"), ("Meridian", "Samudra", "Royal", "Puri", "Belvedere", "Park")),
    "takeaway": (
        ("Wok", "Bento", "Burger", "Mie", "Noodle", "Curry"),
        ("Express", "Box", "To Go", "Corner", "Bang Ali", "Brothers", "Station", "Mas Joko"),
    ),
    "bakery": (
        ("Bakery", "Roti", "Patisserie", "Kue", "Bread & Co"),
        ("Amanda", "Lestari", "Golden", "Ibu Sri", "Sunrise", "Wheat", "Nona"),
    ),
    "kiosk": (("Kiosk", "Corner", "Newsstand", "Depot"), ("12", "Station", "Harbour", "Jaya", "Market Hall", "B4")),
    "market": (("Market", "Pasar", "Stall", "Farm"), ("Fresh", "Baru", "Senen", "Green", "7", "Sunday", "Tani")),
}
"""The first and the second words of shops' names."""

WARES: Mapping[str, tuple[tuple[Words, Words, Words], ...]] = {
    "cafe": (
        (
            ("", "", "Iced ", "Hot ", "Es "),
            ("Kopi Susu", "Americano", "Cafe Latte", "Cappuccino", "Teh Tarik", "Matcha Latte", "Cokelat", "Espresso",
             "Caramel Macchiato", "Kopi Tubruk", "Lemon Tea", "Jeruk Nipis", "Flat White"),
            ("", "", "", " (L)", " (R)", " Gula Aren", " Less Sugar"),
        ),
        (
            ("",),
            ("Pisang Goreng", "Roti Bakar", "Kentang Goreng", "Nasi Goreng", "Mie Goreng", "Croissant", "Donat"),
            ("", "", " Keju", " Coklat", " Spesial", " Kampung"),
        ),
    ),
    "supermarket": (
        (
            ("", "", "SGR ", "ABC ", "PRM "),
            ("BERAS", "MINYAK GORENG", "GULA PASIR", "SUSU UHT", "SABUN MANDI", "MIE INSTAN", "TELUR AYAM", "KECAP",
             "SHAMPOO", "TISSUE", "AIR MINERAL", "BISCUIT", "COFFEE", "ORANGE JUICE", "TOOTHPASTE", "CHEDDAR"),
            (" 1L", " 2L", " 250G", " 85G", " 500ML", " 5KG", " 10S", " 1KG", ""),
        ),
    ),
    "restaurant": (
        (
            ("", "", "Grilled ", "Fried ", "Spicy "),
            ("Chicken", "Beef Rib", "Tofu", "Squid", "Snapper", "Lamb", "Prawn"),
            (" Rice", " Satay", " w/ Sambal", " Noodles", " Salad", " Platter", " Steak"),
        ),
        (
            ("",),
            ("Nasi Putih", "Ayam Bakar", "Gurame Asam Manis", "Sop Buntut", "Cah Kangkung", "Es Teh Manis", "Gado-Gado",
             "Soto Betawi", "Mineral Water", "Fresh Orange Juice", "Mango Lassi", "House Red"),
            ("", "", " Sp", " (Hot)", " 1/2"),
        ),
    ),
    "petrol": (
        (("",), ("Pertalite", "Pertamax", "Solar", "Diesel", "Super", "Unleaded"), ("", " 92", " 95", " 98", " Plus")),
    ),
    "hotel": (
        (
            ("Room ", "Kamar "),
            ("101", "102", "207", "215", "318", "402", "511", "Deluxe", "Superior", "Twin"),
            ("", " 1 Night", " 2 Nights", " Single"),
        ),
        (
            ("",),
            ("Breakfast", "Laundry", "Minibar", "Airport Transfer", "Spa Massage", "Parking", "Dinner Buffet"),
            ("", "", " Adult", " Child"),
        ),
    ),
    "takeaway": (
        (
            ("", "", "Spicy ", "Double ", "Crispy "),
            ("Chicken Burger", "Beef Bowl", "Fried Noodles", "Curry Rice", "Katsu Don", "Bakso", "Mie Ayam", "Dimsum"),
            ("", "", " Set", " Combo", " Large", " + Egg", " Jumbo"),
        ),
    ),
    "bakery": (
        (
            ("", "", "Mini ", "Fresh "),
            ("Baguette", "Choco Bun", "Cheese Tart", "Brownies", "Roti Sobek", "Sourdough", "Lapis Legit", "Muffin",
             "Cinnamon Roll", "Bolu Pandan", "Egg Tart", "Almond Danish"),
            ("", "", " Slice", " Box 6", " Keju", " Raisin"),
        ),
    ),
    "kiosk": (
        (
            ("",),
            ("Water", "Cola", "Newspaper", "Chewing Gum", "Crisps", "Iced Tea", "Magazine", "Lighter", "Sandwich"),
            ("", "", " 0.5", " Small", " Large", " Mint"),
        ),
    ),
    "market": (
        (
            ("", "", "Ripe ", "Local "),
            ("Mango", "Papaya", "Tomatoes", "Chilli", "Spinach", "Eggs", "Honey", "Coconut", "Pisang Raja", "Tempe",
             "Ikan Asin", "Bayam"),
            ("", "", " kg", " Bunch", " Bag", " Organic"),
        ),
    ),
}  # fmt: skip
"""The parts of wares' names by shop: a prefix, the ware, a suffix."""

ADDITIONS: Words = (
    "Extra Shot", "Whip Cream", "No Ice", "Extra Cheese", "Less Ice", "Add Egg", "Oat Milk", "Large Size",
    "Medium Rare", "Sambal Matah", "Extra Spicy", "Boba", "Bacon", "Rice", "HOT", "Jelly",
)  # fmt: skip
NOTES: Words = ("Take Away", "Dine In", "Promo", "No Onion", "Well Done", "Free Item", "Member")

STREETS: Mapping[str, Words] = {
    "id": ("Jl. Sudirman", "Jl. Gajah Mada", "Jl. Melati", "Jl. Raya Bogor", "Jl. Diponegoro", "Jl. Kemang Raya"),
    "en": ("High Street", "Mill Road", "Station Road", "5th Avenue", "Harbour Lane", "Market Square", "Park Street"),
}
CITIES: Mapping[str, Words] = {
    "id": ("Jakarta Selatan", "Bandung", "Surabaya", "Denpasar", "Yogyakarta", "Medan", "Bekasi"),
    "en": ("Springfield", "Riverton", "Kuala Lumpur", "Dublin", "Portland", "Singapore", "Leeds"),
}
PEOPLE: Words = ("Dewi", "Budi", "Sari", "Andi", "Rina", "Tom", "Anna", "Kim", "Joe", "Mega", "Kasir 2", "POS-01")
THANKS: Mapping[str, Words] = {
    "id": ("Terima Kasih", "TERIMA KASIH ATAS KUNJUNGAN ANDA", "Selamat Menikmati", "Barang tidak dapat dikembalikan"),
    "en": ("Thank you", "THANK YOU, COME AGAIN", "Have a nice day!", "Keep this receipt", "Please come again"),
}

LABELS: Mapping[str, Mapping[str, Words]] = {
    "subtotal_price": {"id": ("Subtotal", "Sub Total", "Jumlah", "Sub-total"), "en": ("Subtotal", "Sub Total", "Sum")},
    "discount_price": {"id": ("Diskon", "Discount", "Promo", "Potongan"), "en": ("Discount", "Disc.", "Coupon")},
    "service_price": {"id": ("Service", "Service Charge", "Svc"), "en": ("Service", "Service Charge", "Gratuity")},
    "othersvc_price": {"id": ("Packing", "Take Away Charge", "Ongkir"), "en": ("Packaging", "Delivery", "Bag")},
    "tax_price": {"id": ("PPN", "PB1", "Pajak", "Tax", "P.Resto"), "en": ("Tax", "VAT", "GST", "Sales Tax")},
    "total_price": {"id": ("Total", "Grand Total", "TOTAL", "Total Bayar"), "en": ("Total", "TOTAL", "Amount Due")},
    "cashprice": {"id": ("Tunai", "Cash", "Bayar"), "en": ("Cash", "CASH", "Tendered")},
    "changeprice": {"id": ("Kembali", "Kembalian", "Change"), "en": ("Change", "CHANGE", "Change Due")},
    "creditcardprice": {"id": ("Debit", "Kartu Kredit", "Credit Card"), "en": ("Card", "VISA", "Credit Card", "Debit")},
    "emoneyprice": {"id": ("E-Money", "QRIS", "E-Wallet"), "en": ("E-Money", "Gift Card", "Points")},
    "menuqty_cnt": {"id": ("Total Qty", "Jml Item", "Qty", "Total Item"), "en": ("Items", "Total Qty", "No. of Items")},
    "menutype_cnt": {"id": ("Jenis", "Item"), "en": ("Lines", "Articles")},
}
"""The labels of the amounts, which are not part of the truth."""

HEADINGS: Mapping[str, Mapping[str, Words]] = {
    "nm": {"id": ("Item", "Nama", "Menu"), "en": ("Item", "Description")},
    "cnt": {"id": ("Qty", "Jml"), "en": ("Qty", "No")},
    "unitprice": {"id": ("Harga", "@"), "en": ("Price", "Unit")},
    "price": {"id": ("Jumlah", "Total"), "en": ("Amount", "Total")},
}


def ware(shop: str, rng: random.Random) -> str:
    """A random name of a ware of this shop."""
    return "".join(rng.choice(words) for words in rng.choice(WARES[shop]))


def shop_name(shop: str, rng: random.Random) -> str:
    """A random name of a shop of this kind."""
    name = " ".join(rng.choice(words) for words in SHOPS[shop])
    return name.upper() if rng.random() < 0.5 else name
