"""Where images of anything come from: folders as people keep them, and images that are drawn."""

import numpy as np
import pytest
from PIL import Image

from likeness.research.data import BadImage, Faces
from likeness.research.data.image_sets import DeadLeaves, FaceImages, ImageFolder, ImageSetSource, Paintings, Photographs
from likeness.research.errors import UserError
from likeness.research.synthetic.styles import InkWash

DRAWN = (
    DeadLeaves(count=3, size=48, leaves=40),
    Paintings(styles=(InkWash(),), count=3, size=48),
    FaceImages(faces=Faces(people=3, images=1, size=32)),
)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "below" / "deeper").mkdir(parents=True)
    for name, size in (("b.png", (40, 50)), ("below/A.JPG", (64, 33)), ("below/deeper/c.gif", (32, 32))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("source", DRAWN, ids=lambda source: type(source).__name__)
def test_drawn_images_depend_on_their_number_only(source):
    assert isinstance(source, ImageSetSource)
    images, again = source.open(), source.open()
    assert images.synthetic
    assert len(images) == 3
    drawn = [images.read(number) for number in (2, 0)]
    for image, number in zip(drawn, (2, 0), strict=True):
        assert image.dtype == np.uint8
        assert image.shape[2] == 3
        assert image.std() > 5
        np.testing.assert_array_equal(image, again.read(number))
    assert not np.array_equal(*drawn)
    assert images.read(0) is images.read(0)


def test_another_seed_is_another_image_set():
    for first, second in (
        (DeadLeaves(count=1, size=32, leaves=9), DeadLeaves(count=1, size=32, leaves=9, seed=1)),
        (Paintings(styles=(InkWash(),), count=1, size=32), Paintings(styles=(InkWash(),), count=1, size=32, seed=1)),
    ):
        assert first.open().fingerprint != second.open().fingerprint
        assert not np.array_equal(first.open().read(0), second.open().read(0))


def test_leaves_of_all_sizes_cover_one_another():
    """The spectrum of photographs falls with the square of the frequency, give or take; noise would stay level."""
    images = DeadLeaves(count=4, size=128).open()
    spectrum = np.zeros((128, 128))
    for number in range(4):
        gray = images.read(number).mean(2)
        spectrum += np.abs(np.fft.fft2(gray - gray.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    inside = (frequency > 3 / 128) & (frequency < 0.25)
    slope = np.polyfit(np.log(frequency[inside]), np.log(spectrum[inside]), 1)[0]
    assert -3.2 < slope < -1.3


def test_the_photographs_are_scikit_learn_s():
    images = Photographs(names=("flower",)).open()
    assert images.names == ("flower",)
    assert not images.synthetic
    assert images.read(0).shape == (427, 640, 3)
    with pytest.raises(ValueError, match="each only once"):
        Photographs(names=("china", "china"))


def test_a_folder_is_read_to_its_bottom(folder):
    images = ImageFolder(path=str(folder)).open()
    assert images.names == ("b.png", "below/A.JPG", "below/deeper/c.gif")
    assert [images.read(number).shape for number in range(3)] == [(40, 50, 3), (64, 33, 3), (32, 32, 3)]
    assert images.skipped == ()
    before = images.fingerprint
    (folder / "b.png").unlink()
    assert ImageFolder(path=str(folder)).open().fingerprint != before


def test_another_image_of_as_many_bytes_is_another_image_set(folder):
    path = folder / "plain.bmp"
    Image.new("RGB", (200, 200), (0, 0, 0)).save(path)
    before, size = ImageFolder(path=str(folder)).open().fingerprint, path.stat().st_size
    Image.new("RGB", (200, 200), (0, 0, 1)).save(path)
    assert path.stat().st_size == size
    assert ImageFolder(path=str(folder)).open().fingerprint != before


def test_bad_files_are_listed_or_refused(folder):
    (folder / "cut.png").write_bytes((folder / "b.png").read_bytes()[:20])
    Image.new("RGB", (8, 90)).save(folder / "thin.png")
    images = ImageFolder(path=str(folder)).open()
    assert [name for name, _ in images.skipped] == ["cut.png", "thin.png"]
    assert "8 x 90" in images.skipped[1][1]
    assert len(images) == 3
    with pytest.raises(BadImage, match="cut.png"):
        ImageFolder(path=str(folder), on_bad="refuse").open()


def test_a_folder_without_images_says_so(tmp_path):
    with pytest.raises(UserError, match="There is no folder .*nowhere: mend the field `path`"):
        ImageFolder(path=str(tmp_path / "nowhere")).open()
    with pytest.raises(UserError, match="holds no image that can be used. The field `path` expects"):
        ImageFolder(path=str(tmp_path)).open()
    (tmp_path / "bad.jpg").write_text("not an image")
    with pytest.raises(UserError, match=r"1 were left out, the first of them bad.jpg: it is not a JPEG"):
        ImageFolder(path=str(tmp_path)).open()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DeadLeaves(leaves=0), "leaves 0"),
        (lambda: Paintings(styles=()), "styles is empty"),
        (lambda: Paintings(size=4), "size 4"),
        (lambda: FaceImages(faces=Faces(channels=1)), "is gray"),
        (lambda: ImageFolder(path="x", min_side=0), "min_side must be at least 1"),
    ],
)
def test_illegal_fields_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
