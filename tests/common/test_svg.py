"""SVG as text: what is escaped, how attributes and numbers are written, how charts are named."""

from xml.etree import ElementTree

import pytest

from common import svg


def test_content_and_attributes_are_escaped_and_elements_are_not() -> None:
    inner = svg.element("title", "<b> & more")
    assert svg.element("g", inner, 'a"', aria_label='"<') == (
        '<g aria-label="&quot;&lt;"><title>&lt;b&gt; &amp; more</title>a&quot;</g>'
    )


def test_attributes_are_written_as_svg_names_them() -> None:
    drawn = svg.element("text", class_="day", text_anchor="end", viewBox="0 0 1 1", fill=None)
    assert drawn == '<text class="day" text-anchor="end" viewBox="0 0 1 1"/>'


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (100, "100"), (12.5, "12.5"), (2 / 3, "0.667"), (-9.0, "-9")]
)
def test_numbers_have_three_decimals_at_most(value: float, written: str) -> None:
    assert svg.element("rect", x=value) == f'<rect x="{written}"/>'
    assert svg.percent(value) == f"{written}%"


def test_a_chart_has_a_title_and_a_description_that_its_ids_name() -> None:
    root = ElementTree.fromstring(svg.chart("key", "A & B", description="All of <it>", height=10))
    title, desc = root
    assert (root.get("role"), title.text, desc.text) == ("group", "A & B", "All of <it>")
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == desc.get("id")
    assert ElementTree.fromstring(svg.chart("key", "A", role="img")).get("aria-describedby") is None


def test_parts_with_a_url_are_a_link_with_a_name() -> None:
    link = ElementTree.fromstring(svg.titled("Update <7>", svg.rect("bar", 0, 0, "5%", 4), url="/7/?a=1&b=2"))
    assert (link.tag, link.get("href"), link.get("aria-label")) == ("a", "/7/?a=1&b=2", "Update <7>")
    assert [each.tag for each in link] == ["title", "rect"]
    assert svg.titled("Update", svg.rect("bar", 0, 0, "5%", 4)).startswith("<g><title>Update</title><rect ")
