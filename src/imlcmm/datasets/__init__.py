"""Stage 2 of 8: data sets, from the field's files and from the simulator, in one store that training reads."""
