import re
from datetime import UTC, datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.http import HttpResponse
from django.template import Context, Engine
from django.test import RequestFactory
from django.urls import path

from fusion_site.lib.chart import Cell

NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
ENGINE = Engine(builtins=["fusion_site.lib.display"])
urlpatterns = [path("runs/", lambda request: HttpResponse(), name="runs")]
EVIL = '"><script>alert(1)</script>'


def render(source, address="/", **values):
    request = RequestFactory().get(address)
    return ENGINE.from_string(source).render(Context({"request": request, "now": NOW, **values}))


def soup_of(source, address="/", **values) -> Any:
    return BeautifulSoup(render(source, address, **values), "html.parser")


def query_of(source, address):
    return render(source, address).replace("&amp;", "&")


def test_an_icon_is_hidden_from_screen_readers_and_points_into_the_sprite():
    svg = soup_of('{% icon "pass" "big" %}').svg
    assert svg["aria-hidden"] == "true"
    assert svg["class"] == ["icon", "big"]
    assert svg.use["href"] == "#i-pass"


def test_a_key_has_the_series_marker():
    assert soup_of('{% key "panel" %}').use["href"] == "#m-panel"


def test_a_state_is_a_shape_and_a_word():
    state = soup_of('{% state "risk" %}').span
    assert state["data-state"] == "risk"
    assert state.svg.use["href"] == "#i-risk"
    assert state.text == "At risk"


def test_a_state_can_say_its_own_word():
    assert soup_of('{% state "none" "Too early" %}').text == "Too early"


def test_a_figure_gives_value_unit_interval_and_n_in_this_order():
    assert soup_of('{% figure "4.1" unit="%" interval="±1.2" n=1000 %}').text == "4.1 % ±1.2 n 1,000"


def test_a_missing_figure_is_a_word_without_unit_or_n():
    assert soup_of('{% figure None unit="%" n=1000 %}').text == "no data"


def test_a_figure_of_zero_is_a_figure():
    assert soup_of("{% figure 0 %}").b.text == "0"


@pytest.mark.parametrize(
    "source",
    [
        "{% icon evil %}",
        "{% key evil %}",
        "{% state evil evil %}",
        "{% figure evil unit=evil interval=evil %}",
        "{% votes votes label=evil %}",
        "{% spark line label=evil %}",
        "{% bar 0.5 label=evil %}",
        "{% sort_head evil evil evil %}",
        "{% query a=evil %}",
        "{% nav_link evil 'x:y' %}",
        "{% gauge state=evil low=1 high=2 point=1 target=1 minimum=0 maximum=3 words=evil label=evil %}",
    ],
)
def test_what_a_page_passes_is_escaped(source):
    assert "<script" not in render(source, evil=EVIL, votes=[[1.0]], line=[1, 2])


GAUGE = (
    '{% gauge state="risk" low=3 high=high point=4 target=5 minimum=0 maximum=10 '
    'words="5 %" label="3 to 6" good=good %}'
)


def test_a_gauge_places_interval_point_and_target_on_its_scale():
    svg = soup_of(GAUGE, high=6, good="below").svg
    span = svg.find(class_="span")
    assert (span["x1"], span["x2"]) == ("30.0%", "60.0%")
    assert svg.circle["cx"] == "40.0%"
    assert svg.find(class_="target")["x1"] == "50.0%"
    assert svg["aria-label"] == "3 to 6"


def test_a_gauge_holds_an_interval_that_leaves_its_scale():
    assert soup_of(GAUGE, high=14, good="below").find(class_="span")["x2"] == "100.0%"


@pytest.mark.parametrize(("good", "x", "width"), [("below", "0%", "50.0%"), ("above", "50.0%", "50.0%")])
def test_a_gauge_shades_the_good_side(good, x, width):
    zone = soup_of(GAUGE, high=6, good=good).find(class_="zone")
    assert (zone["x"], zone["width"]) == (x, width)


def test_a_gauge_without_a_scale_does_not_divide_by_zero():
    source = '{% gauge state="none" low=0 high=0 point=0 target=0 minimum=0 maximum=0 words="" label="" reference=0 %}'
    svg = soup_of(source).svg
    assert svg.circle["cx"] == "0.0%"
    assert svg.find(class_="ref")["x1"] == "0.0%"


