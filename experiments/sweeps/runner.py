"""Makes the runs of a sweep: what is finished is left as it is, what was interrupted goes on, what fails stands alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from likeness.experiments.display.progress import Named, Reporter
from likeness.experiments.own_code.keeping import describe, keep, kept_or_none
from likeness.experiments.storage.trackers import TrackerName
from likeness.experiments.storage.workdir import Workdir
from likeness.experiments.sweeps.members import Member, isolated, sentence
from likeness.experiments.sweeps.numbers import Path as FieldPath
from likeness.experiments.sweeps.numbers import structure
from likeness.experiments.sweeps.processes import make_in_processes
from likeness.experiments.sweeps.rungs import SuccessiveHalving
from likeness.experiments.sweeps.slurm import SlurmArray
from likeness.experiments.training.interruption import Interrupted
from likeness.experiments.training.recorder import shortened
from likeness.research.errors import UserError

Mode = Literal["yes", "no", "auto"]


def make_runs(
    made: Sequence[Member],
    root: Path,
    *,
    vmap: Mode,
    jobs: int,
    say: Reporter,
    halving: SuccessiveHalving | None = None,
    slurm: SlurmArray | None = None,
    trackers: tuple[TrackerName, ...] = (),
) -> None:
    """Makes all runs that are not finished and notes in each what became of it.

    Args:
        made: the runs.
        root: where the traces of failures go, below ``failures``.
        vmap: train as one program what can be; ``auto`` where that is faster.
        jobs: processes at a time. With more than one nothing is trained together.
        say: told how it goes.
        halving: how runs are stopped early; None stops none.
        slurm: the job array to train in; None trains here.
        trackers: where metrics go beside each ``metrics.jsonl``.

    Raises:
        UserError: the runs cannot be compared by ``halving``; W&B is to log runs that are one program.
        Interrupted: SIGTERM or SIGINT; the same sweep goes on.
    """
    if "wandb" in trackers and vmap != "no" and jobs == 1 and slurm is None:
        if vmap == "yes":
            raise UserError("W&B takes one run at a time from a process: runs that it logs cannot be trained as one program.")
        say.say("each is trained alone, since W&B takes one run at a time from a process")
        vmap = "no"
    rungs: tuple[int, ...] = ()
    if halving is not None:
        halving.check(made)
        rungs = halving.rungs(len(made), made[0].run.steps)
    for member in made:
        member.status, member.how, member.why, member.stopped = "not started", "", "", None
        with isolated(member, root):
            member.check()
            if member.finished:
                member.status, member.how = "finished", "before"
    if before := sum(member.how == "before" for member in made):
        say.say(f"{before} of {len(made)} runs are finished already")
    _keep_code(made, root, say)
    ways = _Ways(root, vmap, jobs, slurm, trackers, say)
    contenders = list(made)
    for rung in rungs:
        if halving is None or len(contenders) < 2:
            break
        ways.make(contenders, rung)
        if any(member.status == "under way" for member in contenders):
            return
        contenders = halving.survivors(contenders, rung, say)
    ways.make(contenders, None)


def _keep_code(made: Sequence[Member], root: Path, say: Reporter) -> None:
    """Keeps the sweep's code of one's own, which runs in other processes are made with, and says which runs are of another."""
    keep(root, made[0].code)
    for member in made:
        before = kept_or_none(member.workdir)
        if Workdir(member.workdir).config.exists() and (changes := describe(before, member.code)):
            say.warn(
                f"{member.name} was {'made' if member.finished else 'begun'} with other code of yours "
                f"({shortened(changes, 3)}): remove its directory, and it is made anew"
            )


class _Ways:
    """The ways to train some runs up to a rung, or to their end."""

    def __init__(
        self,
        root: Path,
        vmap: Mode,
        jobs: int,
        slurm: SlurmArray | None,
        trackers: tuple[TrackerName, ...],
        say: Reporter,
    ) -> None:
        self.root, self.vmap, self.jobs, self.slurm, self.trackers, self.say = root, vmap, jobs, slurm, trackers, say

    def make(self, some: Sequence[Member], until: int | None) -> None:
        """Trains those that are not there yet, each failing on its own."""
        waiting = [member for member in some if member.status == "not started" and not member.reached(until)]
        if self.slurm is not None:
            self.slurm.make(waiting, self.root, until, self.trackers, self.say)
        elif self.jobs > 1:
            make_in_processes(waiting, self.root, self.jobs, until, self.trackers, self.say)
        else:
            for group in _grouped(waiting) if self.vmap != "no" else [[member] for member in waiting]:
                self._here(group, until)
        for member in waiting:
            if until is None and member.status == "not started":
                member.status = "finished"

    def _here(self, group: Sequence[Member], until: int | None, told_apart: frozenset[FieldPath] = frozenset()) -> None:
        if len(group) == 1:
            self._sequential(group[0], until)
            return
        # They need JAX, and a sweep in other processes must leave the devices to those.
        from likeness.experiments.distributed.cores import a_device_for_each_core
        from likeness.experiments.sweeps.timing import time_both
        from likeness.experiments.sweeps.vmapped import Incompatible, vmap_runs
        from likeness.experiments.sweeps.vmapped_training import train_vmapped

        say = self.say
        try:
            a_device_for_each_core()
            ready = vmap_runs([member.run for member in group])
            left = (until or group[0].run.steps) - group[0].latest
            timed = time_both(ready, left) if self.vmap == "auto" else None
            if timed is not None and not timed.vmapped_is_faster:
                raise Incompatible(str(timed))
            if timed is not None:
                say.say(f"{len(group)} runs are trained together: {timed}")
        except Incompatible as apart:
            smaller = _grouped(group, told_apart | apart.paths) if apart.paths else [[member] for member in group]
            if len(smaller) == 1:
                smaller = [[member] for member in group]
            how = "one after the other" if len(smaller) == len(group) else f"in {len(smaller)} groups"
            say.say(f"{len(group)} runs are trained {how}, since {apart.reason}")
            for part in smaller:
                self._here(part, until, told_apart | apart.paths)
            return
        except Exception as error:
            say.warn(f"{len(group)} runs cannot be put together ({sentence(error)}): each is trained alone")
            for member in group:
                self._sequential(member, until)
            return
        try:
            failures = train_vmapped(ready, [member.workdir for member in group], group[0].code, say, self.trackers, until)
        except Interrupted:
            raise
        except Exception as error:
            failures = [error] * len(group)
        for member, failure in zip(group, failures, strict=True):
            member.how = f"vmapped with {len(group) - 1}"
            with isolated(member, self.root):
                if failure is not None:
                    raise failure

    def _sequential(self, member: Member, until: int | None) -> None:
        from likeness.experiments.sweeps.worker import train_member

        self.say.say(f"training {member.name}" if until is None else f"training {member.name} up to step {until}")
        member.how = "sequential"
        with isolated(member, self.root):
            train_member(member.run, member.workdir, member.code, until, self.trackers, Named(member.name, self.say.warn))


def _grouped(waiting: Sequence[Member], told_apart: frozenset[FieldPath] = frozenset()) -> list[list[Member]]:
    """Those of one structure that have come to the same step."""
    groups: dict[object, list[Member]] = {}
    for member in waiting:
        groups.setdefault((structure(member.run, told_apart), member.latest), []).append(member)
    return list(groups.values())
