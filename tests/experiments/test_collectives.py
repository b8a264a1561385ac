import os
import subprocess
import sys

import pytest

from experiments.collectives import Traffic, collectives

PROGRAM = """
  %all-reduce.1 = f32[128,64]{1,0} all-reduce(f32[128,64]{1,0} %dot), channel_id=1, replica_groups={{0,1}}
  %all-reduce.2 = (bf16[8]{0}, f32[], pred[3]{0}) all-reduce(bf16[8]{0} %a, f32[] %b, pred[3]{0} %c), to_apply=%add
  %all-gather-start = (f32[4]{0}, f32[8]{0}) all-gather-start(f32[4]{0} %p), dimensions={0}
  %all-gather-done = f32[8]{0} all-gather-done((f32[4]{0}, f32[8]{0}) %all-gather-start)
  %reduce-scatter.5 = s32[2,2]{1,0} reduce-scatter(s32[4,2]{1,0} %x), dimensions={0}
  %fusion = f32[9]{0} fusion(f32[9]{0} %all-reduce.1), kind=kLoop, metadata={op_name="all-reduce("}
"""


def test_results_are_counted_by_kind():
    assert collectives(PROGRAM) == {
        "all-reduce": Traffic(2, 128 * 64 * 4 + 8 * 2 + 4 + 3),
        "all-gather": Traffic(1, 8 * 4),
        "reduce-scatter": Traffic(1, 16),
    }
    assert collectives("ENTRY %main { ROOT %add = f32[] add(f32[] %a, f32[] %b) }") == {}


@pytest.mark.end_to_end
def test_show_tells_what_devices_send_that_need_not_be_there():
    command = [sys.executable, "-m", "experiments.commands.main", "show", "recognition/digits"]

    def said(mesh):
        done = subprocess.run([*command, "--mesh", mesh], env=os.environ, capture_output=True, text=True, check=True)
        return done.stdout

    assert "all-reduce: " in said("data=2") and "on each of 2 devices" in said("data=2")
    assert "all-" not in said("data=1").partition("compiling a step")[2]
