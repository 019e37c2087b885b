"""A matplotlib figure as the pixels of a picture."""

import warnings

import numpy as np


def pixels(figure) -> np.ndarray:
    """uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box stands for it
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3]
