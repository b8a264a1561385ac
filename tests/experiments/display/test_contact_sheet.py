"""What is written on a sheet belongs to its image: it is no wider than that, and stands right below it."""

import numpy as np

from likeness.experiments.display.contact_sheet import Tile, sheet

BLUE = (0, 0, 255)


def blue(height: int, width: int = 80) -> np.ndarray:
    return np.broadcast_to(np.float32([0, 0, 1]), (height, width, 3))


def lettered(drawn: np.ndarray) -> np.ndarray:
    """Where something is neither white nor an image."""
    return (drawn != 255).any(2) & (drawn != BLUE).any(2)


def test_a_long_text_does_not_reach_into_the_next_column() -> None:
    long = "portrait_of_a_lady_with_an_ermine_in_her_arms"
    one, two, both = (
        np.asarray(sheet([[Tile(blue(40), text), Tile(blue(40), other)]], heads=(text, other)))
        for text, other in ((long, ""), ("", long), (long, long))
    )
    assert lettered(one).any() and lettered(two).any()
    assert not (lettered(one) & lettered(two)).any()
    assert not lettered(one)[:, 16 + 80 :].any()
    np.testing.assert_array_equal(lettered(one) | lettered(two), lettered(both))


def test_a_text_that_fits_is_written_as_it_is() -> None:
    same, other = (np.asarray(sheet([[Tile(blue(40, 200), text)]])) for text in ("starry_night", "starry_nigh"))
    assert same.shape == other.shape and (same != other).any()


def test_rows_of_different_heights_have_their_captions_right_below() -> None:
    drawn = np.asarray(sheet([[Tile(blue(20), "a"), Tile(blue(20))], [Tile(blue(60), "b"), Tile(blue(60))]]))
    rows = np.flatnonzero((drawn == BLUE).all(2)[:, 20])
    # Margins of 16, a line of 22 and a gap of 6 below the first row, and a line below the second.
    np.testing.assert_array_equal(rows, [*range(16, 36), *range(64, 124)])
    assert drawn.shape[0] == 124 + 22 + 16
    written = np.flatnonzero(lettered(drawn).any(1))
    assert written.min() > 36 and written.min() - 36 < 22 and (written[written > 60].min() - 124) < 22