@pytest.mark.parametrize(("target", "anchor"), [(1, "start"), (5, "middle"), (9, "end")])
def test_the_word_of_a_target_stays_inside_the_gauge(target, anchor):
    source = '{% gauge state="pass" low=1 high=2 point=1 target=target minimum=0 maximum=10 words="t" label="l" %}'
    assert soup_of(source, target=target).find("text")["text-anchor"] == anchor


def test_a_vote_bar_has_one_box_a_member_wide_as_its_weight():
    boxes = soup_of("{% votes clusters %}", clusters=[[0.4, 0.2], [0.2], [0.2]]).find_all("rect")
    assert [box["class"][0] for box in boxes] == ["v1", "v1", "v2", "v3"]
    assert float(boxes[0]["width"]) == pytest.approx(2 * float(boxes[1]["width"]), abs=0.1)


def test_a_vote_bar_stays_left_of_the_arbiter_whatever_the_scale_of_the_weights():
    svg = soup_of("{% votes clusters True %}", clusters=[[40, 20], [20], [20]]).svg
    last = svg.find_all("rect")[-1]
    assert float(last["x"]) + float(last["width"]) <= 84 - 14
    assert svg.path["class"] == ["arb"]
    assert svg["aria-label"] == "2 of 4 members agree, arbiter called"


def test_a_member_without_weight_is_still_seen():
    boxes = soup_of("{% votes clusters %}", clusters=[[0.0], [0.0]]).find_all("rect")
    assert [float(box["width"]) >= 1 for box in boxes] == [True, True]


def test_a_vote_bar_without_votes_says_so():
    svg = soup_of("{% votes clusters %}", clusters=[]).svg
    assert svg["aria-label"] == "0 of 0 members agree"
    assert svg.rect is None


def test_a_spark_runs_over_the_whole_width():
    svg = soup_of("{% spark values target=2 %}", values=[1, 3, 2]).svg
    assert svg["aria-label"] == "from 1 to 2"
    assert svg.polyline["points"].split() == ["0.0,26.0", "50.0,2.0", "100.0,14.0"]


def test_rows_behind_a_chart_begin_with_their_head_and_link_where_a_cell_does():
    rows = [("<b>", "1"), (Cell(text="a & b", url="/x/?a=1&b=2"), Cell(text="2", url="/y/"))]
    body = soup_of("<table>{% chart_rows rows %}</table>", rows=rows)
    assert [head.text for head in body.select("tr > th[scope=row]:first-child")] == ["<b>", "a & b"]
    assert [cell.text for cell in body.select("td.n")] == ["1", "2"]
    assert [link["href"] for link in body.select("a")] == ["/x/?a=1&b=2", "/y/"]


def test_a_spark_has_a_gap_where_there_is_no_value():
    svg = soup_of("{% spark values low=0 %}", values=[1, 2, None, 3, None]).svg
    assert [line["points"] for line in svg.select("polyline")] == ["0.0,18.0 25.0,10.0", "75.0,2.0 75.0,2.0"]
    assert svg["aria-label"] == "from 1 to 3"


def test_a_spark_needs_two_points():
    assert soup_of("{% spark values %}", values=[None, 1, None]).text == "too early"
    assert soup_of("{% spark values %}", values=[1]).text == "too early"


def test_a_bar_is_filled_to_its_share():
    svg = soup_of("{% bar 0.25 %}").svg
    assert svg.find(class_="fg")["width"] == "25.0%"
    assert svg["aria-label"] == "25.0 %"


def test_an_unknown_bar_says_so():
    assert soup_of("{% bar None %}").svg["aria-label"] == "no data"


@pytest.mark.parametrize(
    ("source", "address", "expected"),
    [
        ('{% query arm="2" %}', "/?sort=cost", "?sort=cost&arm=2"),
        ("{% query sort=None %}", "/?sort=cost", "?"),
        ('{% query sort="" %}', "/?sort=cost&q=a%26b", "?q=a%26b"),
        ('{% query arm="2" %}', "/?after=99&arm=1", "?arm=2"),
        ('{% query after="7" before=None %}', "/?before=3&arm=1&arm=2", "?arm=1&arm=2&after=7"),
    ],
)
def test_query_changes_only_what_is_named_and_starts_at_the_first_page(source, address, expected):
    assert query_of(source, address) == expected


