"""The first YOLO's loss, against a loop in float64 over cells and predictors."""

import numpy as np
import pytest
from detection_truth import check_against, noise, truth

from likeness.research.geometry import AnchorGrid, MidpointCell, iou
from likeness.research.losses import YoloV1Loss

LOSS = YoloV1Loss(stride=12, classes=3, predictors=2)


def oracle(outputs: np.ndarray, given: dict[str, np.ndarray], held: np.ndarray | None = None) -> float:
    """``held`` are the outputs from which the constants, who is responsible and the IoU, are taken."""
    held = outputs if held is None else held
    total = 0.0
    for image in range(len(outputs)):
        cells = MidpointCell(levels=(AnchorGrid(shapes=((12.0, 12.0),), stride=12),))
        place = cells([(4, 4)], given["boxes"][image], given["mask"][image])
        for i in range(16):
            row, column = divmod(i, 4)
            own, constant = (each[image, row, column] for each in (outputs, held))
            boxes = own[:10].reshape(2, 5)
            if not place.foreground[i]:
                total += LOSS.background_weight * (boxes[:, 0] ** 2).sum()
                continue
            box = given["boxes"][image, place.truth[i]].astype(np.float64)
            overlaps = []
            for _, x, y, w, h in constant[:10].reshape(2, 5):
                cx, cy, width, height = (column + x) * 12, (row + y) * 12, w**2 * 48, h**2 * 48
                overlaps.append(float(iou([cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2], box)))
            best = int(np.argmax(overlaps))
            middle, size = (box[:2] + box[2:]) / 24 - [column, row], np.sqrt((box[2:] - box[:2]) / 48)
            total += LOSS.coordinate_weight * ((boxes[best, 1:] - [*middle, *size]) ** 2).sum()
            total += (boxes[best, 0] - overlaps[best]) ** 2
            total += LOSS.background_weight * boxes[1 - best, 0] ** 2
            total += ((own[10:] - np.eye(3)[given["classes"][image, place.truth[i]]]) ** 2).sum()
    return total / len(outputs)


@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient_equal_a_loop(seed):
    given = truth(seed)
    outputs = np.abs(noise(3, 4, 4, 13, seed=seed, scale=0.6))
    held = outputs.astype(np.float64)
    check_against(lambda y: LOSS(y, **given), lambda y: oracle(y, given, held), outputs)


def test_boxes_are_decoded_place_by_place():
    outputs = np.zeros((1, 4, 4, 13), np.float32)
    outputs[0, 1, 2, 5:10] = [1, 0.5, 0.25, 0.5, 0.25]
    found = np.asarray(LOSS.boxes(outputs)).reshape(4, 4, 2, 4)
    np.testing.assert_allclose(found[1, 2, 1], [30 - 6, 15 - 1.5, 30 + 6, 15 + 1.5], atol=1e-5)


def test_wrong_fields_are_refused():
    for name in ("stride", "classes", "predictors"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            YoloV1Loss(**({"stride": 12, "classes": 3} | {name: 0}))
    with pytest.raises(ValueError, match=r"YoloV1Loss: outputs must be numbers of shape \(b, rows, columns, 13\)"):
        LOSS(noise(3, 4, 4, 14), **truth(0))
