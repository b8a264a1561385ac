"""Draws the README's image from a trained quickstart: unseen people, the ROC and the distances.

python -m likeness.experiments.benchmarks.readme_image
"""

from pathlib import Path

import numpy as np
from PIL import Image

from likeness.experiments.recognition.recognizer import Recognizer
from likeness.experiments.storage.workdir import Workdir
from likeness.research.data import Faces
from likeness.research.files import write_atomically

WORKDIR, IMAGE = Path("runs/recognition/quickstart"), Path("docs/quickstart.png")
PEOPLE, COLUMNS, SIDE = 5, 14, 96


def main() -> None:
    files = Workdir(WORKDIR)
    test = Recognizer.load(WORKDIR).experiment.open().test
    source = Recognizer.load(WORKDIR).experiment.data
    assert isinstance(source, Faces)
    large = Faces(people=source.people, images=source.images, size=SIDE, seed=source.seed).open()
    rows = [[large.names.index(test.names[row]) for row in np.flatnonzero(test.labels == p)[:COLUMNS]] for p in range(PEOPLE)]
    faces = np.concatenate([np.concatenate(list(large.read(np.array(row))), axis=1) for row in rows])
    figures = [Image.open(files.figures / f"{name}.png").convert("RGB") for name in ("roc", "distances")]
    width = faces.shape[1]
    shrunk = [figure.resize((width // 2, figure.height * (width // 2) // figure.width)) for figure in figures]
    sheet = Image.new("RGB", (width, faces.shape[0] + 16 + max(figure.height for figure in shrunk)), "white")
    sheet.paste(Image.fromarray(faces), (0, 0))
    for index, figure in enumerate(shrunk):
        sheet.paste(figure, (index * (width // 2), faces.shape[0] + 16))
    IMAGE.parent.mkdir(exist_ok=True)
    temporary = IMAGE.with_suffix(".tmp.png")
    sheet.quantize(256, dither=Image.Dither.NONE).save(temporary, optimize=True)
    write_atomically(IMAGE, temporary.read_bytes())
    temporary.unlink()
    print(f"{IMAGE}, {IMAGE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
