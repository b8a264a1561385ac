"""Executes the notebooks from clean kernels and keeps their outputs: ``python -m notebooks.execute`` or ``make notebooks``.

They run on the CPU in a copy of this folder, so that nothing that was trained before is found; the first trains what the others
look at. With names, such as ``what_the_layers_see``, only those.
"""

import argparse
import base64
import io
import os
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image
from traitlets.config import Config

HERE = Path(__file__).parent
NAMES = (
    "learning_to_tell_faces_apart",
    "one_idea_two_applications",
    "what_the_layers_see",
    "reading_a_run",
    "from_verification_to_identification",
    "from_a_window_to_a_grid",
)
WIDEST = 950
"""Pixels that an image in a notebook may be wide."""


def copied(to: Path) -> Path:
    """The notebooks and the config that they share, without outputs, in a folder of their own below ``to``."""
    folder = to / HERE.name
    folder.mkdir()
    shutil.copy(HERE / "small_faces.py", folder)
    for name in NAMES:
        notebook = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def executed(path: Path, timeout: float = 300.0) -> nbformat.NotebookNode:
    """A notebook with its outputs, from a kernel of its own in the notebook's folder.

    Args:
        path: of the notebook.
        timeout: for each cell, in seconds.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
        nbclient.exceptions.CellTimeoutError: a cell took too long.
    """
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    with tempfile.TemporaryDirectory() as sockets:
        # Over TCP, which is what a kernel speaks unless told otherwise, others on the machine could listen.
        config = Config({"KernelManager": {"transport": "ipc", "ip": str(Path(sockets) / "kernel")}})
        options = {"timeout": timeout, "record_timing": False, "coalesce_streams": True, "resources": where}
        client = NotebookClient(notebook, kernel_name="python3", config=config, **options)
        client.execute(env={**os.environ, "JAX_PLATFORMS": "cpu"})
    # Of the language only the name, which does not change from machine to machine.
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                output.data.pop("image/jpeg", None)
                output.data["image/png"] = smaller(output.data["image/png"])
    return notebook


def smaller(png: str) -> str:
    """An image, in base64 as notebooks keep it, no wider than a page shows it and in at most 256 colors."""
    stored = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(stored, format="PNG", optimize=True)
    return base64.b64encode(stored.getvalue()).decode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m notebooks.execute", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}")
    names = parser.parse_args().names or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"there is no notebook {unknown[0]!r}: choose of {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = copied(Path(temporary))
        for name in names:
            start = time.monotonic()
            notebook = executed(folder / f"{name}.ipynb")
            target = HERE / f"{name}.ipynb"
            nbformat.write(notebook, target)
            print(f"{target}: {time.monotonic() - start:.0f} s, {target.stat().st_size // 1000} kB", flush=True)


if __name__ == "__main__":
    main()
