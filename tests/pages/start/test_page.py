"""The start page."""

from tests.pages.conftest import OpenPage, texts


def test_the_start_page_offers_three_ways_in(open_page: OpenPage) -> None:
    app = open_page("start")
    assert "right reasons" in app.title[0].value
    assert [way.value for way in app.subheader][:3] == [
        "See where an attribute lives",
        "Hide it and retrain",
        "Did attention move?",
    ]
    assert "No run of your own yet" in texts(app)
    assert any("ships with fairsal" in link.proto.label for link in app.get("page_link"))