def test_query_takes_several_values():
    assert render("{% query band=bands as address %}{{ address|safe }}", bands=["a", "b"]) == "?band=a&band=b"


def test_query_works_without_a_request():
    assert ENGINE.from_string('{% query a="1" %}').render(Context()) == "?a=1"


def test_a_filter_form_keeps_the_named_keys():
    inputs = soup_of('{% keep_query "sort" "arm" %}', "/?sort=-cost&arm=1&arm=2&q=x")
    assert [(one["name"], one["value"]) for one in inputs.find_all("input")] == [
        ("sort", "-cost"),
        ("arm", "1"),
        ("arm", "2"),
    ]


@pytest.mark.parametrize(
    ("address", "order", "following"),
    [
        ("/", None, "?sort=-cost"),
        ("/?sort=-cost", "descending", "?sort=cost"),
        ("/?sort=cost", "ascending", "?sort=-cost"),
    ],
)
def test_a_numeric_column_sorts_the_largest_first_and_then_turns(address, order, following):
    head = soup_of('{% sort_head "cost" "Cost" "$" True %}', address).th
    assert head.get("aria-sort") == order
    assert head.a["href"] == following
    assert head["class"] == ["n"]
    assert head.small.text == "$"


def test_a_text_column_sorts_from_a_and_shows_the_default_order():
    head = soup_of('{% sort_head "name" "Name" default="name" %}').th
    assert head["aria-sort"] == "ascending"
    assert head.a["href"] == "?sort=-name"
    assert soup_of('{% sort_head "name" "Name" %}').a["href"] == "?sort=name"


def test_a_room_that_is_not_built_has_no_link():
    assert render('{% nav_link "Attic" "nowhere:attic" %}') == ""


@pytest.mark.parametrize(
    ("address", "current"), [("/runs/", "page"), ("/runs/3/", "true"), ("/answers/1/", "true"), ("/panels/", None)]
)
def test_navigation_marks_the_page_and_the_room_one_is_in(settings, address, current):
    settings.ROOT_URLCONF = __name__
    link = soup_of('{% nav_link "Runs" "runs" "/runs/" "/answers/" %}', address).a
    assert link["href"] == "/runs/"
    assert link.get("aria-current") == current


def test_ago_keeps_the_full_moment():
    time = soup_of("{{ moment|ago:now }}", moment=datetime(2026, 3, 20, 11, 56, tzinfo=UTC)).time
    assert time.text == "4 min ago"
    assert time["datetime"] == "2026-03-20T11:56:00+00:00"
    assert "2026" in time["title"]


def test_ago_of_nothing_is_never():
    assert render("{{ moment|ago:now }}", moment=None) == "never"


def test_the_words_of_figures_are_filters():
    source = "{{ a|money:4 }} {{ b|percent }} {{ c|points }} {{ d|count }} {{ e|seconds }} {{ f|number:2 }}"
    assert render(source, a=4_200_000, b=0.5, c=-0.01, d=1000, e=None, f=1.234) == (
        "$0.0042 50.0 −1.0 pt 1,000 not measured 1.23"
    )


def test_a_missing_number_is_a_word():
    assert render("{{ value|number }}", value=None) == "no data"


@pytest.mark.parametrize(
    ("tags", "state"),
    [("success", "pass"), ("undo error", "fail"), ("warning", "risk"), ("info", "info"), ("", "info")],
)
def test_a_message_has_the_state_of_its_level(tags, state):
    assert render("{{ tags|message_state }}", tags=tags) == state


@pytest.mark.parametrize(
    ("user", "letters"), [("mara.lind", "ML"), ("demo", "DE"), ("Jo van Dam", "JV"), ("a@b.org", "AB")]
)
def test_a_person_has_two_letters(user, letters):
    assert render("{{ user|initials }}", user=user) == letters


def test_no_mark_needs_an_inline_style():
    sources = ["{% votes v True %}", "{% spark w %}", "{% bar 0.3 %}", GAUGE, '{% icon "pass" %}', '{% state "pass" %}']
    drawn = "".join(render(one, v=[[1.0], [2.0]], w=[1, 2], high=6, good="below") for one in sources)
    assert not re.search(r"\sstyle=", drawn)
