"""Who speaks: named by a transcript, by the channel of a call, or by the voice."""
