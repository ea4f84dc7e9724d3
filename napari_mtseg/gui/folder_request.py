"""Images that shall be segmented in the background, as the command takes them."""

from napari_mtseg.domain.settings import Settings


class FolderRequest(Settings):
    """What `mtseg predict` is asked for; kept until all of it is done."""

    source: str
    """path of a project, or of an exported model"""
    run: str = ""
    """run of the project; '' with an exported model"""
    inputs: tuple[str, ...]
    """folders, files and patterns with * of the images"""
    out: str
    """folder that the results are written to"""
    maps: tuple[str, ...]
    """names of the maps to write"""
    also: tuple[str, ...] = ()
    """files for other programs: 'rois', 'coco'"""
    overview: bool = True
    """True to write a picture of each result"""
    recursive: bool = False
    """True to take folders in the folders too"""

    def arguments(self) -> list[str]:
        """Return the arguments of `mtseg` that do it.

        Examples
        --------
        >>> request = FolderRequest(
        ...     source="a.mtseg", run="r", inputs=("in",), out="out", maps=("classes",)
        ... )
        >>> " ".join(request.arguments())
        'predict a.mtseg in --out out --maps classes --run r --json'
        """
        words = ["predict", self.source, *self.inputs, "--out", self.out]
        words += ["--maps", ",".join(self.maps)]
        if self.run:
            words += ["--run", self.run]
        if self.also:
            words += ["--also", ",".join(self.also)]
        if not self.overview:
            words.append("--no-overview")
        if self.recursive:
            words.append("--recursive")
        return [*words, "--json"]
