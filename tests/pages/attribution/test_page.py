"""The Attribution page, without a browser."""

import io
from pathlib import Path

import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import draw_face
from fairsal_core.experiments import region_stage
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import RegionTraining, bundled_path
from fairsal_core.runs import artifact, cancel, list_runs
from tests.classifiers.imported.makers import put, torchvision_folder
from tests.pages.conftest import UNTREATED, FinishRun, OpenPage, texts


def wide_photo(*faces: int) -> bytes:
    """Return a scene of 900 x 420 pixels with drawn faces, the first one the largest, as a PNG file."""
    scene = Image.new("RGB", (900, 420), "#778899")
    for place, number in enumerate(faces):
        side = 1.0 - 0.2 * place
        face = draw_face(seed=99, index=number).image.resize((round(178 * side), round(218 * side)))
        scene.paste(face.crop((10, 45, face.width - 10, face.height)), (70 + 400 * place, 0))
    buffer = io.BytesIO()
    scene.save(buffer, "PNG")
    return buffer.getvalue()


class TestAttribution:
    def test_a_link_to_the_example_is_read_by_the_atlas_too(self, open_page: OpenPage) -> None:
        app = open_page("attribution", origin="Example", attribute="Bangs")
        assert app.selectbox(key="attribute").value == "Bangs"  # which no classifier of drawn faces knows
        assert "has never seen a photo" not in texts(app)

    def test_the_example_is_a_real_face_in_one_click(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        app.segmented_control(key="origin").set_value("Example").run()
        assert not app.exception
        assert not app.warning
        shown = texts(app)
        assert "NASA, in the public domain" in shown
        assert "trained on 9,842 aligned photographs" in shown  # above the map
        assert "All patches together say" in shown
        assert "What else can be read off this face" in shown
        assert "Mouth" in shown  # told of its own accord, beside the attribute that was asked for
        assert "Oval" in shown.split("Left out")[1]  # which no patch tells

    def test_a_face_shows_its_vote_and_four_schemes(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        shown = texts(app)
        assert "All patches together say" in shown
        for scheme in ("General mask", "Specific mask", "General noise", "Specific noise"):
            assert f"**{scheme}** · 30% changed" in shown

    def test_the_quantile_changes_how_much_is_hidden(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        app.slider(key="quantile").set_value(0.9).run()
        assert "10% changed" in texts(app)

    def test_a_link_reproduces_attribute_and_quantile(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses", quantile="0.8")
        assert app.selectbox(key="attribute").value == "Eyeglasses"
        assert app.slider(key="quantile").value == 0.8

    def test_an_uploaded_portrait_is_mapped(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (300, 400), "tan").save(buffer, "PNG")
        app = self.upload(open_page, "me.png", buffer.getvalue())
        assert "**me.png**" in texts(app)
        assert "was trained on 9,842 aligned photographs of celebrities (CelebA, for non-commercial research)" in texts(
            app
        )
        assert len(app.selectbox(key="attribute").options) == 40
        assert "Mean map" not in texts(app).replace("Mean maps, and with them general schemes, need photographs", "")

    def test_a_wide_photo_is_aligned_by_itself_and_filling_is_marked(self, open_page: OpenPage) -> None:
        app = self.upload(open_page, "wide.png", wide_photo(3))
        shown = texts(app)
        assert "All patches together say" in shown
        assert "Striped: not from the photo" in shown  # the face is near the upper edge
        assert next(iter(app.expander)).label == "Face in wide.png"
        assert "30% changed" in shown
        assert not app.warning

    def test_of_several_faces_the_largest_is_taken_and_the_others_are_offered(self, open_page: OpenPage) -> None:
        app = self.upload(open_page, "group.png", wide_photo(3, 5))
        assert next(iter(app.expander)).label == "2 faces in group.png"
        choice = app.segmented_control(key="which_1")
        assert (choice.options, choice.value) == (["1", "2", "By hand"], "1")
        votes = self.votes(app)
        choice.set_value("2").run()
        assert self.votes(app) != votes
        assert not app.exception

    def test_a_crop_by_hand_without_the_face_says_nothing_of_the_picture(self, open_page: OpenPage) -> None:
        app = self.upload(open_page, "wide.png", wide_photo(3))
        app.segmented_control(key="which_1").set_value("By hand").run()
        app.slider(key="zoom_1").set_value(2.0)
        app.slider(key="across_1").set_value(1.0).run()
        assert "None of the faces that were found is in this part." in texts(app)
        assert self.votes(app) == []
        app.slider(key="zoom_1").set_value(1.0)
        app.slider(key="across_1").set_value(0.2).run()
        assert len(self.votes(app)) == 1

    def test_a_picture_without_a_face_has_no_percentage_until_the_reader_sees_one(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (300, 400), "tan").save(buffer, "PNG")
        app = self.upload(open_page, "wall.png", buffer.getvalue())
        assert "No face was found in wall.png." in texts(app)
        assert "All patches together say" not in texts(app)
        assert "% changed" not in texts(app)
        said = [one.value for kind in (app.caption, app.markdown, app.info, app.warning) for one in kind]
        assert [one for one in said if "%" in one and not one.startswith("- **")] == []  # but in the words' meanings
        app.checkbox(key="face_seen_1").check().run()
        assert "All patches together say" in texts(app)

    def test_an_aligned_upload_is_mapped_as_it_is(self, open_page: OpenPage) -> None:
        picture = draw_face(seed=99, index=3).image
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        app = self.upload(open_page, "aligned.png", buffer.getvalue())
        assert "All patches together say" in texts(app)
        assert "Striped" not in texts(app)
        assert not [one.label for one in app.expander if "aligned.png" in one.label]

    def test_a_truncated_upload_is_one_sentence(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.effect_noise((300, 400), 60).convert("RGB").save(buffer, "JPEG")
        app = self.upload(open_page, "cut.jpg", buffer.getvalue()[:2000])
        assert len(app.error) == 1
        assert app.error[0].value.startswith("cut.jpg does not decode")
        assert "Mean maps, and with them general schemes, need photographs" in texts(app)

    def test_an_upload_can_be_cropped(self, open_page: OpenPage) -> None:
        buffer = io.BytesIO()
        Image.effect_noise((400, 218), 60).convert("RGB").save(buffer, "PNG")
        app = self.upload(open_page, "wide.png", buffer.getvalue())
        assert "x 111 to 289, y 0 to 218 of 400 × 218 pixels." in texts(app)
        app.slider(key="zoom_1").set_value(2.0)
        app.slider(key="across_1").set_value(0.0).run()
        assert "x 0 to 89, y 54 to 163" in texts(app)

    def test_a_link_reproduces_a_crop(self, open_page: OpenPage) -> None:
        app = open_page("attribution", origin="Upload", zoom_1="2", across_1="0")
        buffer = io.BytesIO()
        Image.effect_noise((400, 218), 60).convert("RGB").save(buffer, "PNG")
        app.file_uploader(key="upload").set_value(("wide.png", buffer.getvalue(), "image/png")).run()
        assert "x 0 to 89, y 54 to 163" in texts(app)

    def test_a_link_to_mean_maps_that_are_no_more(self, open_page: OpenPage) -> None:
        app = open_page("attribution", mean_over="what is no more")
        assert app.selectbox(key="mean_over").value == "24 held-out faces"

    def test_maps_speak_for_and_against_with_the_label_beside(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses")
        shown = texts(app)
        assert "Red: evidence for Eyeglasses; blue: against it" in shown
        assert "· Eyeglasses" in shown or "· not Eyeglasses" in shown
        app.segmented_control(key="shown_as").set_value("confidence").run()
        assert "Brighter: the patch alone gives the attribute away." in texts(app)
        assert "Red: evidence" not in texts(app)
        assert app.selectbox(key="measure").value == "information_gain"

    def test_several_faces_share_one_scale_or_have_their_own(self, open_page: OpenPage) -> None:
        app = open_page("attribution", face="3", shown="3")
        assert texts(app).count("All patches together say") == 3
        assert app.number_input(key="face").value == 3
        app.segmented_control(key="scale").set_value("each its own").run()
        assert not app.exception

    def test_a_link_opens_a_patch(self, open_page: OpenPage) -> None:
        app = open_page("attribution", patch="100")
        assert app.number_input(key="patch").value == 100
        assert "**Patch 100** · row 2, column 2 · x 4 to 35, y 4 to 35 of 128" in texts(app)
        app.number_input(key="patch").set_value(2400).run()
        assert "x 96 to 127, y 96 to 127" in texts(app)

    def test_two_classes_have_a_difference(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses", first_mean="Eyeglasses", second_mean="not Eyeglasses")
        assert "**Difference**, Eyeglasses less not Eyeglasses" in texts(app)
        assert "of the pixels differ by more than 1.96" in texts(app)

    def test_what_a_whole_split_takes_is_said_and_it_is_a_run(self, open_page: OpenPage) -> None:
        app = open_page("attribution", attribute="Eyeglasses")
        assert "24 faces with Eyeglasses. Stopped or killed, it goes on where it was." in texts(app)
        assert app.button(key="maps_cost").label == "What will it take?"
        app.button(key="start_maps").click().run()
        runs = list_runs()
        assert [run.kind for run in runs] == ["attribution"]
        assert runs[0].config["split"] == "test"
        assert runs[0].id in app.query_params["job"]
        cancel(runs[0].path)

    def test_training_a_region_classifier_is_a_run(self, open_page: OpenPage) -> None:
        app = open_page("attribution")
        app.selectbox(key="region_attribute").set_value("Smiling")
        app.selectbox(key="region_preset").set_value("paper").run()
        app.number_input(key="region_images_paper").set_value(100)
        app.button(key="start_regions").click().run()
        run = list_runs()[0]
        assert (run.kind, run.config["attribute"]) == ("regions", "Smiling")
        training = run.config["training"]
        assert (training["network"], training["images"], training["schedule"]) == ("resnet18", 100, "steps")
        cancel(run.path)

    @staticmethod
    def votes(app: AppTest) -> list[str]:
        return [one.value for one in app.caption if "All patches together say" in one.value]

    @staticmethod
    def upload(open_page: OpenPage, name: str, content: bytes) -> AppTest:
        app = open_page("attribution")
        app.segmented_control(key="origin").set_value("Upload").run()
        app.file_uploader(key="upload").set_value([(name, content, "image/png")]).run()
        assert not app.exception
        return app


def test_a_damaged_region_classifier_is_one_sentence(open_page: OpenPage, drawn: FaceDataset, home: Path) -> None:
    def damaged(folder: Path) -> None:
        weights = bundled_path("Eyeglasses")
        (folder / "regions.json").write_bytes(weights.with_suffix(".json").read_bytes())
        (folder / "regions.safetensors").write_bytes(b"")

    artifact("regions", region_stage(drawn, "Attractive", RegionTraining(), torch.device("cpu")).identity, damaged)
    for name, content in (("empty", b""), ("foreign", b"[]")):
        folder = home / "cache" / "regions" / name
        folder.mkdir()
        (folder / "depends_on.json").write_bytes(content)
    app = open_page("attribution", attribute="Attractive")
    assert ["does not hold the weights" in error.value for error in app.error] == [True]
    app.selectbox(key="attribute").set_value("Eyeglasses").run()
    assert not app.exception
    assert not app.error
    assert "All patches together say" in texts(app)


def test_a_patch_lists_what_it_tells_of_every_attribute(open_page: OpenPage) -> None:
    app = open_page("attribution", origin="Example", attribute="Bangs", patch="360")
    (told,) = [one.value for one in app.dataframe if "tells, bits" in one.value]
    assert len(told) > 20
    assert told["tells, bits"].is_monotonic_decreasing
    before = list(told["speaks for"])
    app.number_input(key="patch").set_value(2100).run()
    (told,) = [one.value for one in app.dataframe if "tells, bits" in one.value]
    assert list(told["speaks for"]) != before


def test_faces_are_picked_by_sight(open_page: OpenPage, drawn: FaceDataset) -> None:
    app = open_page(
        "attribution", attribute="Eyeglasses", by_sight="true", sight_class="Eyeglasses", sight_order="surest first"
    )
    offered = [button for button in app.button if str(button.key).startswith("sight-")]
    wearing = drawn.in_split("test").labels("Eyeglasses").nonzero()[0] + 1
    assert {int(button.label) for button in offered} <= set(wearing.tolist())
    offered[1].click().run()
    assert app.number_input(key="face").value == int(offered[1].label)
    assert not app.exception


def test_a_finished_run_s_variants_are_asked_of_a_face(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(**UNTREATED)
    app = open_page("attribution", asked=f"{run.name}/original")
    assert app.multiselect(key="asked").value == [f"{run.name}/original"]
    assert [metric.label for metric in app.metric] == ["Male"]
    shown = texts(app)
    assert "Layer-wise relevance propagation" in shown
    assert "Integrated gradients" in shown


def test_an_imported_classifier_is_asked_beside_them(open_page: OpenPage, home: Path, tmp_path: Path) -> None:
    digest = put(torchvision_folder(tmp_path / "smile_net"), resize=32, crop=32).digest
    app = open_page("attribution", asked=digest)
    assert app.multiselect(key="asked").options == ["smile_net · imported"]
    assert len(app.metric) == 1
    shown = texts(app)
    assert "Integrated gradients" in shown
    assert "propagation by operations" in shown or ("Occlusion" in shown and "are shown instead" in shown)
