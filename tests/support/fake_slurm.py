"""A cluster of one machine: `sbatch`, `srun`, `sacct` and `scontrol` of one's own, for tests of what submits through them.

``sbatch`` starts every task of an array at once, in the background, as Slurm would start it: through the submitted script, with
Slurm's names in the environment. ``srun`` sends output where it was told to. ``sacct`` answers RUNNING, COMPLETED or FAILED.
"""

import os
import sys
from pathlib import Path

_SBATCH = """
import os, re, subprocess, sys
from pathlib import Path
folder, script = Path({folder!r}), Path(sys.argv[-1])
text = script.read_text()
number = 100 + len(list(folder.glob("job-*.sh")))
(folder / f"job-{{number}}.sh").write_text(text)
array = re.search(r"--array=0-(\\d+)", text)
for task in range(int(array[1]) + 1) if array else [None]:
    names = {{"SLURM_JOB_ID": str(number), "SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1"}}
    name = str(number)
    if task is not None:
        names |= {{"SLURM_ARRAY_JOB_ID": name, "SLURM_ARRAY_TASK_ID": str(task)}}
        name = f"{{name}}_{{task}}"
    state = folder / f"state-{{name}}"
    state.write_text("PENDING" if (folder / "hold").exists() else "RUNNING")
    command = f"bash {{folder}}/job-{{number}}.sh && echo COMPLETED > {{state}} || echo FAILED > {{state}}"
    if not (folder / "hold").exists():
        subprocess.Popen(["bash", "-c", command], env={{**os.environ, **names}}, start_new_session=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(f"Submitted batch job {{number}}")
"""
_SRUN = """
import os, subprocess, sys
arguments, files = sys.argv[1:], {{}}
while arguments[0].startswith("-"):
    flag = arguments.pop(0)
    if flag in ("--output", "--error"):
        files[flag] = arguments.pop(0)
for mark, name in (("%A", "SLURM_ARRAY_JOB_ID"), ("%a", "SLURM_ARRAY_TASK_ID"), ("%j", "SLURM_JOB_ID"), ("%t", "SLURM_PROCID")):
    files = {{flag: path.replace(mark, os.environ.get(name, "")) for flag, path in files.items()}}
with open(files["--output"], "a") as output, open(files["--error"], "a") as error:
    sys.exit(subprocess.run(arguments, stdout=output, stderr=error).returncode)
"""
_SACCT = """
from pathlib import Path
print("JobID|State|NodeList")
for path in sorted(Path({folder!r}).glob("state-*")):
    print(f"{{path.name[6:]}}|{{path.read_text().strip()}}|here")
"""


def install(folder: Path) -> str:
    """Writes the commands, and returns the PATH on which they are found first."""
    folder.mkdir()
    for name, text in {"sbatch": _SBATCH, "srun": _SRUN, "sacct": _SACCT, "scontrol": _SCONTROL}.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{text.format(folder=str(folder))}")
        path.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


_SCONTROL = """
import sys
from pathlib import Path
(Path({folder!r}) / "requeued").write_text(" ".join(sys.argv[1:]))
"""
