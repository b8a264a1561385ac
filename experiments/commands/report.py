"""``likeness report WORKDIR…``: one page about runs that opens from a disk."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from likeness.experiments.commands.flags import TrustCode, cli, trust


@dataclasses.dataclass(frozen=True)
class Options:
    """Writes one self-contained HTML page: what was run, with what, on what; numbers, curves, figures and images.

    Of several runs it also shows the numbers side by side, the curves over each other, and in what the configs differ. The page
    needs no network, opens from a disk, and works on a phone.
    """

    workdirs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="WORKDIR …")]
    """Working directories that `likeness train` or `likeness stylize` made."""
    out: Annotated[
        str | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: report.html in the only WORKDIR)"),
    ] = None
    """Where the page goes; a must for several runs."""
    trust_code: TrustCode = False


def main(arguments: list[str]) -> int:
    options: Options = cli(Options, prog="likeness report", arguments=arguments)
    from likeness.experiments.report.page import write_report
    from likeness.research.errors import UserError

    workdirs = list(options.workdirs)
    if not workdirs:
        raise UserError("No working directory is given: name at least one, such as runs/recognition/quickstart.")
    if options.out is None and len(workdirs) > 1:
        raise UserError(f"{len(workdirs)} runs are given, and the page belongs to none of them: add --out FILE.html.")
    path = Path(options.out) if options.out else Path(workdirs[0]) / "report.html"
    if path.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--out is {path}, which is no name of a page: give one that ends in .html.")
    for workdir in workdirs:
        trust(workdir, options)
    made = write_report(workdirs, path)
    for problem in made.problems:
        print(f"likeness: {problem}", file=sys.stderr)
    print(f"report   {path} ({len(made.page.encode()) / 1e6:.1f} MB)")
    return 0
