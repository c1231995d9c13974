"""Config: one frozen value that describes a trial completely. Its defaults are the paper's protocol.

The only exception is the evaluation: the paper's linear probe on ImageNet is SGD on augmented images
(B.6), but the default is L-BFGS on the features of centre squares, which the paper uses for transfer
(B.8.1). `evaluation.probe` of kind sgd is B.6's.
"""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, model_validator

from simclr_core.augment import AnyViews, Symmetric
from simclr_core.base import Departure, Frozen, disagreement
from simclr_core.data import AnyData, Folder
from simclr_core.losses import AnyLoss, NTXent
from simclr_core.networks import AnyEncoder, AnyHead, MlpHead, ResNet
from simclr_core.optim import AnyOptimizer, AnySchedule, Lars, WarmupCosine
from simclr_core.plugins import IDENTITY, with_fresh_components
from simclr_core.probes import Evaluation
from simclr_core.seeds import Seeds, Source

TRAINER_VERSION = 1
"""Raised by hand when equal configurations give different encoders; part of every encoder's key."""

EVALUATION_VERSION = 2
"""Raised by hand when equal encoders give different evaluation results; part of every trial's key."""

_PRETRAINING = {"views", "encoder", "head", "loss", "optimizer", "schedule"}


class Config(Frozen):
    """A trial of SimCLR: data, views t and t', encoder f, head g, loss, optimiser, evaluation.

    The defaults are section 2.3's: ResNet-50, batch 4096, 100 epochs, LARS at 0.3 x B / 256.
    """

    data: AnyData = Folder(name="ImageNet (ILSVRC 2012)", size=224)
    """The images, split into train and test."""

    views: AnyViews = Symmetric()
    """How the views of an image are made; two, unless the loss accepts more."""

    shuffled_positives: bool = False
    """The negative control: pairs the first view of each image with another image's second one."""

    encoder: AnyEncoder = ResNet()
    """f, whose output h is evaluated unless `evaluation.layer` names another layer."""

    head: AnyHead = MlpHead()
    """g, whose output z is what the loss sees."""

    loss: AnyLoss = NTXent()
    """Pulls the views of one image together."""

    optimizer: AnyOptimizer = Lars()
    """Updates the weights of encoder and head."""

    schedule: AnySchedule = WarmupCosine()
    """Changes the learning rate over the steps."""

    batch_size: int = Field(default=4096, ge=2, le=1_000_000)
    """N images: 2N views, 2(N - 1) negatives for each. The last, incomplete batch of an epoch is
    dropped."""

    gradient_cache: int | None = Field(default=None, ge=2, examples=[512])
    """Images that pass through the network at a time, while the loss is that of the whole batch;
    batch norm then sees this many images instead of the batch. None: all at once, as in the paper."""

    epochs: int = Field(default=100, ge=0, le=100_000)
    """Passes over the training images; 0 is the random encoder, or raw pixels."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of encoder and head in pre-training; auto is bf16 on cuda, fp32 elsewhere. The loss is
    always computed in fp32, and the evaluation uses fp32 features."""

    evaluation: Evaluation = Evaluation()
    """The measurements on the finished encoder."""

    seed: int = Field(default=0, ge=0, lt=2**63)
    """The trial's seed; used for each of `seeds` that is not set."""

    seeds: Seeds = Seeds()
    """Separate seeds of initialisation, order and views, to vary them one by one."""

    @model_validator(mode="after")
    def _batch_and_views_fit_together(self) -> "Config":
        if self.gradient_cache is not None and self.batch_size % self.gradient_cache:
            raise disagreement(
                "gradient_cache must divide batch_size, got {cached} of {batch}",
                *("gradient_cache", "batch_size"),
                cached=self.gradient_cache,
                batch=self.batch_size,
            )
        views = self.views.num_views
        if self.shuffled_positives and self.batch_size < views:
            raise disagreement(
                "shuffled_positives needs a batch_size of at least the number of views, got {batch}"
                " for {views}",
                *("shuffled_positives", "batch_size", "views"),
                batch=self.batch_size,
                views=views,
            )
        if views > 2 and not self.loss.takes_many_views:
            raise disagreement(
                "views.num_views must be 2 because loss {loss} takes two views, got {views}",
                *("views", "loss"),
                loss=self.loss.kind,
                views=views,
            )
        return self

    @model_validator(mode="after")
    def _training_fits_its_schedule_and_images(self) -> "Config":
        self.schedule.check_epochs(self.epochs)
        self.encoder.check_size(self.data.size)
        if self.epochs and not self.encoder.trains:
            raise disagreement(
                "epochs must be 0 if the encoder is raw pixels, since there are no weights to "
                "train, got {epochs}",
                *("encoder", "epochs"),
                epochs=self.epochs,
            )
        return self

    @model_validator(mode="after")
    def _labels_are_not_evaluated_twice(self) -> "Config":
        if not (self.loss.sees_labels and self.epochs) or self.evaluation.target.transforms:
            return self
        fields = ("evaluation", "loss", "epochs")
        if self.evaluation.split == "validation":
            raise disagreement(
                "evaluation.split must be test under loss {loss}, got validation: the encoder has "
                "seen the labels that would choose the probe's l2",
                *fields,
                loss=self.loss.kind,
            )
        if self.evaluation.label_fractions:
            raise disagreement(
                "evaluation.label_fractions must be empty under loss {loss}, got {fractions}: the "
                "encoder has already seen all labels",
                *fields,
                loss=self.loss.kind,
                fractions=list(self.evaluation.label_fractions),
            )
        return self

    @model_validator(mode="after")
    def _evaluated_layer_exists(self) -> "Config":
        layers = self.head.layers if self.encoder.trains else ("h",)
        if self.evaluation.layer not in layers:
            what = f"head {self.head.kind}" if self.encoder.trains else "encoder pixels"
            raise disagreement(
                "evaluation.layer must be {layers} under {what}, got {layer}",
                *("evaluation", "head", "encoder"),
                layers=" or ".join(layers),
                what=what,
                layer=self.evaluation.layer,
            )
        return self

    def at(self, seed: int) -> "Config":
        """The same trial with another seed, unchecked and therefore cheap."""
        return self.model_copy(update={"seed": seed})

    def seed_of(self, source: Source) -> int:
        """The seed of one source of randomness: its own, else the trial's."""
        own = self.seeds.of(source)
        return self.seed if own is None else own

    def resolved(self, device: Literal["cpu", "cuda", "mps"]) -> "Config":
        """The same trial with every choice made: precision by device, each seed and hash filled in.

        Custom components in it are new, without any state from an earlier run.

        Raises:
            ConfigurationError: the file of a custom component cannot be read or used.
        """
        precision = self.precision
        if precision == "auto":
            precision = "bf16" if device == "cuda" else "fp32"
        return with_fresh_components(self).model_copy(
            update={"precision": precision, "seeds": self.seeds.filled(self.seed)}
        )

    def encoder_identity(self) -> dict[str, Any]:
        """Everything that a finished encoder depends on, except the data fingerprint and TRAINER_VERSION.

        Of a resolved configuration. The random encoder depends on no view, head, loss or batch:
        all cells that share an encoder and a seed share it. Raw pixels depend on no seed and no
        precision either. The paths of `data` and of custom components have no effect.
        """
        assert self.precision != "auto", "identity is that of a resolved configuration"
        if not self.encoder.trains:
            return {"encoder": self.encoder.model_dump(mode="json"), "epochs": 0, "seeds": {}}
        if self.epochs == 0:
            return {
                "encoder": self.encoder.model_dump(mode="json", context=IDENTITY),
                "epochs": 0,
                "precision": self.precision,
                "seeds": {"initialisation": self.seeds.initialisation},
            }
        return {
            **self.model_dump(mode="json", include=_PRETRAINING, context=IDENTITY),
            "batch_size": self.batch_size,
            "gradient_cache": self.gradient_cache,
            "epochs": self.epochs,
            "precision": self.precision,
            "seeds": self.seeds.model_dump(mode="json"),
            # Left out where it is not so: records from before there was a control keep their keys.
            **({"shuffled_positives": True} if self.shuffled_positives else {}),
        }

    def evaluation_identity(self) -> dict[str, Any]:
        """Everything that the evaluation adds to the encoder's identity, except EVALUATION_VERSION.

        Of the seeds only permutations and the batches of an SGD probe need one, the trial's own. A
        random encoder's head enters where it is evaluated: the encoder's identity has none.
        """
        evaluation = self.evaluation
        if evaluation.permuted_labels:  # the control fits the probe and measures nothing else
            unread = ("label_fractions", "knn", "geometry")
            defaults = {name: Evaluation.model_fields[name].default for name in unread}
            evaluation = evaluation.model_copy(update=defaults)
        identity = evaluation.model_dump(mode="json", context=IDENTITY)
        # Left out where they are the default: records from before there were others keep their keys.
        if evaluation.layer == "h":
            del identity["layer"]
        elif self.epochs == 0:
            identity["head"] = self.head.model_dump(mode="json", context=IDENTITY)
        if not evaluation.target.transforms:
            del identity["target"]
        drawn = evaluation.permuted_labels or (evaluation.probe and evaluation.probe.uses_seed)
        return identity | {"seed": self.seed} if drawn else identity

    def departures(self) -> Iterable[Departure]:
        """How the trial differs from the paper at every scale, as its members say."""
        supervised = self.loss.sees_labels
        yield from self.loss.departures()
        if supervised:
            yield Departure(
                "evaluation",
                f"a probe on {self.evaluation.layer}, as for all other encoders",
                "the accuracy of the trained classifier",
            )
        yield from self.optimizer.departures(supervised=supervised)
        yield from self.evaluation.departures(supervised=supervised)
        yield from self.views.departures()
        if self.precision != "fp32":
            yield Departure("precision", self.precision, "not published")
