import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likeness.experiments.scaling.program import counted

PROGRAM = """HloModule jit_step, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%fused (p: f32[4,6], q: f32[6,5]) -> f32[4,5] {
  %p = f32[4,6]{1,0} parameter(0)
  %q = f32[6,5]{1,0} parameter(1)
  %dot = f32[4,5]{1,0} dot(%p, %q), lhs_contracting_dims={1}, rhs_contracting_dims={0}, operand_precision={highest,highest}
  ROOT %neg = f32[4,5]{1,0} negate(%dot)
}

%body (state: (s32[], f32[4,5])) -> (s32[], f32[4,5]) {
  %state = (s32[], f32[4,5]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%state), index=0
  %x = f32[4,5]{1,0} get-tuple-element(%state), index=1
  %reduced = f32[4,5]{1,0} all-reduce(%x), channel_id=1, replica_groups=mesh['d'=2,'f'=2] {'f'}, to_apply=%add
  %y = f32[4,5]{1,0} add(%reduced, %x)
  ROOT %next = (s32[], f32[4,5]{1,0}) tuple(%i, %y)
}

%condition (state.1: (s32[], f32[4,5])) -> pred[] {
  %state.1 = (s32[], f32[4,5]{1,0}) parameter(0)
  ROOT %yes = pred[] constant(true)
}

ENTRY %main (first: f32[4,6], second: f32[6,5]) -> f32[4,5] {
  %first = f32[4,6]{1,0} parameter(0)
  %second = f32[6,5]{1,0} parameter(1)
  %product = f32[4,5]{1,0} fusion(%first, %second), kind=kLoop, calls=%fused
  %one = s32[] constant(0)
  %start = (s32[], f32[4,5]{1,0}) tuple(%one, %product)
  %loop = (s32[], f32[4,5]{1,0}) while(%start), condition=%condition, body=%body
  ROOT %out = f32[4,5]{1,0} get-tuple-element(%loop), index=1
}
"""


def test_rounds_of_a_loop_and_full_precision_are_counted_by_hand() -> None:
    once, thrice = counted(PROGRAM, 4), counted(PROGRAM, 4, rounds=3)
    assert once.full_precision == thrice.full_precision == 2 * 4 * 5 * 6
    assert (once.more_flops, once.more_bytes) == (0.0, 0.0)
    # Two more rounds: the all-reduce and the sum have 20 results each, and read or write 2 and 3 arrays of 80 bytes.
    assert thrice.more_flops == 2 * (20 + 20)
    assert thrice.more_bytes == 2 * (2 + 3) * 80
    ((sent, times),) = thrice.collectives
    assert (sent.kind, sent.bytes, sent.group, times) == ("all-reduce", 80, (0, 1), 3)


def test_a_number_of_rounds_that_the_program_knows_counts() -> None:
    known = PROGRAM.replace("body=%body\n", 'body=%body, backend_config={"known_trip_count":{"n":"7"}}\n')
    ((_, times),) = counted(known, 4, rounds=3).collectives
    assert times == 7


def test_a_text_without_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="no ENTRY"):
        counted("HloModule nothing", 1)


def test_a_program_of_this_jax_is_read() -> None:
    """The loop's product is counted once by the compiler, and once more for each round after the first."""

    def step(x):
        return jax.lax.fori_loop(0, jnp.sum(x > 0), lambda _, y: jnp.matmul(y, x, precision="highest"), x)

    compiled = jax.jit(step).lower(jax.ShapeDtypeStruct((16, 16), np.float32)).compile()
    text = compiled.as_text()
    assert text is not None
    product = 2 * 16**3
    assert counted(text, 1).full_precision == product
    more = counted(text, 1, rounds=5)
    assert more.full_precision == 5 * product
    assert 4 * product <= more.more_flops <= 4 * product * 1.1
