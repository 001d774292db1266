"""Why a model says what it says of a clip."""
