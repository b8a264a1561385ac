"""The 48 files of one fast style-transfer network, Hokusai's Great Wave."""

import json
import math

from likeness.research.weights.release import File

_COMMIT = "9eac573e6ca39e05c860fb8ef2453eda9d8c2acd"
# The repository keeps them by Git LFS, whose pointers state the same checksums.
_FOLDER = f"https://media.githubusercontent.com/media/reiinakano/fast-style-transfer-deeplearnjs/{_COMMIT}/src/ckpts/wave"
_MANIFEST = "e03432142aa5e7f85776094d69bf5b90b11ba4498026d5ba2c73fefefbe35bf9"

# Layer i has its weight, shift and scale at 3i, 3i + 1, 3i + 2.
_VARIABLES: tuple[tuple[tuple[int, ...], str], ...] = (
    ((9, 9, 3, 32), "64fc05d3b3ce0ece5b0d06fb9fbd9f8dc3acc7eaff1b9fa04deb1a043fab1897"),
    ((32,), "744fe8a5b724b8d7313c02ae8c3603463d5422d629725d04cbc46234d87cd99d"),
    ((32,), "b44316d770249f2d099b907297fcce38ba743e31e0b3730a006277598e076853"),
    ((3, 3, 32, 64), "a1d97565734bb55b7b45166ae52792388d1a53d278a8ec7c75d88116f5ac6a41"),
    ((64,), "e1870d42801350d4fbc4d89a45d611081d913bb898c20b9da644bb32d805bf4f"),
    ((64,), "7848a938d049cfc5fc921321cd0e2953c4d379172d412225f4d7fcae35eb59c6"),
    ((3, 3, 64, 128), "17c6f47803044a49b24effd86628b587b835996a32f2d2fc8321d1c2007a0222"),
    ((128,), "2b326e015958e5dfaf54b71d4d78ce5813c05c75a5f1ada50e5c87038b895082"),
    ((128,), "52c0fc90f7d4d8912792d459dcd817d3fb35a03c8676552b9cfd1973ce4dc6c7"),
    ((3, 3, 128, 128), "00cd6da8f8f358664b3aa464a588b7c0ef56c8e623c4b2a65821b17aa7743108"),
    ((128,), "e8dc279bfd1f13b2342a7959da0bc18b773eaad22850d2f666c0c6cd2acd0128"),
    ((128,), "436c67d7587de1d32f7d0d017fe69cd80b388086cb47cb9b1d38ddca2e61430a"),
    ((3, 3, 128, 128), "74e27dcb7c749350852bba20753ef46e696dca357a5997bd1f963c8f6e949e3e"),
    ((128,), "9c55799b0be62b1a5212251e8a3b88861c6071ab531d6d349ecefe815aa0e5cb"),
    ((128,), "c2a5d1e791c9519229ef69f572d435d8a262c799db804720cbab7a746e635c93"),
    ((3, 3, 128, 128), "f46a6eeba45d36cc76def5b443e88bf41eb270e53c5bed484cf2b3a59dc23e82"),
    ((128,), "29cda68e8c0d2aef28312f29d6ba7e5913f5815d6c4bbd9242d789914e37f4f1"),
    ((128,), "1343b95e5ffc6044512ecd498e0878c9b19509567f9f84d7998e66adbadcb1cb"),
    ((3, 3, 128, 128), "faad071a30aebe3ab16925796259abcbbf88060641b29c9787548ffb80739748"),
    ((128,), "de8703de2f7dc88a42275a4c090af763afa14af34454cfa0849a620a2012d760"),
    ((128,), "d7f307ec9d55934df79126a77e339a8e709195d6b2fa50a66455686d2f9f6f7a"),
    ((3, 3, 128, 128), "8131ba691ed33941416823ad6fc5a9b47efb4247d96f7a59b4f5a78730e0c90f"),
    ((128,), "e3858cea5780917fecfba65af2b4b08abf5707044217bbbfa558d7769fcb869a"),
    ((128,), "e150febe1b00deee97bda8508acfd4a5c03474003be99cf579c04ff4df7d7f1a"),
    ((3, 3, 128, 128), "f57c612a8d97be4f1db6a8294d6bbf7a71775bbf84ef5a012735e4d1f560e552"),
    ((128,), "daf1f1007af27f79d78530fddb9d562b002a1d53563869608b40bac4132c3f1f"),
    ((128,), "520f41b0bda994418827e5b3c5af2dc7a4f2c2407d1a4bb6c2f09add011b234a"),
    ((3, 3, 128, 128), "30743014291dc5e2a1dc734f9a552d2c9a8c33261fa66abbba81ed25acfe6a83"),
    ((128,), "939b8c64755b83fd0164ba3390715ead9e98fa09567905c6cb96168df910d110"),
    ((128,), "b12081be724291a36d581e3d1c57bec74d32d0802bc5399af2ce53e8be0e1a30"),
    ((3, 3, 128, 128), "302c791b69ab232f040fe2e61253f34e96d1a877aaba0aef3ff59e8c01cb1dee"),
    ((128,), "7a155aeeb51bd7390772b2adc2c2e60595f76bb4474f6712588cca6709e76c8e"),
    ((128,), "4545c4890903defb13083203dd11e8d9304d0ef7e158192948fee9927d0d5a56"),
    ((3, 3, 128, 128), "3932d6cfc4b11a4457324cce02226497af8b05e46a4c07c24aaf67c4aa79c6e5"),
    ((128,), "e5561b2fd724a713a9daa4581811f63d3d6d6e1a3d4aece0237556a4af1bbd27"),
    ((128,), "eebd41ea98b4ee0efa628bb83e0823c9b67a2e9b013ee59586bf73dffe9e5240"),
    ((3, 3, 128, 128), "f490633be19a8ef591273d559cddeea6d324c9ea97bee5a0aa3f2c430823423c"),
    ((128,), "977d77f3f29008a46a054870db3a78fe3ab2965f7f75fda56882e5f1e85d5a87"),
    ((128,), "5ec0e726a689eab8da8ff080eaa69d18b737486426eb27dfed95855c054a723d"),
    ((3, 3, 64, 128), "83bdd48ab369389506ba866d259556415662e4a6149172477173d53db3615f27"),
    ((64,), "a050f54b24ff4ee82ecc34894990ebb7d4fdb647aa5f901dbbcecdd46e7ee1ae"),
    ((64,), "1a718980112b73496d6b2ec682dae257edb13f171bd9e9801b018348f91e9dde"),
    ((3, 3, 32, 64), "febb801141b6f355e0ad20341f3327ffd1443e2ad3647dca2bdd1ad13d7ede28"),
    ((32,), "acccb691534af9f2ba37bd1b0aeefdcf2e06e01fb756aafeb584903c1637b197"),
    ((32,), "71cbe5e1715e67d24c58ce1660768ffca7470c003f4aca564f381d723afa46f7"),
    ((9, 9, 32, 3), "bff0ee22253e87895b408e7d0c6b4430b82a1330a93e4e8ac7302d9cde4197af"),
    ((3,), "4e30c0b5ecf6f42fbfdcdf05be12afbd3d2769d34ed2664c0eced23d51bf2659"),
    ((3,), "e3c80bd6946bec6c906a969baaadacab3c9a2155d64c2ba52fd0ddc9b99d76b3"),
)


def johnson_wave() -> tuple[File, ...]:
    """The files: 48 of raw float32, and a manifest of their shapes, which is generated."""
    names = ["Variable", *(f"Variable_{index}" for index in range(1, len(_VARIABLES)))]
    manifest = {name: {"filename": name, "shape": list(shape)} for name, (shape, _) in zip(names, _VARIABLES, strict=True)}
    # Its published part is written with a space before the end of the line.
    text = json.dumps(manifest, indent=2, sort_keys=True, separators=(", ", ": "))
    files = [
        File(
            name=name,
            size=4 * math.prod(shape),
            sha256=sha256,
            urls=(f"{_FOLDER}/{name}",),
            local=f"johnson_wave/{name}",
        )
        for name, (shape, sha256) in zip(names, _VARIABLES, strict=True)
    ]
    return (*files, File(name="manifest.json", size=len(text), sha256=_MANIFEST, local="johnson_wave/manifest.json", text=text))
