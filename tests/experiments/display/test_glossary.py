"""What stands under a table names what stands in it."""

from likeness.experiments.display.glossary import legend


def test_words_stand_below_one_another_whatever_is_told():
    lines = legend(["content/ssim", "style/color_distance", "content/color_distance", "held_out/style/relative"])
    names = [line.split("  ")[0] for line in lines]
    assert {"ssim", "style/color_distance", "content/color_distance"} <= set(names)
    width = max(map(len, names))
    assert all(line[width : width + 2] == "  " and line[width + 2] != " " for line in lines)
    assert legend(["nobody/has/said"]) == []
