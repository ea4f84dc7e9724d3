"""Who a shared model is by, what others may do with it, and what they cite."""

import re
from dataclasses import dataclass

from napari_mtseg.domain.errors import ModelError

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"<>]*[^\s\"<>.,;)\]]")
_URL = re.compile(r"https?://[^\s\"<>]*[^\s\"<>.,;)\]]")

MAX_DESCRIPTION = 1024
"""characters that BioImage.IO allows"""


@dataclass(frozen=True, kw_only=True)
class Credits:
    """What a person says of a model that is to be shared."""

    authors: tuple[str, ...] = ()
    """names of who made it; BioImage.IO wants one"""
    license: str = ""
    """SPDX name of its licence; '' states none, so that nobody may pass it on"""
    description: str = ""
    """what it is for, in a sentence or two; '' for one from the model's facts"""
    cite: tuple[str, ...] = ()
    """what to cite, each with a DOI or a web address"""


NOTHING_SAID = Credits()
"""neither author nor licence: enough for all formats but BioImage.IO"""


def credit_facts(credits_: Credits) -> dict[str, str]:
    """Return what is said of a model, each by its name; what is not said is left out.

    Examples
    --------
    >>> credit_facts(Credits(authors=("Ann", "Bob"), license="MIT"))
    {'author': 'Ann, Bob', 'license': 'MIT'}
    """
    facts = {
        "author": ", ".join(credits_.authors),
        "license": credits_.license,
        "description": credits_.description,
        "cite": "; ".join(credits_.cite),
    }
    return {name: text for name, text in facts.items() if text}


def check_credits(credits_: Credits) -> None:
    """Refuse what a BioImage.IO description cannot hold.

    Raises
    ------
    ModelError
        If there is no author, a name has a slash, the licence is no SPDX name, a
        citation has neither DOI nor web address, or the description is too long.
    """
    if not any(name.strip() for name in credits_.authors):
        raise ModelError(
            "A BioImage.IO model names who made it, and no author is given. Add "
            "--author 'YOUR NAME'."
        )
    for name in credits_.authors:
        if {"/", "\\"} & set(name):
            raise ModelError(
                f"The author '{name}' has a slash, which BioImage.IO does not allow. "
                "Write the name without it; give --author once per author."
            )
    _check_licence(credits_.license)
    for text in credits_.cite:
        cited(text)
    if len(credits_.description) > MAX_DESCRIPTION:
        raise ModelError(
            f"The description has {len(credits_.description)} characters, but "
            f"BioImage.IO allows {MAX_DESCRIPTION}. Make it shorter."
        )


def cited(text: str) -> dict[str, str]:
    """Return a citation's text with the DOI or the web address in it.

    Raises
    ------
    ModelError
        If there is neither.

    Examples
    --------
    >>> cited("Doe, Cells, 2024, https://doi.org/10.1000/x.")["doi"]
    '10.1000/x'
    """
    if doi := _DOI.search(text):
        return {"text": text, "doi": doi[0]}
    if url := _URL.search(text):
        return {"text": text, "url": url[0]}
    raise ModelError(
        f"'{text}' cannot be cited in a BioImage.IO model: it has neither a DOI nor a "
        "web address. Add one to the text after --cite."
    )


def _check_licence(name: str) -> None:
    from typing import get_args

    from bioimageio.spec._internal.license_id import (
        DeprecatedLicenseIdLiteral,
        LicenseIdLiteral,
    )

    known = {*get_args(LicenseIdLiteral), *get_args(DeprecatedLicenseIdLiteral)}
    if name and name not in known:
        raise ModelError(
            f"'{name}' is not the SPDX name of a licence. Choose one such as "
            "CC-BY-4.0, CC0-1.0 or MIT; they are listed at https://spdx.org/licenses."
        )
