"""What experiments ask of an encoder that is learned: when a config is built, and of what it returns."""

import inspect
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from likeness.research.errors import UserError
from likeness.research.types import PyTree


def check_encoder(owner: str, encoder: object) -> None:
    """Raises ValueError unless a field ``encoder`` holds a flax module that is called on images and on ``train``."""
    if isinstance(encoder, type):
        raise ValueError(
            f"{owner}.encoder is the class {encoder.__name__}: give one of its values, such as {encoder.__name__}()."
        )
    name = type(encoder).__name__
    if not isinstance(encoder, nn.Module):
        raise ValueError(
            f"{owner}.encoder is {encoder!r}, and {name} is no flax.linen.Module: give one that turns images into named "
            "activations, such as Conv4()."
        )
    if not callable(encoder):
        raise ValueError(f"{owner}.encoder: {name} has no `__call__`: write (images, train=False) -> activations by name.")
    taken = inspect.signature(type(encoder).__call__).parameters.values()
    if not any(parameter.name == "train" or parameter.kind is parameter.VAR_KEYWORD for parameter in taken):
        raise ValueError(
            f"{owner}.encoder: {name}'s `__call__` takes no `train`, which says whether it is trained or evaluated: write "
            "(images, train=False)."
        )


def wrapped(encoder: nn.Module) -> tuple[nn.Module, tuple[str, ...]]:
    """The encoder within those that hold another as their field ``encoder``, and the path of its parameters in theirs."""
    path: tuple[str, ...] = ()
    while isinstance(held := getattr(encoder, "encoder", None), nn.Module):
        encoder, path = held, (*path, "encoder")
    return encoder, path


def unnormalized(encoder: nn.Module) -> nn.Module:
    """The same encoder without the scaling of its embedding to unit length, which a field ``normalize`` asks for."""
    changes: dict[str, Any] = {"normalize": False} if getattr(encoder, "normalize", False) is True else {}
    if isinstance(held := getattr(encoder, "encoder", None), nn.Module):
        changes["encoder"] = unnormalized(held)
    return encoder.clone(**changes) if changes else encoder


def inner(variables: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The variables of the encoder at a path of :func:`wrapped`."""
    found = dict(variables)
    for name in path:
        found = {kind: tree[name] for kind, tree in found.items() if name in tree}
    return found


def started(variables: dict[str, Any], start: PyTree, path: tuple[str, ...]) -> dict[str, Any]:
    """Variables with those that the encoder at a path starts from in their place; none are an empty mapping."""

    def replaced(tree: Any, given: PyTree, path: tuple[str, ...]) -> Any:
        return {**tree, path[0]: replaced(tree[path[0]], given, path[1:])} if path else given

    return {kind: replaced(tree, start[kind], path) if kind in start else tree for kind, tree in variables.items()}


def embedding_of(encoder: nn.Module, activations: Any) -> Any:
    """The activation ``embedding``, (b, d).

    Raises:
        UserError: the encoder returns something else than a dictionary that holds it.
    """
    name = type(encoder).__name__
    if not isinstance(activations, Mapping):
        found = "an array" if hasattr(activations, "shape") else f"a {type(activations).__name__}"
        raise UserError(
            f"The encoder {name} returns {found}, and is asked for named activations: let it return a dictionary such as "
            '{"embedding": x}, with whatever else is worth looking at.'
        )
    if "embedding" not in activations:
        raise UserError(
            f"The encoder {name} returns no activation called 'embedding', only {', '.join(map(str, activations)) or 'none'}: "
            "call that one so by which images are compared."
        )
    embedding = activations["embedding"]
    if len(embedding.shape) != 2:
        raise UserError(
            f"The encoder {name} returns an 'embedding' of shape {tuple(embedding.shape)}, and one vector an image, (b, d), is "
            "expected: pool the places or flatten them."
        )
    return embedding
