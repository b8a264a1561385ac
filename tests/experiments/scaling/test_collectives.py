import os
import subprocess
import sys

import pytest

from likeness.experiments.scaling.collectives import Traffic, collective, collectives

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


@pytest.mark.parametrize(
    "written, group",
    [
        ("{{0,2},{1,3},{4,6},{5,7}}", (0, 2)),
        ("{}", (0, 1, 2, 3, 4, 5, 6, 7)),
        ("[2,4]<=[8]", (0, 1, 2, 3)),
        ("[4,2]<=[2,4]T(1,0)", (0, 4)),
        ("mesh['axis_0'=8,'axis_1'=1] {'axis_0'}", (0, 1, 2, 3, 4, 5, 6, 7)),
        ("mesh['d'=2,'f'=4] {'f'}", (0, 1, 2, 3)),
        ("mesh['d'=2,'f'=4] {'d'}", (0, 4)),
        ("mesh['a'=1,'b'=4,'c'=2], device_ids=([2,4]T(1,0)) {'b'}", (0, 1, 2, 3)),
        ("mesh['a'=8] {'a':(1)2}", (0, 4)),
        ("mesh['a'=8] {'a':(2)4}", (0, 1, 2, 3)),
    ],
)
def test_who_takes_part_is_read_in_each_way_that_xla_writes_it(written, group):
    line = f"  %all-gather.1 = f32[8]{{0}} all-gather(%p), channel_id=1, replica_groups={written}, dimensions={{0}}"
    assert collective(line, 8) == ("all-gather", 32, group)


def test_a_way_that_is_not_known_is_no_guess():
    with pytest.raises(ValueError, match="Cannot read which devices"):
        collective("  %g = f32[8]{0} all-gather(%p), replica_groups=?", 8)
    assert collective("  %sum = f32[8]{0} add(%a, %b)", 8) is None


@pytest.mark.slow
@pytest.mark.end_to_end
def test_show_tells_what_devices_send_that_need_not_be_there():
    command = [sys.executable, "-m", "likeness.experiments.commands.main", "show", "recognition/digits"]

    def said(mesh):
        done = subprocess.run([*command, "--mesh", mesh], env=os.environ, capture_output=True, text=True, check=True)
        return done.stdout

    assert "all-reduce: " in said("data=2") and "on each of 2 devices" in said("data=2")
    assert "all-" not in said("data=1").partition("compiling a step")[2]
