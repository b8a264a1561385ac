"""What is asked of a gallery between its commands: enroll, identify, history, export."""

import json

import pytest
from small_world import Likeness, World

from likeness.research.gallery import STORES

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("store", STORES)
def test_what_is_kept_of_each_number_changes_no_answer(world: World, likeness: Likeness, tmp_path, store: str) -> None:
    where = ("--model", world.workdir, "--gallery", tmp_path / "g.sqlite")
    assert likeness("enroll", "folder", world.strangers, *where).code == 0
    images = [world.strangers / name / "1.png" for name in ("ada", "bob", "cyd")]
    said = likeness("identify", *images, *where, "--store", store)
    assert said.code == 0, said.err
    assert said.out == likeness("identify", *images, *where).out
    kept = likeness("identify", *images, *where, "--store", store, "--json")
    assert [each["name"] for each in json.loads(kept.out)] == ["ada", "bob", "cyd"]
