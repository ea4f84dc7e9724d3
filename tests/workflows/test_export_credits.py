import pytest

from napari_mtseg.domain.errors import ModelError
from napari_mtseg.workflows.export_credits import Credits, check_credits, cited

ANN = ("Ann Example",)


@pytest.mark.parametrize("authors", [(), (" ",)])
def test_an_author_is_wanted(authors):
    with pytest.raises(ModelError) as refusal:
        check_credits(Credits(authors=authors))
    assert str(refusal.value) == (
        "A BioImage.IO model names who made it, and no author is given. Add --author "
        "'YOUR NAME'."
    )


def test_a_slash_in_a_name_is_refused():
    with pytest.raises(ModelError, match=r"The author 'A/B' has a slash, which"):
        check_credits(Credits(authors=("A/B",)))


def test_a_licence_is_named_by_spdx_or_left_open():
    check_credits(Credits(authors=ANN))
    check_credits(Credits(authors=ANN, license="CC-BY-4.0"))
    with pytest.raises(ModelError) as refusal:
        check_credits(Credits(authors=ANN, license="free"))
    assert str(refusal.value) == (
        "'free' is not the SPDX name of a licence. Choose one such as CC-BY-4.0, "
        "CC0-1.0 or MIT; they are listed at https://spdx.org/licenses."
    )


def test_a_long_description_is_refused():
    with pytest.raises(ModelError, match=r"1025 characters, but BioImage.IO allows"):
        check_credits(Credits(authors=ANN, description="a" * 1025))


def test_a_doi_or_an_address_is_found_in_a_citation():
    text = "Doe et al., Cells (2024), https://doi.org/10.1000/ab-c.12."
    assert cited(text) == {"text": text, "doi": "10.1000/ab-c.12"}
    text = "The cells of Doe (https://example.org/cells)."
    assert cited(text) == {"text": text, "url": "https://example.org/cells"}


def test_a_citation_with_neither_is_refused():
    with pytest.raises(ModelError) as refusal:
        check_credits(Credits(authors=ANN, cite=("Doe 2024",)))
    assert str(refusal.value) == (
        "'Doe 2024' cannot be cited in a BioImage.IO model: it has neither a DOI nor a "
        "web address. Add one to the text after --cite."
    )
