"""Small files in the field's layout, for the tests of this folder."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

STEPS = {"text": 6, "audio": 9, "vision": 7}
WIDTHS = {"text": 4, "audio": 3, "vision": 5}


def field_split(name: str, clips: int, *, labels: bool = True, seed: int = 0, dtype: str = "float64") -> dict[str, Any]:
    """Make one split with true lengths, tokens and all labels of a CH-SIMS file."""
    rng = np.random.default_rng(seed + len(name))
    lengths = {m: rng.integers(2, STEPS[m] + 1, clips) for m in STEPS}
    split: dict[str, Any] = {
        "raw_text": [f"words {row}" for row in range(clips)],
        "id": [f"{name}{row // 2}$_${row}" for row in range(clips)],
    }
    for m, steps in STEPS.items():
        real = np.arange(steps) < lengths[m][:, None]
        split[m] = (rng.normal(size=(clips, steps, WIDTHS[m])) * real[..., None]).astype(dtype)
    real = np.arange(STEPS["text"]) < lengths["text"][:, None]
    split["text_bert"] = np.stack([rng.integers(100, 900, real.shape) * real, real, 0 * real], 1).astype("float32")
    split["audio_lengths"], split["vision_lengths"] = lengths["audio"].tolist(), lengths["vision"].tolist()
    if labels:
        for suffix in ("", "_T", "_A", "_V"):
            split[f"regression_labels{suffix}"] = rng.integers(-5, 6, clips) / 5
    return split


def field_file(path: Path, content: dict[str, Any] | None = None, protocol: int = 4) -> Path:
    """Write a pickle, of three small splits unless told otherwise."""
    if content is None:
        content = {name: field_split(name, clips) for name, clips in (("train", 8), ("valid", 3), ("test", 4))}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path
