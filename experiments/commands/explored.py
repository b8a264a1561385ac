"""``likeness stylize … --explore FILE``: the painting at sixteen strengths, on one page."""

from pathlib import Path

from likeness.experiments.commands.painted import place
from likeness.experiments.commands.places import check_place
from likeness.experiments.display.phases import watched
from likeness.experiments.display.progress import Phases
from likeness.experiments.run import Run
from likeness.experiments.style.exploration import Exploration
from likeness.experiments.style.exploration_page import write_exploration
from likeness.experiments.style.strengths import Strengthened
from likeness.experiments.style.stylization import Stylization
from likeness.experiments.training.interruption import Interrupted
from likeness.research.errors import UserError, require


def check_exploration(path: Path, run: Run) -> None:
    """Finds out before anything is painted that it cannot be explored, or the page not be written.

    Raises:
        UserError: the file is no .html or may not be written to, the extra is not installed, or the run cannot be explored.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--explore is {path}: the page is a file that ends in .html.")
    check_place("--explore", path, "page")
    require("jinja2", "report", "--explore")
    Exploration().check(run)


def explore(run: Run, workdir: Path, given: str | None, path: Path) -> None:
    """Paints a run at the other strengths, and writes the page.

    Args:
        run: what is painted at the strength that was asked for.
        workdir: where its files are.
        given: the directory that was asked for, in which the other strengths then have theirs; None for directories of their
            own.
        path: of the page.

    Raises:
        Interrupted: after SIGTERM or SIGINT while it paints, and after SIGINT also while it explains; the same call goes on.
    """

    def placed(one: Run) -> Path:
        experiment = one.experiment
        if not isinstance(experiment, Strengthened):
            return workdir
        if given is not None:
            return Path(given) / f"strength_{experiment.factor:.4g}"
        return place(one, experiment, None, "stylize", f"{_title(experiment)}_{experiment.factor:.3g}x")

    try:
        with Phases() as phases, watched(phases.tell):
            explored = Exploration()(run, placed)
        write_exploration(explored, path)
    except Interrupted as stop:
        raise Interrupted(f"{stop} The page {path} is written once all of its paintings are there.") from stop
    except KeyboardInterrupt as stop:
        raise Interrupted(f"Interrupted before the page {path} was written: the same command goes on.") from stop
    print(f"page   {path}, {path.stat().st_size / 1e6:.1f} MB")


def _title(experiment: Stylization) -> str:
    return "_".join([experiment.content.title, *(style.image.title for style in experiment.styles)])
