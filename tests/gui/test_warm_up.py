"""What the first layers need is imported before a project opens."""

import subprocess
import sys

FIRST_LAYER = """
import sys
import numpy as np
from napari.layers import Labels
from napari_mtseg.gui.warm_up import MODULES, warm_up
early = set(sys.modules)
warm_up().join()
assert not early.issuperset(MODULES), "nothing is left to import ahead"
ready = set(sys.modules)
Labels(np.zeros((4, 4), np.uint8))
packages = {name.split(".")[0] for name in MODULES}
late = {name for name in set(sys.modules) - ready if name.split(".")[0] in packages}
assert len(late) < 10, sorted(late)
"""


def test_a_first_layer_imports_little_after_a_warm_up():
    subprocess.run([sys.executable, "-c", FIRST_LAYER], check=True, timeout=120)
