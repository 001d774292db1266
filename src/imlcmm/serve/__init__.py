"""Stage 8 of 8: the workbench in a browser, from recordings to a timeline, labels and a model of one's own."""
