"""The page: complete, escaped, self-contained, and plain where nothing is planned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_samples import NASTY, PLAN, empty_result, fake_plan, fake_result, fake_rule_prices

from optimizer import report, wording
from optimizer.plan_file import Plan
from optimizer.report import render

LIBRARY = "var Plotly = {newPlot() {}};"


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return fake_plan(tmp_path_factory.mktemp("workspace"))


class Page(HTMLParser):
    """What the tests look at: every tag's attributes, ids, headings, and the text outside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.unclosed_ok = {"meta", "br", "link", "img", "input"}
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.unclosed_ok:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture(scope="module", autouse=True)
def library() -> Iterator[None]:
    """Short in the place of Plotly's millions of signs, which every test would have to read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "get_plotlyjs", lambda: LIBRARY)
        yield


@pytest.fixture(scope="module")
def html(plan: Plan) -> str:
    return render(fake_result(plan))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def figures_of(html: str) -> dict[str, Any]:
    found = re.search(r"const figures = (\{.*\});\n", html)
    assert found
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


def test_every_tag_is_closed_and_every_id_used_once(page: Page) -> None:
    assert page.open == []
    assert len(page.values("id")) == len(set(page.values("id")))
    assert set(page.values("aria-labelledby")) <= set(page.values("id"))


def test_nothing_is_loaded_from_elsewhere(html: str, page: Page) -> None:
    assert page.values("src") == []
    assert page.values("href") == []
    assert not [tag for tag, _, _ in page.attributes if tag in {"link", "iframe", "object", "base", "img"}]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "default-src 'none'" in html
    assert f"<script>{LIBRARY}</script>" in html


def test_names_are_text_and_never_markup(html: str, page: Page) -> None:
    assert "<script>alert" not in html
    assert NASTY in page.text
    labels = figures_of(html)["campaigns"]["layout"]["yaxis"]["ticktext"]
    assert any("&lt;script&gt;" in label for label in labels), "Plotly reads markup in labels"


def test_the_headline_stands_on_the_page(page: Page, plan: Plan) -> None:
    summary = fake_result(plan).summary
    for text in (
        wording.money(summary["expected_value"], "EUR"), "61,234", "61 % of 100,000", "optimal", "0.0040 %",
        wording.number(summary["contacts"]), "This plan is the best there is", "30 Nov – 27 Dec 2026",
        "through Sun 6 Dec are final",
    ):  # fmt: skip
        assert re.sub(r"\s+", " ", text) in page.text


def test_every_section_has_its_content(page: Page) -> None:
    for text in (
        "Warnings", "3 of 120 segment", "loyal, high margin", "margin_12m", "Contacts by channel and week",
        "Contacts by campaign", "satisfaction_survey", "blackout", "budget[0]", "Most used contact streams",
        "response rates used", "contact_history", "1,204,511", "9f2c" * 16, "0.1.0", "seconds: solve",
    ):  # fmt: skip
        assert text in page.text


def test_every_figure_has_a_place_data_and_a_description(html: str, page: Page) -> None:
    figures = figures_of(html)
    assert sorted(figures) == ["calendar", "campaigns", "channel-weeks", "limit-bars", "permission-map"]
    for place, figure in figures.items():
        assert place in page.values("id")
        assert figure["data"]
        for trace in figure["data"]:
            assert trace.get("z") or trace.get("y")
    assert page.values("role").count("img") == len(figures)
    assert len([label for label in page.values("aria-label") if label]) >= len(figures)


def test_figures_hold_all_contacts(html: str, plan: Plan) -> None:
    figures, total = figures_of(html), fake_result(plan).summary["contacts"]
    assert sum(sum(trace["y"]) for trace in figures["channel-weeks"]["data"]) == total
    assert sum(sum(trace["x"]) for trace in figures["campaigns"]["data"]) == total


def test_an_empty_calendar_says_so_in_words(plan: Plan) -> None:
    html = render(empty_result(plan))
    page = Page(html)
    assert page.open == []
    assert "Nobody is contacted in this period" in page.text
    assert "no customer has a granted permission" in page.text
    assert "Nobody in this segment is contacted" in page.text
    assert "const figures" not in html
    assert LIBRARY not in html, "no figures, no Plotly"


def test_a_reason_given_in_the_summary_is_shown_and_so_are_used_up_limits(plan: Plan) -> None:
    empty = empty_result(plan)
    limits = empty.limits.assign(bound=0.0, used=0.0).iloc[:1]
    page = Page(
        render(
            replace(empty, summary=empty.summary | {"why_empty": "Every day is a blackout."}, limits=limits)
        )
    )
    assert "Every day is a blackout." in page.text
    assert "Limits with nothing left: budget[0]" in page.text


def test_a_missing_bound_and_a_gap_are_told_in_words(plan: Plan) -> None:
    full = fake_result(plan)
    unproved = Page(
        render(replace(full, summary=full.summary | {"status": "feasible", "upper_bound": None, "gap": None}))
    )
    assert "no bound was proved" in unproved.text
    feasible = Page(render(replace(full, summary=full.summary | {"status": "feasible", "gap": 0.021})))
    assert "(2.1 %) short of the best one" in feasible.text


def test_own_segment_labels_and_names_need_no_numbers(plan: Plan) -> None:
    full = fake_result(plan)
    label = {number: f"label {number}" for number in range(1, 7)}
    frames = {
        name: getattr(full, name).assign(segment=getattr(full, name)["segment"].map(label))
        for name in ("segments", "streams", "allocation", "response_rates")
    }
    frames["segments"]["name"] = frames["segments"]["segment"]
    text = Page(render(replace(full, **frames))).text
    assert "Segment label 1" in text
    assert "label 1: label 1" not in text


@pytest.mark.parametrize("days", [1, 10, 60])
def test_short_and_long_periods_are_drawn(plan: Plan, days: int) -> None:
    full = fake_result(plan)
    inside = full.allocation["date"] < plan.period.start + timedelta(days)
    shorter = plan.patched({"period": {"days": days, "commit_days": 1}, "campaigns": {}})
    html = render(replace(full, plan=shorter, allocation=full.allocation[inside]))
    ticks = figures_of(html)["calendar"]["layout"]["xaxis"]["ticktext"]
    assert len(ticks) == {1: 1, 10: 10, 60: 9}[days]


def text_of(html: str) -> str:
    return Page(html).text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("objective", "value", "words", "absent"),
    [
        ({"maximize": "expected_revenue"}, 5000.0, ("Expected revenue EUR 5,000", "be worth more than"), []),
        (
            {"maximize": "expected_responses"},
            812.0,
            ("Expected responses 812 responses", "bring more than 812"),
            ["Expected revenue"],
        ),
        (
            {"maximize": "reach"},
            61234.0,
            ("Customers reached 61,234 customers 61 % of 100,000", "reach more than 61,234 customers"),
            ["Customers reached 61,234 61"],
        ),
        (
            {"minimize": "cost"},
            -1234.0,
            ("Cost EUR 1,234 of all contacts", "no plan can cost less", "cost less than EUR 1,234"),
            ["−1,234"],
        ),
    ],
)
def test_every_objective_is_told_in_its_own_unit(
    tmp_path: Path, objective: dict[str, str], value: float, words: tuple[str, ...], absent: list[str]
) -> None:
    full = fake_result(fake_plan(tmp_path, objective=objective))
    summary = full.summary | {"expected_value": value, "upper_bound": value, "gap": 0.0}
    told = text_of(render(replace(full, summary=summary | {"expected_margin": 777.0})))
    for text in (*words, "Expected margin EUR 777.00"):
        assert text in told
    assert not [text for text in ("xpected value", *absent) if text in told]


def test_setup_costs_penalties_unused_campaigns_and_kept_contacts(tmp_path: Path, plan: Plan) -> None:
    campaigns = PLAN["campaigns"] | {"reminder": PLAN["campaigns"]["reminder"] | {"setup_cost": 150}}
    full = fake_result(fake_plan(tmp_path, campaigns=campaigns))
    summary = full.summary | {
        "setup_costs": 150.0,
        "penalties": {"total": 12.5, "limits": {"reach[0]": 2.5, "budget[0]": 10.0}},
        "campaigns_used": ["reminder", "loyalty_thanks"],
        "provisional": {"contacts": 2000, "kept": 1940, "share": 0.97, "charge": 3.0},
    }
    told = text_of(render(replace(full, summary=summary)))
    for text in (
        "EUR 150.00 of it are setup costs", "Expected margin less penalties", "for 2 soft limits missed",
        "penalties: budget[0] (EUR 10.00), reach[0] (EUR 2.50)", "Campaigns used 2 of 5",
        "not used: winter_sale, satisfaction_survey and insurance", "Provisional contacts kept 97 %",
        "1,940 of 2,000", "Prices are those with the campaigns fixed",
    ):  # fmt: skip
        assert text in told
    plain = text_of(render(fake_result(plan)))
    for text in ("setup costs", "enalties", "Campaigns used", "Provisional", "fixed as"):
        assert text not in plain


def test_limits_are_drawn_by_what_one_more_percent_brings(html: str) -> None:
    figure = figures_of(html)["limit-bars"]
    (words,) = [trace for trace in figure["data"] if trace.get("mode") == "text"]
    axis = figure["layout"]["yaxis"]
    assert axis["ticktext"] == [
        "budget[0]", "reach[0]", "channels.phone.capacity[0] week 1", "channels.phone.capacity[0] week 2",
        "budget[1] week 4", "channels.email.capacity[0] 2026-11-30",
    ]  # fmt: skip
    assert axis["tickvals"] == sorted(axis["tickvals"], reverse=True), "the first on top"
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in words["text"]] == [
        "EUR 1.37 per EUR 1", "EUR −0.04 per customer", "EUR 9.20 per hour", "EUR 9.20 per hour", "", "",
    ]  # fmt: skip
    sizes = {trace["name"]: trace["x"] for trace in figure["data"] if trace.get("name")}
    assert sizes["limit without a price"] == pytest.approx([90.01, 80])
    assert sizes["minimum with a price"] == [100]


def test_shares_have_no_part_used(plan: Plan) -> None:
    full = fake_result(plan)
    row = {"limit": "volume[0].max_share", "bound": 0.0, "used": -40.0, "slack": 40.0, "shadow_price": 0.0}
    html = render(replace(full, limits=pd.concat([full.limits, pd.DataFrame([row])], ignore_index=True)))
    assert "volume[0].max_share" not in figures_of(html)["limit-bars"]["layout"]["yaxis"]["ticktext"]
    assert "The row of a share" in Page(html).text


def test_prices_of_rules_are_drawn_and_told(plan: Plan) -> None:
    html = render(replace(fake_result(plan), rule_prices=fake_rule_prices()))
    figure = figures_of(html)["rule-bars"]
    assert figure["data"][0]["x"] == [3120.75, 812.5]
    assert "&lt;script&gt;" in figure["layout"]["yaxis"]["ticktext"][0]
    told = text_of(html)
    for text in ("EUR 3,121, to within EUR 160.00", "one day less EUR 0.00", "not known"):
        assert text in told
    assert "--prices full" not in told


def test_prices_of_rules_come_when_asked_for(page: Page, plan: Plan) -> None:
    assert "contactplan run --prices full" in page.text
    none = replace(fake_result(plan), rule_prices=fake_rule_prices().iloc[:0])
    assert "no caps, spacing or orders" in Page(render(none)).text


def test_the_worth_of_permissions_is_a_map_of_segments_and_channels(html: str, page: Page) -> None:
    figure = figures_of(html)["permission-map"]
    (heat,) = figure["data"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["email", "phone", "sms"], "in the plan's order"
    assert figure["layout"]["yaxis"]["ticktext"][0] == "segment 1"
    assert heat["z"][0] == [1.234, 0.0004, 0.43]
    assert heat["z"][1][2] is None
    assert heat["text"][0] == ["1.23", "<0.001", "0.43"]
    assert "1.23 , at most 3.7 100 customers" in page.text


def test_a_plan_without_lacking_permissions_has_no_map(plan: Plan) -> None:
    full = fake_result(plan)
    assert full.permission_worth is not None
    html = render(replace(full, permission_worth=full.permission_worth.iloc[:0]))
    assert "permission-map" not in figures_of(html)
    assert "What one more permission" not in Page(html).text
