"""What the mutation tool changes, and the tests that it asks, are there."""

import pytest

from likeness.experiments.benchmarks import mutations
from likeness.experiments.benchmarks.mutations import ALSO, PLACES, ROOT


def test_places_and_tests_exist() -> None:
    assert not [place for place in (*PLACES, *ALSO, *ALSO.values()) if not (ROOT / place).exists()]


@pytest.mark.slow
def test_every_file_has_tests() -> None:
    files = [file for place in map(ROOT.joinpath, PLACES) for file in ([place] if place.is_file() else place.glob("*.py"))]
    mirrored = [str(file.relative_to(ROOT)) for file in files if file.stem != "__init__"]
    asked = {path: [test for test in mutations.tests_of(path) if "::" not in test] for path in mirrored}
    assert not [path for path, tests in asked.items() if not tests or not all((ROOT / test).is_file() for test in tests)]
