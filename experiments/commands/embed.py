"""``likeness embed IMAGE|FOLDER … -o FILE``: embeddings of faces, for an analysis of one's own."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from likeness.experiments.commands.flags import Face, Model, TrustCode, cli, trust
from likeness.experiments.commands.recognizers import opened, recognizer_named

if TYPE_CHECKING:
    import numpy as np

    from likeness.experiments.recognition.photographs import FaceAsked
    from likeness.experiments.recognition.recognizer import Recognizer
    from likeness.research.data import BadImage

_SHOWN = 3
"""Files that cannot be used, of which why is said."""
_GROUP = 64


@dataclasses.dataclass(frozen=True)
class Options:
    """Embeds faces, and writes the embeddings with the file, the place and the sureness of each face."""

    images: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="IMAGE|FOLDER ...")]
    """Images, or folders of images, whose own folders are looked into too."""
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = "embeddings.npz"
    """Where they go: NumPy's .npz, or .parquet, for which pyarrow has to be installed."""
    model: Model = None
    """A published recognizer, which finds the faces in photographs itself, or the working directory of a trained one."""
    face: Face = None
    """Which faces of a photograph: the largest, which is the default, all, or one by its number, counted from the left."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness embed", arguments=arguments)
    from likeness.experiments.commands.places import check_place, images_below
    from likeness.experiments.commands.shown import check_photographs
    from likeness.experiments.display.phases import watched
    from likeness.experiments.display.progress import Phases
    from likeness.experiments.storage.columns import ENDINGS, write_columns
    from likeness.research.errors import UserError

    out = Path(options.out)
    if out.suffix.lower() not in ENDINGS:
        raise UserError(f"--out is {out}: embeddings are written to a file that ends in {' or '.join(ENDINGS)}.")
    check_place("--out", out, "table of embeddings")
    if not options.images:
        raise UserError("There is nothing to embed: give images, or folders of images.")
    files = [file for path in map(Path, options.images) for file in (images_below(path) if path.is_dir() else [path])]
    model = recognizer_named(options.model)
    trust(model, options)
    recognizer = opened(model)
    face = check_photographs(recognizer, options.face, None) or "largest"
    with Phases() as phases, watched(phases.tell):
        columns, skipped = _embedded(recognizer, files, face)
    for error in skipped[:_SHOWN]:
        print(f"likeness: {error}", file=sys.stderr)
    if len(skipped) > _SHOWN:
        print(f"likeness: {len(skipped)} files are left out; these are the first {_SHOWN}.", file=sys.stderr)
    if not columns:
        raise UserError(f"None of {len(files)} files could be embedded, so nothing is written.")
    write_columns(out, columns, {"model": recognizer.name, "fingerprint": recognizer.fingerprint})
    count, width = columns["embeddings"].shape
    print(f"embedded {count:,} faces of {len(files) - len(skipped):,} images with {recognizer.name}, {width} numbers each")
    print(f"written  {out}")
    return 0


def _embedded(recognizer: "Recognizer", files: list[Path], face: "FaceAsked") -> "tuple[dict[str, np.ndarray], list[BadImage]]":
    """Columns with a row for each face, and what could not be used."""
    import numpy as np

    from likeness.experiments.display.phases import tracked
    from likeness.research.data import BadImage

    rows: list[dict[str, object]] = []
    codes: list[np.ndarray] = []
    skipped: list[BadImage] = []
    # Others than the largest are not asked for.
    most = 1 if face == "largest" else 64
    groups = [files[start : start + _GROUP] for start in range(0, len(files), _GROUP)]
    for group in tracked("embedding faces", groups, len):
        if not recognizer.takes_photographs:
            for file in group:
                try:
                    codes.append(recognizer.embed_files([file]))
                    rows.append({"files": str(file)})
                except BadImage as error:
                    skipped.append(error)
            continue
        for seen, code in recognizer.look(group, face, most=most, skip=lambda _, error: skipped.append(error)):
            codes.append(code)
            found = seen.found
            rows += [
                {
                    "files": seen.name,
                    "faces": row + 1,
                    "boxes": found.xyxy[row],
                    "landmarks": found.landmarks[row],
                    "confidence": found.confidence[row],
                    "eye_distance": found.eye_distance[row],
                    "misfit": found.misfit[row],
                }
                for row in seen.chosen
            ]
    if not rows:
        return {}, skipped
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {"embeddings": np.concatenate(codes).astype(np.float32), **columns}, skipped
