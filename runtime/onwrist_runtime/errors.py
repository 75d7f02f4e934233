"""Every error that a caller of onwrist can see, in one shallow tree."""


class OnwristError(Exception):
    """Base of all errors that onwrist raises on purpose."""


class InputError(OnwristError, ValueError):
    """The values, times, names or options that you passed cannot be used."""


class RecordingError(OnwristError, ValueError):
    """A recording on disk is missing, incomplete or not in the format it claims."""


class BundleError(OnwristError, ValueError):
    """A bundle is damaged, altered, of another format version, or inconsistent."""


class EngineError(OnwristError, RuntimeError):
    """No inference engine is installed that can run this bundle, or it failed."""


class ParityError(OnwristError, RuntimeError):
    """An engine, or a quantized graph, does not give the numbers that it must."""


class CheckpointError(OnwristError, ValueError):
    """A training checkpoint cannot be read safely or is not of a known layout."""
