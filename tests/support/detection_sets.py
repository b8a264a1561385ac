"""Random COCO files with everything in them that an evaluator can stumble over."""

import numpy as np


def random_coco(seed: int, images: int = 12, most: int = 14, ids_from: int = 1, ignore: bool = False):
    """Annotations and detections as ``json.load`` would give them.

    Boxes lie on a grid, so that many overlap equally and some are equal; scores are tenths, so that many tie. Some boxes have
    no area, some exactly 32², some areas are not those of boxes. Numbers of images, categories and annotations have holes
    and begin with 0, or where ``ids_from`` says.
    """
    rng = np.random.default_rng(seed)
    image_ids = rng.permutation(
        np.concatenate([[0], rng.choice(np.arange(1, 10 * images), images - 1, replace=False)])
    ).tolist()
    categories = rng.permutation([0, 2, 3, 7, 90]).tolist()
    grid = rng.choice([4, 8, 16])

    def box():
        if rng.random() < 0.05:
            return [float(rng.integers(0, 100)), 5.0, float(rng.choice([0, 20])), 0.0]
        if rng.random() < 0.1:
            return [*(float(each) for each in rng.integers(0, 9, 2) * grid), 32.0, 32.0]
        corner, sides = rng.integers(0, 9, 2) * grid, rng.integers(1, 14, 2) * grid
        return [float(each) for each in (*corner, *sides)]

    annotations, detections = [], []
    number = ids_from
    # The last category has no truth anywhere; of the last but one there are crowds only.
    for image in image_ids:
        kind = rng.random()
        for _ in range(0 if kind < 0.15 else rng.integers(1, most)):
            b, category = box(), int(rng.choice(categories[:-1]))
            annotations.append(
                {
                    "id": number,
                    "image_id": image,
                    "category_id": category,
                    "bbox": b,
                    "area": b[2] * b[3] if rng.random() < 0.6 else float(rng.choice([1024.0, 9216.0, 500.5, 4000.25, 2e4])),
                    "iscrowd": int(category == categories[-2] or rng.random() < 0.12),
                }
            )
            if ignore:
                annotations[-1]["ignore"] = int(rng.random() < 0.3)
            number += int(rng.integers(1, 4))
        for _ in range(0 if 0.1 < kind < 0.3 else rng.integers(1, 3 * most)):
            near = [each for each in annotations if each["image_id"] == image]
            b, category = box(), int(rng.choice([*categories, 55]))
            if near and rng.random() < 0.75:
                one = near[rng.integers(len(near))]
                shift = rng.choice([0, 0, 1, -1, 2], 4) * float(rng.choice([0.0, 1.0, grid / 4, 1.37]))
                b = [float(max(0.0, a + s)) for a, s in zip(one["bbox"], shift, strict=True)]
                category = one["category_id"] if rng.random() < 0.85 else category
            score = float(rng.integers(0, 11)) / 10 if rng.random() < 0.7 else float(rng.random())
            detections.append({"image_id": image, "category_id": category, "bbox": b, "score": score})
    detections = [detections[i] for i in rng.permutation(len(detections))]
    return {
        "images": [{"id": each} for each in image_ids],
        "categories": [{"id": each, "name": f"class {each}"} for each in categories],
        "annotations": [annotations[i] for i in rng.permutation(len(annotations))],
    }, detections
