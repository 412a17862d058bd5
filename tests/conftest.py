"""Settings of the whole suite."""

from hypothesis import settings

# Shared machines pause; a slow example is not a failure.
settings.register_profile("llrsim", deadline=None, derandomize=True)
settings.load_profile("llrsim")
