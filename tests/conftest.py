"""Settings of the whole suite."""

from hypothesis import settings

# Shared machines pause; a slow example is not a failure.
settings.register_profile("llrsim", deadline=None)
settings.load_profile("llrsim")
