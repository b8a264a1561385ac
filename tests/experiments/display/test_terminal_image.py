import numpy as np

from likeness.experiments.display.terminal_image import terminal_image


def test_every_pixel_is_half_a_character():
    image = np.zeros((4, 3, 3))
    image[0, 1] = 1.0
    image[1, 1] = (0.0, 1.0, 0.0)
    text = terminal_image(image, columns=3, lines=2)
    assert text.plain == "▀▀▀\n▀▀▀\n"
    style = text.spans[1].style
    assert style.color.triplet == (255, 255, 255)
    assert style.bgcolor.triplet == (0, 255, 0)


def test_an_image_fits_the_terminal_and_keeps_its_proportions():
    wide = terminal_image(np.zeros((20, 80, 3)), columns=40, lines=30).plain.splitlines()
    assert (len(wide), len(wide[0])) == (5, 40)
    tall = terminal_image(np.zeros((80, 20, 3)), columns=40, lines=10).plain.splitlines()
    assert (len(tall), len(tall[0])) == (10, 5)
    assert terminal_image(np.zeros((9, 9, 3)), columns=0, lines=-3).plain
