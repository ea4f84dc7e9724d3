"""What the card of an example model says beside that of any exported model."""

from benchmarks.example_recipes import Recipe
from napari_mtseg.storage.example_models import EXPECTED_CLASSES, SAMPLE_IMAGE
from napari_mtseg.workflows.scores import Evaluation

SCORES = {
    "dice": "Dice of the class map",
    "object_f1": "F1 of the objects",
    "object_dice": "Dice of the objects",
}
"""scores of the card, and what they are called"""


def extended_card(
    card: str, recipe: Recipe, scores: Evaluation, *, n_found: int
) -> str:
    """Return the card with test scores, data, licences, limits and the sample.

    Parameters
    ----------
    card : str
        As ``mtseg export`` wrote it.
    recipe : Recipe
        How the model was made.
    scores : Evaluation
        On images that took no part in the training.
    n_found : int
        Objects in the sample.
    """
    body, made_with = card.rsplit("\n\nMade with ", 1)
    n = len(scores.images)
    sections = {
        "On images that took no part": _table(scores, n),
        "Images and licences": (
            f"{recipe.data}\n\nLicence of these weights: {recipe.weights} The program "
            "is under BSD-3-Clause."
        ),
        "What it is not fit for": recipe.limits,
        "An image to try it with": (
            f"`{SAMPLE_IMAGE}` ({recipe.sample}): the model finds {n_found} "
            f"object{'s' * (n_found != 1)} in it. `{EXPECTED_CLASSES}` holds the class "
            "map that it is to find, by which a test of the program tells that nothing "
            "has changed."
        ),
        "Made again by": (
            "```\nOMP_NUM_THREADS=1 python -m benchmarks.example_models --data DATA\n"
            "```"
        ),
    }
    more = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"{body}\n\n{more}\n\nMade with {made_with}"


def _table(scores: Evaluation, n: int) -> str:
    (found,) = scores.summary().values()
    rows = "\n".join(
        f"| {words} | {found[key].mean:.3f} | {found[key].low:.3f} to "
        f"{found[key].high:.3f} |"
        for key, words in SCORES.items()
    )
    return (
        f"Means over {n} test images, which neither trained nor chose these weights:"
        f"\n\n| score | mean | 95 % interval |\n|---|---|---|\n{rows}"
    )
