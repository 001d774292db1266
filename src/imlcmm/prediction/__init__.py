"""Stage 7 of 8: from a checkpoint and a video to sentiment, utterance by utterance."""
