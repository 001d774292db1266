"""Transcripts beside a video: SubRip, WebVTT, SubStation, lyrics and plain text, read and written."""
