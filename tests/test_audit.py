"""The audit: each rule kept and broken in cases worked out by hand."""

from __future__ import annotations

import pytest
from audit_cases import audited, breaches_of, case, judge, news, on, sale, tables_of, the_plan

from optimizer import audit_sieve
from optimizer.audit import COLUMNS, AuditFailed, refuse_breaches


def test_an_open_plan_allows_everything_once_a_day() -> None:
    found = judge(
        the_plan(),
        case("nothing planned", []),
        case("every day", sale(0, 1, 2, 13)),
        case("one of two", [*sale(3), *news(3)], [("one_a_day", 3), ("one_a_day", 3)]),
        case("the same twice", sale(3, 3), [("one_a_day", 3)]),
    )
    assert found.detail[0] == "2 planned contacts on one day"


def test_nothing_planned_is_no_breach() -> None:
    found = breaches_of(the_plan())
    assert found.empty
    assert found.columns.tolist() == COLUMNS


def test_permission() -> None:
    judge(
        the_plan(),
        case("no row", sale(3)),
        case("granted", sale(3), permissions=[("email", "granted")]),
        case("denied", sale(3), [("permission", 3)], permissions=[("email", "granted"), ("email", "denied")]),
        case("denied another day", sale(4), permissions=[("email", "denied", 3, 3)]),
        case("denied that day", sale(3), [("permission", 3)], permissions=[("email", "denied", 3, 3)]),
        case("denied another type", sale(3), permissions=[("email", "denied", None, None, "service")]),
        case("denied another channel", sale(3), permissions=[("mail", "denied")]),
        case("lapsed", sale(5, 6), [("permission", 6)], permissions=[("email", "granted", None, 5)]),
        case("not begun", sale(4, 5), [("permission", 4)], permissions=[("email", "granted", 5)]),
        case("lapsed for a type", [*sale(8), *news(9)], [("permission", 9)],
             permissions=[("email", "granted", None, 5, "service")]),
    )  # fmt: skip
    judge(
        the_plan(email={"default_permission": "denied"}),
        case("no row", [*sale(3), *sale(4, channel="mail")], [("permission", 3)]),
        case("granted", sale(3), permissions=[("email", "granted")]),
        case("granted another type", [*sale(3), *news(4)], [("permission", 3)],
             permissions=[("email", "granted", None, None, "service")]),
    )  # fmt: skip


