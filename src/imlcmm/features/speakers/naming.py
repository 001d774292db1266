"""Who speaks in each utterance of a recording."""

from collections.abc import Sequence

import numpy as np

from imlcmm.features.media.channel_levels import channel_levels
from imlcmm.features.media.cut import join_sound
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.features.speakers.channel_split import tell_channels
from imlcmm.features.speakers.voice_model import WIDTH, find_voice_model, load_voice_model
from imlcmm.features.speakers.voices import SHORTEST, tell_voices
from imlcmm.features.speech.voice_activity import speech_regions
from imlcmm.features.words.utterances import Utterance

_HEARD = 15.0
"""Seconds of an utterance that are listened to at most."""


def name_speakers(recording: Recording, utterances: Sequence[Utterance]) -> list[Utterance]:
    """Say of each utterance who speaks: by the transcript's names, else by channel, else by voice.

    Names of a transcript stand as they are. Without the voice model's package, nobody is named by voice; a recording of
    one utterance needs no names.

    Args:
        recording: The recording.
        utterances: Its utterances.

    Returns:
        The utterances with their speakers.

    Raises:
        MediaError: If the recording cannot be read.
        MissingPackageError: If the voice model's file is another one than was tried.
    """
    given = any(one.speaker for one in utterances)
    if given or len(utterances) == 1 or not recording.info.has_sound:
        return list(utterances)
    names = _by_channel(recording, utterances) or _by_voice(recording, utterances)
    return [one._replace(speaker=name) for one, name in zip(utterances, names, strict=True)]


def _by_channel(recording: Recording, utterances: Sequence[Utterance]) -> list[str] | None:
    levels = channel_levels(recording.path, recording.limits)
    return None if levels is None else tell_channels(levels, utterances)


def _by_voice(recording: Recording, utterances: Sequence[Utterance]) -> list[str]:
    path = find_voice_model()
    if path is None:
        return [""] * len(utterances)
    model = load_voice_model(path)
    vectors, seconds = np.zeros((len(utterances), WIDTH), np.float32), np.zeros(len(utterances))
    for place, one in enumerate(utterances):
        speech = _speech(recording, one)
        seconds[place] = len(speech) / SOUND_RATE
        if seconds[place] >= SHORTEST:
            vectors[place] = model(speech)
    return tell_voices(vectors, seconds)


def _speech(recording: Recording, utterance: Utterance) -> np.ndarray:
    """Give the sound of an utterance without its pauses."""
    sound = recording.sound(utterance.start, min(utterance.end, utterance.start + _HEARD))
    return join_sound(sound, speech_regions(sound) if len(sound) else [])
