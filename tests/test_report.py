"""The page: complete, escaped, self-contained, and plain where nothing is planned."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from report_samples import NASTY, empty_result, fake_plan, fake_result

from optimizer import wording
from optimizer.plan_file import Plan
from optimizer.report import render


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
    assert sorted(figures) == ["calendar", "campaigns", "channel-weeks"]
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
    assert len(html) < 200_000, "no figures, no Plotly"


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
