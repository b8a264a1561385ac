"""The page of published weights has what the code knows of each set."""

from pathlib import Path

from likeness.research.weights.releases import RELEASES

PAGE = Path(__file__).parents[2] / "docs/guides/weights.md"


def test_the_table_has_a_row_for_each_set_in_their_order() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    told = [(f"`{one.name}`", one.licence, one.citation.split(". ")[0], one.trained_on, one.use) for one in RELEASES]
    assert [tuple(cell.strip() for cell in row.strip("|").split(" | ")) for row in rows] == told
