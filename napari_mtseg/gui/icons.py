"""Icons of the window, in the colour of the text around them."""

from importlib.resources import files

from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

SIZE = 48
"""pixels of a rendered icon: sharp on screens of twice the usual density"""


def icon(name: str, colour: QColor) -> QIcon:
    """Return the icon ``icons/NAME.svg``, drawn in ``colour``."""
    text = files("napari_mtseg").joinpath(f"gui/icons/{name}.svg").read_text()
    text = text.replace("currentColor", colour.name())
    pixmap = QPixmap(SIZE, SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(0, 0, SIZE, SIZE))
    painter.end()
    return QIcon(pixmap)
