"""Trainings side by side: leaderboards, the paper's experiments and those beyond it."""
