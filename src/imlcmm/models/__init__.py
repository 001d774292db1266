"""Stage 3 of 8: the models, one file each. What is named here is the registry."""

from importlib import import_module

from imlcmm.errors import ModelError
from imlcmm.models.base import SentimentModel
from imlcmm.models.iml_cmm import IMLCMM
from imlcmm.models.lf_dnn import LF_DNN

__all__ = ["IMLCMM", "LF_DNN", "SentimentModel", "find_model", "list_models"]


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
    if name in list_models():
        return list_models()[name]
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
