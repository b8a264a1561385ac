"""Equal energy in every layer of a network with random filters."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util

from likeness.research.encoders.layers import Images
from likeness.research.geometry.receptive_field import NetworkGeometry
from likeness.research.types import PyTree

__all__ = ["normalize_energy"]


@functools.partial(jax.jit, static_argnums=0)
def normalize_energy(encoder: nn.Module, variables: PyTree, images: Images) -> PyTree:
    """Scales each convolution so that the mean square of what its ReLU passes on is 1 on the given images.

    With e_l² the mean over batch, positions and channels of relu(x_l)², x_l the output of convolution l, the filters
    become ``W e_in / e_l`` and the bias ``b / e_l``, where e_in belongs to the layers that l reads. ReLU, the poolings
    and the paddings commute with a positive factor, so each layer's new activations are exactly the old ones divided by
    its own e_l: the network computes the same, at another scale. One pass gives all e_l.

    A random network needs it: otherwise the deeper layers' losses are larger or smaller than the first ones' by orders
    of magnitude. Applied to the trained VGG-19 it is what Gatys et al. did, there with the mean of each filter. A layer
    that is silent on the images keeps its scale; ``conv0``, which belongs to the preprocessing, is left alone.

    Args:
        encoder: a network of convolutions, ReLU, poolings and concatenations, whose ``geometry`` says how they lie.
        variables: its variables.
        images: (b, h, w, 3), RGB in [0, 1], such as the content and the style, or noise.

    Returns:
        Variables of the same form.

    Raises:
        ValueError: it has no ``geometry``.

    Papers: Gatys et al., Image style transfer using convolutional neural networks, CVPR 2016; Mishkin and Matas, All
    you need is a good init, ICLR 2016, where layers are rescaled one after the other.
    """
    if not isinstance(encoder, NetworkGeometry):
        raise ValueError(f"normalize_energy: {type(encoder).__name__} does not say how its layers lie (it has no `geometry`).")
    activations: PyTree = encoder.apply(variables, images)
    parameters: dict[str, PyTree] = traverse_util.flatten_dict(variables["params"], sep="/")
    scales = {"input": jnp.ones(images.shape[-1])}
    for layer in encoder.geometry:
        incoming = jnp.concatenate([scales[name] for name in layer.inputs])
        if f"{layer.name}/kernel" not in parameters:
            scales[layer.name] = incoming
            continue
        energy = jnp.mean(nn.relu(activations[layer.name].astype(jnp.float32)) ** 2)
        scale = jnp.where(energy > 0, jnp.sqrt(jnp.where(energy > 0, energy, 1.0)), 1.0)
        scales[layer.name] = jnp.full(activations[layer.name].shape[-1], scale)
        parameters[f"{layer.name}/kernel"] *= incoming[:, None] / scale
        parameters[f"{layer.name}/bias"] /= scale
    return {**variables, "params": traverse_util.unflatten_dict(parameters, sep="/")}
