"""The faces behind the numbers."""

from fairsal_core.runs import Run
from tests.pages.conftest import OpenPage, texts


def test_the_gallery_shows_who_changed_sides(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Faces")
    app.selectbox(key="candidate").set_value("balanced").run()
    app.selectbox(key="group").set_value("men with Blond_Hair").run()
    app.segmented_control(key="outcome").set_value("Newly right").run()
    opened = [button for button in app.button if button.label == "Open"]
    assert 0 < len(opened) <= 12
    assert texts(app).count("✓ right") == len(opened)


def test_a_face_opens_from_a_link_and_an_unknown_one_is_said(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, face="000001.jpg")
    assert "**Attributes**" in texts(app)
    app = open_page("comparison", run=run.id, face="999999.jpg")
    assert any("no test face '999999.jpg'" in warning.value for warning in app.warning)
