import csv
from html.parser import HTMLParser
from pathlib import Path

import pytest

from napari_mtseg.storage.project import Project
from napari_mtseg.storage.verdicts import accept, reject
from napari_mtseg.workflows.review import new_flag_rule, review_of
from napari_mtseg.workflows.review_report import write_review
from tests.reviewed_projects import predict, reviewed_project, runs

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Reads a page: its pictures, its texts, and whether its tags are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        self.sources += [str(v) for k, v in attributes if k in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = reviewed_project(tmp_path)
    run = runs(made)[0]
    predict(made, run, {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2})
    accept(made, made.image("a"), run, who="ada")
    reject(made, made.image("b"), run, who="<bob & co>", note="<script>")
    new_flag_rule(
        made, review_of(made), score="boundary_entropy", threshold=0.3, who="ada"
    )
    return made


def report(project: Project, folder: Path) -> tuple[Page, str]:
    page, table = write_review(project, review_of(project), folder)
    return Page(page.read_text()), table.read_text()


def test_the_page_needs_nothing_but_itself(project, tmp_path):
    page, _ = report(project, tmp_path / "report")
    assert page.open == []
    assert page.sources
    assert all(source.startswith("data:image/") for source in page.sources)
    text = (tmp_path / "report" / "review.html").read_text()
    assert "http" not in text
    assert "url(" not in text
    assert "<script" not in text


def test_flagged_and_reviewed_images_are_shown_with_two_pictures_each(
    project, tmp_path
):
    page, _ = report(project, tmp_path / "report")
    assert len(page.sources) == 2 * 3
    assert "3 of 3 flagged or reviewed images, sorted by 'doubt at outlines'; all" in (
        " ".join(page.texts)
    )


def test_pictures_are_of_the_most_doubtful_images_first(project, tmp_path):
    done = []
    review = review_of(project)
    write_review(
        project,
        review,
        tmp_path / "report",
        n_pictures=1,
        progress=lambda *now: done.append(now),
    )
    page = Page((tmp_path / "report" / "review.html").read_text())
    assert done == [(1, 1)]
    assert len(page.sources) == 2
    assert page.texts.index("b.tif") > 0
    assert "1 of 3 flagged or reviewed images" in " ".join(page.texts)


def test_without_flags_and_verdicts_the_predicted_images_are_shown(tmp_path):
    project = reviewed_project(tmp_path)
    predict(project, runs(project)[0], {"a": 0.1})
    page, _ = report(project, tmp_path / "report")
    said = " ".join(page.texts)
    assert "1 of 1 predicted images" in said
    assert "No image was reviewed." in said
    assert "No threshold was set" in said
    assert "Not checked." in said


def test_verdicts_are_told_with_who_and_when(project, tmp_path):
    page, table = report(project, tmp_path / "report")
    run = runs(project)[0]
    rows = list(csv.DictReader(table.splitlines()))
    assert [row["verdict"] for row in rows] == [
        "accepted",
        "rejected",
        "unreviewed",
        "unreviewed",
    ]
    assert [row["flagged"] for row in rows] == ["0", "1", "1", "0"]
    assert rows[1]["who"] == "<bob & co>"
    assert rows[1]["verdict_run"] == run
    assert rows[1]["boundary_entropy"] == "0.4"
    assert rows[1]["when"] in page.texts
    assert "<bob & co>" in page.texts
    assert "<script>" in page.texts


def test_a_missing_image_or_damaged_prediction_does_not_stop_the_report(
    project, tmp_path
):
    (tmp_path / "b.tif").unlink()
    folder = project.path / "predictions" / runs(project)[0]
    (folder / "c" / "instances.tif").write_bytes(b"")
    (folder / "d" / "prediction.json").write_text("{")
    page, table = report(project, tmp_path / "report")
    said = " ".join(page.texts)
    assert "'b.tif' is missing" in said
    assert "instances.tif' is missing or damaged" in said
    assert "1 prediction cannot be read" in said
    assert len(page.sources) == 2
    assert "is damaged" in list(csv.DictReader(table.splitlines()))[3]["problem"]