def test_permission_and_audience_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan asks more than fits into the bits of one number: it is asked part by part."""
    monkeypatch.setattr(audit_sieve, "BITS", 1)
    judge(
        the_plan(sale={"audience": "x > 3"}),
        case("allowed", [*sale(3), *news(4), *sale(5, channel="mail")]),
        case("denied by mail", [*sale(3), *sale(5, channel="mail")], [("permission", 5)],
             permissions=[("mail", "denied")]),
        case("outside", [*sale(3), *news(4)], [("audience", 3)], x=3),
        case("both", [*sale(3), *news(4)], [("permission", 4), ("audience", 3)], x=3,
             permissions=[("email", "denied", None, None, "service")]),
    )  # fmt: skip


def test_restrictions_hold_until_the_days_after() -> None:
    judge(
        the_plan(),
        case("closed", [*sale(2, 4, 7, 8), *news(5)], [("restriction", 4), ("restriction", 7)],
             restrictions=[(" Complaint", 3, 5)]),
        case("open", sale(2, 3, 13), [("restriction", 3), ("restriction", 13)],
             restrictions=[("complaint", 3, None)]),
        case("blocking nothing", sale(4), restrictions=[("quiet", 3, 5)]),
    )  # fmt: skip


SENT = [(day, "email", "sale") for day in (-3, -2, -1)]
MEANT = [(day, "email", "bill") for day in (4, 5, 9)]


def test_frequency_caps() -> None:
    found = judge(
        the_plan(policy={"max_per_customer": [{"contacts": 3, "days": 7}]}),
        case("three in seven days", sale(0, 1, 6, 8)),
        case("four in seven days", sale(0, 2, 5, 6, 9), [("frequency_cap", day) for day in (0, 2, 5, 6)]),
        case("history", sale(3), [("frequency_cap", 3)], contact_history=SENT),
        case("old history", sale(4), contact_history=SENT),
        case("commitments ahead", sale(3), [("frequency_cap", 3)], commitments=MEANT),
        case("far from the crowd", sale(11), commitments=[(day, "email", "bill") for day in (1, 2, 3, 4)]),
        case("undelivered", sale(3), contact_history=[(*row, None, 0) for row in SENT]),
        case("held back", sale(3), contact_history=[(*row, None, 1, 1) for row in SENT]),
        case("since the start", sale(3), contact_history=[(day, "email", "bill") for day in (0, 1, 2)]),
        case("told twice", sale(3), contact_history=[SENT[0], SENT[0], SENT[1]]),
        case("told in both", sale(3), contact_history=SENT[:2], commitments=[SENT[1]]),
    )
    assert found.detail[0] == "policy.max_per_customer[0]: 4 contacts in 7 days, at most 3"


def test_caps_count_what_they_name() -> None:
    promotions = {"contacts": 1, "days": 7, "types": ["promotional"]}
    judge(
        the_plan(
            policy={"max_per_customer": [promotions, {"contacts": 0, "days": 1, "campaigns": ["news"]}]},
            email={"max_per_customer": [{"contacts": 2, "days": 14}]},
        ),
        case("none of that campaign", news(3), [("frequency_cap", 3)]),
        case("another channel", sale(3), contact_history=[(-1, "mail", "x", "brand")] * 3),
        case("this channel", sale(3), [("frequency_cap", 3)],
             contact_history=[(-1, "email", "x", "brand"), (-2, "email", "x", "brand")]),
        case("another type", sale(3), commitments=[(4, "mail", "bill", "functional")]),
        case("unknown type", sale(3), [("frequency_cap", 3)], commitments=[(4, "mail", "bill")]),
        case("type of the plan's campaign", sale(3), [("frequency_cap", 3)],
             commitments=[(4, "mail", "sale")]),
    )  # fmt: skip


def test_a_campaign_that_does_not_count_towards_caps() -> None:
    weekly = {"policy": {"max_per_customer": [{"contacts": 2, "days": 7}]}}
    judge(
        the_plan(**weekly, email={"max_per_customer": [{"contacts": 1, "days": 2}]},
                 news={"counts_towards_caps": False}),
        case("beside two others", [*sale(0, 3), *news(1, 2, 4, 5)]),
        case("a third other", [*sale(0, 3, 5), *news(4)], [("frequency_cap", day) for day in (0, 3, 5)]),
        case("in history", sale(0, 2), contact_history=[(-day, "email", "news") for day in (1, 2, 3)]),
    )  # fmt: skip
    # Everything else counts it.
    judge(
        the_plan(
            news={"counts_towards_caps": False, "max_per_customer": [{"contacts": 1, "days": 5}]},
            policy={
                "min_days_between": 2,
                "only_after": [{"campaign": "sale", "after": "news", "days": [2, 9]}],
            },
        ),
        case("its own cap", news(0, 4), [("duplicate", 0), ("duplicate", 4)]),
        case("spacing", [*news(0), *sale(3, 4)], [("spacing", 3), ("spacing", 4)]),
        case("opens", [*news(0), *sale(2)]),
        case("one contact in all", [*news(0), *sale(2)], [("frequency_cap", 0), ("frequency_cap", 2)],
             max_contacts=1),
    )  # fmt: skip


def test_a_campaign_that_ignores_caps() -> None:
    found = judge(
        the_plan(
            policy={"max_per_customer": [{"contacts": 2, "days": 7}]},
            email={"max_per_customer": [{"contacts": 0, "days": 1, "campaigns": ["news"]}]},
            news={"ignores_caps": True},
        ),
        case("as many as there are", news(0, 1, 2, 3)),
        case("with history", news(0, 1), contact_history=SENT),
        case("with commitments", news(3), commitments=MEANT),
        # A stretch with a sale may hold one news only; the sale is at fault, whichever came first.
        case("sale and news", [*sale(0), *news(6)]),
        case("sale, then two news", [*sale(0), *news(5, 6)], [("frequency_cap", 0)]),
        case("two news, then a sale", [*news(0, 1), *sale(6)], [("frequency_cap", 6)]),
        case("two news, a sale a week later", [*news(0, 1), *sale(8)]),
        case("history and news", [*news(0), *sale(5)], [("frequency_cap", 5)],
             contact_history=[(-1, "email", "x")]),
        case("a sale far from the crowd", [*news(0, 1, 2), *sale(9), *news(13)]),
    )  # fmt: skip
    assert found.detail[0] == "policy.max_per_customer[0]: 3 contacts in 7 days, at most 2"


def test_a_limit_of_ones_own() -> None:
    found = judge(
        the_plan(news={"ignores_caps": True}),
        case("none", sale(0, 1, 2)),
        case("kept", [*sale(0), *news(13)], max_contacts=2),
        case("broken", [*sale(0), *news(13)], [("frequency_cap", 0), ("frequency_cap", 13)], max_contacts=1),
        case("no contact at all", sale(3), [("frequency_cap", 3)], max_contacts=0),
        case("nothing planned", [], contact_history=SENT, max_contacts=2),
        # The stretches of 14 days that hold day 3 begin on day -10 at the earliest.
        case("history", sale(3), [("frequency_cap", 3)], contact_history=[(-10, "mail", "x")],
             max_contacts=1),
        case("old history", sale(3), contact_history=[(-11, "mail", "x")], max_contacts=1),
        case("after the period", sale(3), [("frequency_cap", 3)], commitments=[(16, "mail", "x")],
             max_contacts=1),
        case("long after the period", sale(3), commitments=[(17, "mail", "x")], max_contacts=1),
        case("flags make no difference", news(0, 1), [("frequency_cap", 0), ("frequency_cap", 1)],
             max_contacts=1),
    )  # fmt: skip
    assert found.detail[0] == "customers.max_contacts: 2 contacts in 14 days, at most 1"


def test_spacing() -> None:
    judge(
        the_plan(policy={"min_days_between": 2}),
        case("two days", sale(1, 3, 5), contact_history=[(-1, "mail", "x")]),
        case("one day", [*sale(3), *news(4)], [("spacing", 3), ("spacing", 4)]),
        case("from history", sale(0), [("spacing", 0)], contact_history=[(-1, "mail", "x")]),
        case("to a commitment", sale(3), [("spacing", 3)], commitments=[(3, "mail", "bill")]),
        # Only stretches that reach into the period are judged.
        case("before the period", [*sale(-2), *news(-2)], [("window", -2)] * 2 + [("one_a_day", -2)] * 2),
    )


def test_campaigns_that_stay_apart() -> None:
    judge(
        the_plan(policy={"never_together": [{"campaigns": ["sale", "news"], "days": 3}]}),
        case("alike", sale(3, 4)),
        case("four days", [*sale(3), *news(7)]),
        case("three days", [*sale(2, 5), *news(8)], [("never_together", 5), ("never_together", 8)]),
        case("from history", sale(2, 3), [("never_together", 2)], contact_history=[(-1, "email", "news")]),
        case("another campaign", sale(2), contact_history=[(-1, "email", "bill")]),
    )


def test_one_campaign_only_after_another() -> None:
    judge(
        the_plan(policy={"only_after": [{"campaign": "sale", "after": "news", "days": [2, 4]}]}),
        case("after two and four days", [*news(3), *sale(5, 7)]),
        case("too early, too late", [*news(3), *sale(4, 8)], [("only_after", 4), ("only_after", 8)]),
        case("never", sale(5), [("only_after", 5)]),
        case("after history", sale(2, 4), [("only_after", 4)], contact_history=[(-1, "email", "news")]),
        case("after a commitment", sale(7), commitments=[(5, "mail", "news")]),
    )


def test_more_of_a_campaign_than_its_own_cap() -> None:
    judge(
        the_plan(sale={"max_per_customer": [{"contacts": 1, "days": 14}]}),
        case("once in 14 days", sale(0), contact_history=[(-14, "email", "sale")]),
        case("twice in 14 days", sale(0, 13), [("duplicate", 0), ("duplicate", 13)]),
        case(
            "promised already", [*sale(3), *news(4)], [("duplicate", 3)], commitments=[(3, "email", "sale")]
        ),
        case("another campaign", news(3, 4)),
    )


def test_audience() -> None:
    judge(
        the_plan(sale={"audience": "x > 5", "segments": [1]}),
        case("inside", sale(3), x=6),
        case("outside", [*sale(3), *news(4)], [("audience", 3)], x=5),
        case("another segment", [*sale(3), *news(4)], [("audience", 3)], x=6, segment="2"),
    )
    stranger = audited(the_plan(), tables_of([]), [("stranger", *sale(3)[0])], {"nobody": "1"})
    assert stranger[["rule", "customer_id", "detail"]].values.tolist() == [
        ["audience", "stranger", "not a customer"]
    ]


def test_window() -> None:
    judge(
        the_plan(
            sale={"from": on(-3), "to": on(9)}, email={"send_days": ["mon", "tue"], "blackout": [on(1)]}
        ),
        case("open", sale(0, 7, 8)),
        case("no send day", sale(0, 2), [("window", 2)]),
        case("blackout", sale(0, 1), [("window", 1)]),
        case("after the campaign", sale(9, 10, channel="mail"), [("window", 10)]),
        case("outside the period", sale(-1, 14, channel="mail"), [("window", -1), ("window", 14)]),
        case("not on this channel", [(2, "mail", "news")], [("window", 2)]),
        case("no such channel", [(2, "fax", "news")], [("permission", 2), ("window", 2)]),
        case("no such campaign", [(7, "email", "unheard")], [("window", 7)]),
    )


def test_hold_out() -> None:
    judge(
        the_plan(hold_out={"share": 1}),
        case("of the default types", [*sale(3), *news(4)], [("hold_out", 3)]),
    )
    judge(
        the_plan(hold_out={"share": 0.5, "key": "k", "types": ["service"]}),
        case("c", [*sale(3), *news(4)]),  # md5 of k:c begins with d
        case("b", [*sale(3), *news(4)], [("hold_out", 4)]),  # md5 of k:b begins with 5
    )


def test_limits() -> None:
    """An e-mail costs 0.5, a letter 1. In all five e-mails and a letter: 3.5, of them 1.5 and 2 a week."""
    found = judge(
        the_plan(
            budget=[{"amount": 3.5}, {"amount": 3.75}, {"amount": 3.49}, {"amount": 1.75, "per": "week"}],
            email={"capacity": [{"contacts": 2, "per": "day"}, {"contacts": 1, "per": "day", "on": [on(8)]}]},
            sale={"contacts": {"min": 6, "max": 9}},
            reach=[{"share": 0.6}, {"customers": 4}, {"customers": 2, "segments": [1], "channel": "email"}],
        ),
        case("a", [*sale(1, 2), *news(8)], commitments=[(3, "fax", "bill", None, 0.25)]),
        case("b", sale(1, 8)),
        case("c", sale(7, channel="mail"), segment="2"),
        case("d", [], segment="2"),
    )
    assert found.rule.eq("limit").all()
    assert found.contact_on.isna().all()
    # Five sales; 3.25 is left of the first budget, 3.5 of the second.
    assert found.detail.tolist() == [
        "channels.email.capacity[1] 2026-12-08: 2 used by the calendar, at most 1",
        "campaigns.sale.contacts.min: 5, at least 6",
        "budget[0]: 3.5 used by the calendar, at most 3.25",
        "budget[2]: 3.5 used by the calendar, at most 3.24",
        "budget[3] week 2: 2 used by the calendar, at most 1.75",
        "reach[1]: 3, at least 4",
    ]


def test_a_breach_says_who_when_what_and_why() -> None:
    caps = {"max_per_customer": [{"contacts": 1, "days": 2}, {"contacts": 1, "days": 3}]}
    tables = tables_of([case("20", []), case("3", [])])
    tables["customers"] = tables["customers"][:2].astype({"customer_id": int})
    tables["permissions"]["customer_id"] = 3
    planned = [(customer, *contact) for customer in ("20", "3") for contact in sale(1, 2)]
    found = audited(the_plan(policy=caps), tables, planned, {"20": "1", "3": "1"})
    assert found.columns.tolist() == COLUMNS
    assert found.customer_id.tolist() == [3, 3, 20, 20]
    assert found.contact_on.dt.date.tolist() == [on(1), on(2)] * 2
    assert found.iloc[0, 3:6].tolist() == ["email", "sale", "retail"]
    # A rule names a contact once, whatever the number of its caps.
    assert found.detail[0] == (
        "policy.max_per_customer[0]: 2 contacts in 2 days, at most 1; "
        "policy.max_per_customer[1]: 2 contacts in 3 days, at most 1"
    )


def test_breaches_are_refused() -> None:
    found = breaches_of(the_plan(budget=[{"amount": 0.5}]), case("a", [*sale(1), *news(1)]))
    with pytest.raises(AuditFailed, match=r"found 3 breaches \(one_a_day 2, limit 1\)\. Nothing is written"):
        refuse_breaches(found)
    refuse_breaches(found[:0])
