"""What can go wrong through no fault of the code; a command line prints it as one line."""


class PipelineError(Exception):
    """Something failed: an export that cannot be written, a training that diverged."""

    exit_code = 1


class InputError(PipelineError, ValueError):
    """What the user gave cannot be used. The message names it, what was found, and what was wanted."""

    exit_code = 2


class UnreadableError(InputError):
    """One utterance cannot be read or spoken, or holds nothing usable; work on the others may go on."""
