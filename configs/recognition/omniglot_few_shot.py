"""Omniglot as the few-shot literature has it: which of 5 or 20 characters of any alphabet, of one or five drawings each?

1,200 of all 1,623 characters are learned from, upright and turned by 90, 180 and 270 degrees, and 423, likewise turned, are
evaluated by, as by Vinyals et al. 2016; which ones is decided by a hash of their names. The published lists are taken by
``--experiment.split.lists FOLDER``. Network and recipe are those of recognition/omniglot, here without batches within an
alphabet.

    likeness train recognition/omniglot_few_shot --seed 0

Error in 1,000 trials each, with its 95 % interval, seed 0, on this split:

                      trained             raw pixels
    5-way 1-shot    0.60 % [0.2, 1.3]   31.90 %
    5-way 5-shot    0.20 % [0.0, 0.7]    9.80 %
    20-way 1-shot   1.50 % [0.6, 2.5]   46.40 %
    20-way 5-shot   0.70 % [0.2, 1.5]   20.40 %

Prototypical networks err in 1.2, 0.3, 4.0 and 1.1 % on the published split, of drawings as they are (Snell et al. 2017).

The official zips are read from ``$LIKENESS_DATA/omniglot``.
"""

import dataclasses

from likeness.configs.recognition import omniglot
from likeness.experiments.recognition import Recognition
from likeness.experiments.recognition.protocols import OneShot
from likeness.experiments.run import Run
from likeness.research.data import Duplicates, IdentityBatches, Omniglot, OmniglotSplit


def get_config() -> Run:
    base = omniglot.get_config()
    assert isinstance(base.experiment, Recognition)
    trials = [(ways, shots) for ways in (5, 20) for shots in (1, 5)]
    experiment = dataclasses.replace(
        base.experiment,
        # Four drawings are equal to ones of another alphabet, and are kept as in all published results.
        data=Omniglot(subset="all", size=36, frame="dark", rotations=True, duplicates=Duplicates(within="keep", across="keep")),
        split=OmniglotSplit(validation=20, test=423),
        batches=IdentityBatches(people=20, images=6),
        test=tuple(OneShot(ways=ways, shots=shots, trials=1000, name=f"{ways}-way,{shots}-shot") for ways, shots in trials),
    )
    return dataclasses.replace(base, experiment=experiment)
