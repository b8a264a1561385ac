"""Run in a process of its own: every recognition loss and mining rule on one device and on a mesh of eight.

Prints one JSON object: for each case the values and the largest differences between the two.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np

from likeness.research import losses


def cases() -> dict[str, object]:
    """The losses by name."""
    rules = [
        losses.RandomTriplets(),
        losses.BatchAll(),
        losses.BatchHard(),
        losses.FaceNetSemiHard(choice="random"),
        losses.FaceNetSemiHard(choice="hardest"),
        losses.AddonsSemiHard(),
        losses.BandSemiHard(),
        losses.AnchorSemiHard(),
        losses.MarginViolating(),
    ]
    found = [losses.Triplet(reduction="mean", rule=rule) for rule in rules]
    found += [
        losses.Triplet(penalty="softplus", distance=losses.Euclidean(), reduction="mean_active"),
        losses.Siamese(feature="absolute"),
        losses.Siamese(feature="chi_square"),
        losses.Siamese(pairs="consecutive"),
        losses.Contrastive(),
        losses.Contrastive(pairs="consecutive"),
        losses.Prototypical(temperature=0.3),
        losses.Triplet(reduction="mean", rule=losses.EasyPositive(), miner=losses.MultiSimilarityMiner()),
        losses.SupCon(temperature=0.5),
        losses.NTXent(temperature=0.5),
        losses.MultiSimilarity(miner=losses.MultiSimilarityMiner()),
        losses.Circle(gamma=2.0),
        losses.MarginLoss(miner=losses.TripletPairs(rule=losses.DistanceWeighted(dimension=16, distance=losses.Euclidean()))),
        losses.CrossBatchMemory(loss=losses.SupCon(temperature=0.5), size=64),
        losses.ProxyAnchor(classes=8, alpha=2.0),
        losses.SubcenterArcFace(classes=8, scale=2.0),
        losses.AdaFace(classes=8, scale=2.0),
        losses.CurricularFace(classes=8, scale=2.0),
        losses.ElasticFace(classes=8, scale=2.0, assigned="by_distance"),
    ]
    return {str(loss): loss for loss in found}


def main() -> None:
    """Compare and print."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    over_batch = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    x = np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.random.default_rng(1).integers(0, 8, 32).astype(np.int32)
    report = {"devices": jax.device_count()}
    for name, loss in cases().items():

        def run(params, x, labels, key, loss=loss):
            compute = jax.value_and_grad(loss.value_and_diagnostics, argnums=(0, 1), has_aux=True)
            (value, diagnostics), gradients = compute(params, x, labels, key)
            return {"value": value, "diagnostics": diagnostics, "gradients": gradients}

        arguments = (loss.init(jax.random.key(0), 16), jnp.asarray(x), jnp.asarray(labels), jax.random.key(7))
        shardings = (everywhere, over_batch, over_batch, everywhere)
        one = jax.jit(run)(*arguments)
        eight = jax.jit(run, in_shardings=shardings)(*jax.device_put(arguments, shardings))
        differences = jax.tree.map(lambda a, b: float(np.max(np.abs(np.asarray(a) - np.asarray(b)))), one, eight)
        report[name] = {
            "value": float(one["value"]),
            "gradient": float(np.max(np.abs(np.asarray(one["gradients"][1])))),
            "value_difference": differences["value"],
            "gradient_difference": max(jax.tree.leaves(differences["gradients"])),
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
