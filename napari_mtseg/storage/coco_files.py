"""Objects in the format of the COCO data set: ``NAME_coco.json``.

One entry per image, or per plane of a volume. An object is a list of polygons along
the edges of its pixels, or, where it has holes, which polygons cannot say, runs of
pixels column by column ("uncompressed RLE").

References
----------
.. [1] T.-Y. Lin et al., Microsoft COCO: common objects in context, ECCV 2014;
   https://cocodataset.org/#format-data
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mtseg.domain.errors import ImageError
from napari_mtseg.domain.printable import printable
from napari_mtseg.geometry.pixel_outlines import FlatObject, flat_objects, signed_area
from napari_mtseg.storage.whole_files import whole_file

Coco = dict[str, Any]
"""a JSON object in the format of COCO"""

_MADE_BY = {"description": "objects of napari-mtseg", "version": "1.0"}


def write_coco(
    path: Path,
    instances: NDArray[np.integer[Any]],
    *,
    class_of: Mapping[int, int],
    class_names: Mapping[int, str],
    file_name: str,
) -> Path:
    """Write the objects of one image; see :func:`coco_of`.

    Parameters
    ----------
    path : Path
        Such as ``cells_coco.json``; replaced if it exists.
    instances, class_of, class_names, file_name
        As in :func:`coco_of`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    content = coco_of(
        instances, class_of=class_of, class_names=class_names, file_name=file_name
    )
    return save_coco(path, content)


def coco_of(
    instances: NDArray[np.integer[Any]],
    *,
    class_of: Mapping[int, int],
    class_names: Mapping[int, str],
    file_name: str,
) -> Coco:
    """Return the objects of one image in the format of COCO.

    Parameters
    ----------
    instances : ([Z,] Y, X) integer
        Object id, 0 background; kept as 'object' of each annotation. Of a volume, each
        plane is an image of its own with its number, from 0, as 'plane'.
    class_of : mapping of int to int
        Object id -> class, which becomes the category.
    class_names : mapping of int to str
        Class -> name.
    file_name : str
        Of the image; made printable, see
        :func:`~napari_mtseg.domain.printable.printable`.

    Returns
    -------
    dict
        What the JSON file holds.
    """
    height, width = instances.shape[-2:]
    n_planes = len(instances) if instances.ndim == 3 else None
    name = printable(file_name)
    images = [
        {"id": i + 1, "file_name": name, "width": width, "height": height}
        | ({} if n_planes is None else {"plane": i})
        for i in range(1 if n_planes is None else n_planes)
    ]
    annotations = [
        {"id": number, **_annotation(found, class_of, (height, width))}
        for number, found in enumerate(flat_objects(instances), start=1)
    ]
    categories = [
        {"id": c, "name": name, "supercategory": ""}
        for c, name in sorted(class_names.items())
    ]
    return _content(images, annotations, categories)


def merged_coco(contents: Iterable[Coco]) -> Coco:
    """Return the images of several contents as one, with new ids.

    Parameters
    ----------
    contents : iterable of dict
        Of :func:`coco_of`, with the same classes.

    Raises
    ------
    ValueError
        If the categories differ.
    """
    images: list[Coco] = []
    annotations: list[Coco] = []
    categories: list[Coco] | None = None
    for content in contents:
        if categories not in (None, content["categories"]):
            raise ValueError("other categories")
        categories = content["categories"]
        n_images, n_before = len(images), len(annotations)
        new_id = {
            image["id"]: n_images + i
            for i, image in enumerate(content["images"], start=1)
        }
        images += [{**image, "id": new_id[image["id"]]} for image in content["images"]]
        annotations += [
            {**one, "id": n_before + i, "image_id": new_id[one["image_id"]]}
            for i, one in enumerate(content["annotations"], start=1)
        ]
    return _content(images, annotations, categories or [])


def merge_coco(files: Sequence[Path], path: Path) -> Path:
    """Write the images of several files into one.

    Parameters
    ----------
    files : sequence of Path
        Files of :func:`write_coco` with the same classes.
    path : Path
        Replaced if it exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ImageError
        If a file is no COCO file, or has other categories than the first.
    StorageError
        If the disk is full or the file cannot be written.
    """
    contents = [_read(file) for file in files]
    for file, content in zip(files, contents, strict=True):
        if content["categories"] != contents[0]["categories"]:
            raise ImageError(
                f"'{file.name}' has the classes {_names(content['categories'])}, but "
                f"'{files[0].name}' has {_names(contents[0]['categories'])}. Merge "
                "files of one model only."
            )
    return save_coco(path, merged_coco(contents))


def save_coco(path: Path, content: Coco) -> Path:
    """Write a content as JSON, whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    """
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def _annotation(
    found: FlatObject, class_of: Mapping[int, int], shape: tuple[int, int]
) -> Coco:
    (top, left), (height, width) = found.corner, found.mask.shape
    outlines = found.outlines()
    is_whole = all(signed_area(outline) > 0 for outline in outlines)
    polygons = [outline[:, ::-1].ravel().tolist() for outline in outlines]
    return {
        "image_id": (found.plane or 0) + 1,
        "category_id": class_of[found.number],
        "object": found.number,
        "segmentation": polygons if is_whole else _runs(found, shape),
        "area": int(found.mask.sum()),
        "bbox": [left, top, width, height],
        "iscrowd": 0,
    }


def _runs(found: FlatObject, shape: tuple[int, int]) -> dict[str, Any]:
    """Return the lengths of runs outside, inside, outside ... down each column."""
    (top, left), (height, width) = found.corner, found.mask.shape
    columns = np.zeros((width, shape[0]), np.bool_)
    columns[:, top : top + height] = found.mask.T
    before, after = left * shape[0], (shape[1] - left - width) * shape[0]
    changes = np.flatnonzero(np.diff(columns.ravel(), prepend=False, append=False))
    ends = [*(before + changes).tolist(), before + columns.size + after]
    counts = np.diff(ends, prepend=0).tolist()
    return {"size": list(shape), "counts": counts if counts[-1] else counts[:-1]}


def _names(categories: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(str(category["name"]) for category in categories) or "none"


def _read(file: Path) -> Any:
    try:
        content = json.loads(file.read_bytes())
        is_coco = {"images", "annotations", "categories"} <= set(content)
    except (OSError, ValueError, TypeError):
        is_coco = False
    if not is_coco:
        raise ImageError(
            f"'{file}' is missing or no COCO file. Write it again with 'mtseg predict "
            "--also coco'."
        )
    return content


def _content(
    images: list[Coco], annotations: list[Coco], categories: list[Coco]
) -> Coco:
    return {
        "info": _MADE_BY,
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
