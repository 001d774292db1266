"""Clips whose label is known from what each modality shows of it."""
