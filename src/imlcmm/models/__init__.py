"""Stage 3 of 8: the models, one file each. What is named here is the registry."""

from importlib import import_module

from imlcmm.errors import ModelError
from imlcmm.models.almt import ALMT
from imlcmm.models.av_mc import AV_MC
from imlcmm.models.base import SentimentModel, import_path
from imlcmm.models.bert_mag import BERT_MAG
from imlcmm.models.graph_mfn import Graph_MFN
from imlcmm.models.iml_cmm import IMLCMM
from imlcmm.models.lf_dnn import LF_DNN
from imlcmm.models.lmf import LMF
from imlcmm.models.mfn import MFN
from imlcmm.models.misa import MISA
from imlcmm.models.mlf_dnn import MLF_DNN
from imlcmm.models.mlmf import MLMF
from imlcmm.models.mmim import MMIM
from imlcmm.models.mtfn import MTFN
from imlcmm.models.mult import MulT
from imlcmm.models.self_mm import Self_MM
from imlcmm.models.tfn import TFN
from imlcmm.untrusted import shown

# In the order of the paper's table 2.
__all__ = [  # noqa: RUF022
    "LF_DNN",
    "TFN",
    "LMF",
    "MFN",
    "Graph_MFN",
    "MulT",
    "BERT_MAG",
    "MISA",
    "MMIM",
    "Self_MM",
    "ALMT",
    "MLF_DNN",
    "MTFN",
    "MLMF",
    "AV_MC",
    "IMLCMM",
    "SentimentModel",
    "admissible_paths",
    "admit_model",
    "admit_models",
    "find_model",
    "import_path",
    "list_models",
    "named_model",
]

_ADMITTED: dict[str, type[SentimentModel]] = {}


def list_models() -> dict[str, type[SentimentModel]]:
    """Give every registered model by its name."""
    named = {name: globals()[name] for name in __all__}
    return {
        name: model
        for name, model in named.items()
        if isinstance(model, type) and issubclass(model, SentimentModel) and model is not SentimentModel
    }


def find_model(name: str) -> type[SentimentModel]:
    """Find a registered model by name, or an admitted one by its import path; nothing is imported.

    Raises:
        ModelError: If there is no such model; the message lists the registered ones.
    """
    registered = {
        _plain(spelt): model
        for known, model in list_models().items()
        for spelt in (known, f"{__name__}.{known}", import_path(model))
    }
    found = registered.get(_plain(name)) or _ADMITTED.get(name)
    if found is None:
        raise ModelError(
            f"there is no model {shown(name)}; choose one of {', '.join(list_models())}, or name the module of a model "
            "of your own, if you trust it, with --own_models MODULE"
        )
    return found


def admit_models(module: str) -> None:
    """Import a module of the caller's, and let checkpoints and run folders name the models that are defined in it.

    Args:
        module: Import path, such as `my_package.models`. Its code runs: never take it from a file.

    Raises:
        ModelError: If it cannot be imported, or defines no model.
    """
    try:
        content = vars(import_module(module)).values()
    except (ImportError, ValueError, TypeError) as error:
        raise ModelError(
            f"the module {shown(module)} cannot be imported ({error}); is its folder in PYTHONPATH?"
        ) from error
    models = [each for each in content if isinstance(each, type) and issubclass(each, SentimentModel)]
    own = [model for model in models if model.__module__ == module]
    if not own:
        raise ModelError(f"the module {shown(module)} defines no subclass of imlcmm.models.SentimentModel")
    for model in own:
        admit_model(model)


def admit_model(model: type[SentimentModel]) -> None:
    """Let checkpoints and run folders name a class of the caller's."""
    if import_path(model) not in map(import_path, list_models().values()):
        _ADMITTED[import_path(model)] = model


def admissible_paths() -> list[str]:
    """List the import paths that a file may name: of the registered models by their package, and of admitted ones."""
    return [__name__, *_ADMITTED]


def named_model(name: str) -> type[SentimentModel]:
    """Find the model that the caller names; a class of the caller's own, such as `my_package.MyModel`, is admitted.

    Args:
        name: What a person typed. A name out of a file goes to `find_model`.

    Raises:
        ModelError: If there is no such model.
    """
    try:
        return find_model(name)
    except ModelError:
        module, _, attribute = name.rpartition(".")
        if not module:
            raise
        admit_models(module)
        return find_model(f"{module}.{attribute}")


def _plain(name: str) -> str:
    """Leave away how a name is spelt: Self-MM, self_mm and SelfMM are one model."""
    return name.lower().replace("-", "").replace("_", "")
