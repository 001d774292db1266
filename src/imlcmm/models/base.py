"""The contract that every model keeps."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from torch import Tensor, nn

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import ModelError
from imlcmm.files import write_json
from imlcmm.models.objectives import Regression, mean_error
from imlcmm.models.options import check_options
from imlcmm.models.search import Choice, Range
from imlcmm.modules.dry_run import check_shapes, dry_run, stored_shapes
from imlcmm.modules.inputs import Inputs
from imlcmm.types import Batch, DataSpec, Pass, Prediction
from imlcmm.untrusted import inside

CLASS_FILE, CONFIG_FILE, WEIGHTS_FILE = "model.json", "config.json", "model.safetensors"


class SentimentModel(nn.Module, PyTorchModelHubMixin, coders={DataSpec: (asdict, lambda values: DataSpec(**values))}):
    """A model of sentiment: built from a data set's spec and hyper-parameters, it turns a batch into a prediction.

    The constructor is the configuration: `save_pretrained` writes its arguments beside the weights, and
    `from_pretrained` builds the same model again, without pickle.
    """

    paper: ClassVar[str]
    """The paper that the model comes from, as one cites it."""

    learns_unimodal_labels: ClassVar[bool] = False
    """Whether single modalities have tasks, which take the multimodal label where there is no other."""

    needs: ClassVar[tuple[str, ...]] = ()
    """The modalities without which it would say the same of every clip; the others may be absent from a data set."""

    averages: ClassVar[tuple[str, ...]] = ()
    """The modalities of which it reads nothing but the mean over time, so that training need not load their frames."""

    learns_unlabelled_clips: ClassVar[bool] = False
    """Whether clips without labels teach the model anything."""

    search_space: ClassVar[Mapping[str, Range | Choice]] = {}
    """What `imlcmm tune` tries for the constructor's arguments; what is tried of `Optimization` is the same for all."""

    passes: tuple[Pass, ...] = (Pass("train"),)
    """The passes over the training clips that make an epoch, in order."""

    training_state: ClassVar[tuple[str, ...]] = ()
    """Names of the buffers, besides those of a checkpoint, that an interrupted training needs to go on."""

    several_devices: ClassVar[bool] = True
    """Whether each of several devices can train on its share of the clips."""

    spec: DataSpec
    inputs: Inputs

    def __init__(
        self,
        spec: DataSpec,
        *,
        text_encoder: str | dict[str, Any] | None = None,
        fine_tune_text: bool = False,
        text_encoder_lr: float = 1e-5,
    ) -> None:
        """Build what reads the batches.

        Args:
            spec: Shape of the data set.
            text_encoder: Hugging Face BERT (id or folder) that reads the tokens in place of cached text features.
            fine_tune_text: Whether training changes the text encoder.
            text_encoder_lr: Learning rate of a fine-tuned text encoder.

        Raises:
            ModelError: If the data set lacks what the model needs.
        """
        super().__init__()
        lacking = [m for m in self.needs if m in spec.absent]
        if lacking:
            raise ModelError(
                f"{type(self).__name__} needs {lacking[0]}, which the data set lacks; choose another model"
            )
        self.spec = spec
        self.inputs = Inputs(spec, text_encoder, fine_tune_text=fine_tune_text)
        self.text_encoder_lr = text_encoder_lr
        if self.inputs.text_encoder is not None:
            # The checkpoint carries the weights, so it must not ask for the source again.
            self.replace_in_config("text_encoder", self.inputs.text_encoder.configuration())

    def _save_pretrained(self, save_directory: Path) -> None:
        """Say the class beside the weights, so that the folder tells its model."""
        # On a GPU the weights of an LSTM are parts of one block, which safetensors refuses.
        on_gpu = any(p.is_cuda for p in self.parameters())
        super(SentimentModel, deepcopy(self).cpu() if on_gpu else self)._save_pretrained(save_directory)
        write_json(save_directory / CLASS_FILE, {"class": import_path(type(self))})

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        map_location: str = "cpu",
        strict: bool = True,
        **options: Any,
    ) -> "SentimentModel":
        """Build the model that a checkpoint describes, once the description has been held against the weights.

        Raises:
            ModelError: If the options are not the constructor's, or the weights are not the model's.
        """
        try:
            check_options(cls, options)
            if Path(model_id).is_dir():
                file = inside(Path(model_id), WEIGHTS_FILE)
            else:
                file = Path(hf_hub_download(
                    model_id, WEIGHTS_FILE, revision=revision, cache_dir=cache_dir, force_download=force_download,
                    local_files_only=local_files_only, token=token,
                ))  # fmt: skip
            stored = stored_shapes(file)
            check_shapes(dry_run(lambda: cls(**options), stored), stored)
        except (OSError, ValueError) as error:
            raise ModelError(f"the checkpoint {model_id} {error}; copy it again, or train again") from error
        return cls._load_as_safetensor(cls(**options), str(file), map_location, strict)

    def forward(self, batch: Batch) -> Prediction:
        """Predict the sentiment of each clip of a batch."""
        raise NotImplementedError

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Compute the named terms whose sum is minimised; scalars, averaged over the clips that have a label."""
        objective = Regression(self.spec)
        raw, target = objective.target(prediction.sentiment), objective.target(batch.label)
        return {"multimodal": mean_error(objective, raw, target)}

    def prepare(self, train: ClipDataset) -> None:
        """Take from the train split what the model must know before its first step, such as feature statistics."""
        self.inputs.set_statistics(train.statistics())

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Split the parameters into named groups; options such as `lr` in a group replace the run's own."""
        return self.group()

    def group(self, **options: Mapping[str, float]) -> list[dict[str, Any]]:
        """Group the parameters by the attribute of the model that they belong to, and a text encoder's by themselves.

        Args:
            options: For an attribute's name, the options of its parameters; those of all others are the "rest".
        """
        encoder, rate = list(self.inputs.parameters()), {"lr": self.text_encoder_lr}
        groups: list[dict[str, Any]] = [
            # As BERT is trained: biases and normalisations do not decay.
            {"name": "text_encoder", "params": [p for p in encoder if p.ndim > 1], **rate},
            {"name": "text_encoder_vectors", "params": [p for p in encoder if p.ndim < 2], **rate, "weight_decay": 0.0},
        ]
        for name, values in options.items():
            groups.append({"name": name, "params": list(self.get_submodule(name).parameters()), **values})
        inside = {id(p) for group in groups for p in group["params"]}
        groups.append({"name": "rest", "params": [p for p in self.parameters() if id(p) not in inside]})
        return [group for group in groups if group["params"]]

    def on_epoch_start(self, epoch: int) -> None:
        """Do what the model's schedule asks for before an epoch (counted from 0)."""

    def begin_pass(self, name: str) -> None:
        """Do what changes from one pass of an epoch to the next."""

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Measure on a batch what a run should log besides its losses, such as the share of inputs off a grid."""
        return {}

    def replace_in_config(self, argument: str, value: Any) -> None:
        """Write another value of a constructor argument into the checkpoint than the one the model was built with."""
        self._hub_mixin_config = {**(self._hub_mixin_config or {}), argument: value}  # type: ignore[dict-item]

    def check_fits(self, spec: DataSpec) -> None:
        """Refuse data whose features differ from those the model was built for; what the data lacks is no matter.

        Raises:
            ModelError: Naming the modality, both widths and both feature sets.
        """
        for m in spec.present:
            if m in self.spec.absent:
                raise ModelError(f"the model was trained without {m}, which the data has; train on this data")
            if not self.spec.reads_alike(spec, m):
                raise ModelError(
                    f"the model was trained on {m} features '{self.spec.features[m]}' of width {self.spec.widths[m]}, "
                    f"but the data has '{spec.features[m]}' of width {spec.widths[m]}; extract the same features or "
                    "train on this data"
                )
        if (self.spec.low, self.spec.high) != (spec.low, spec.high):
            raise ModelError(
                f"the model predicts from {self.spec.low:g} to {self.spec.high:g}, but the data's labels go from "
                f"{spec.low:g} to {spec.high:g}; evaluate it on data of its own kind ('{self.spec.kind}')"
            )


def import_path(model: type[SentimentModel]) -> str:
    """Give the path by which a model's class is imported, and named in checkpoints."""
    return f"{model.__module__}.{model.__qualname__}"
