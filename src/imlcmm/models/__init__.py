"""Stage 3 of 8: the models, one file each. What is named here is the registry."""

from importlib import import_module

from imlcmm.errors import ModelError
from imlcmm.models.almt import ALMT
from imlcmm.models.av_mc import AV_MC
from imlcmm.models.base import SentimentModel
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
    "find_model",
    "list_models",
]


def list_models() -> dict[str, type[SentimentModel]]:
    """Give every registered model by its name."""
    named = {name: globals()[name] for name in __all__}
    return {
        name: model
        for name, model in named.items()
        if isinstance(model, type) and issubclass(model, SentimentModel) and model is not SentimentModel
    }


def find_model(name: str) -> type[SentimentModel]:
    """Find a registered model by name, or a user's own by import path, such as `my_package.MyModel`.

    Raises:
        ModelError: If there is no such model; the message lists the registered ones.
    """
    registered = {_plain(known): model for known, model in list_models().items()}
    if _plain(name) in registered:
        return registered[_plain(name)]
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"there is no model '{name}'; choose one of {', '.join(list_models())}, or give the import path of a "
            "class of your own"
        ) from error
    if not (isinstance(found, type) and issubclass(found, SentimentModel)):
        raise ModelError(f"'{name}' is not a model: it must be a subclass of imlcmm.models.SentimentModel")
    return found


def _plain(name: str) -> str:
    """Leave away how a name is spelt: Self-MM, self_mm and SelfMM are one model."""
    return name.lower().replace("-", "").replace("_", "")
