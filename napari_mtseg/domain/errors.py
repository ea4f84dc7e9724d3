"""Errors that a user can fix: one clear sentence each, shown without a traceback.

Every message says what was found, what was expected, and what to do. Anything
that is not an :class:`MtsegError` is a bug and crashes loudly.
"""


class MtsegError(Exception):
    """Something that the user can mend; its text is shown as it is."""


class ImageError(MtsegError):
    """An image file is missing, corrupt, or not fit for the project."""


class AnnotationError(MtsegError):
    """Labels do not fit their image, or are not enough for what was asked."""


class ProjectError(MtsegError):
    """A project folder is missing, damaged, locked or of another format version."""


class SettingsError(MtsegError):
    """A setting is unknown, of the wrong type or out of range."""


class ModelError(MtsegError):
    """A model folder is damaged, or does not fit the images it is used on."""


class StorageError(MtsegError):
    """The disk is full, or a file or folder cannot be written."""


class MemoryShortageError(MtsegError):
    """What was asked needs more memory than the machine has free."""


class RunError(MtsegError):
    """A training run cannot be started, found or resumed."""


class WindowError(MtsegError):
    """The window cannot be opened here."""


class ClusterError(MtsegError):
    """A cluster cannot be reached, or its workers cannot do the work."""


class LostTaskError(ClusterError):
    """One task ends every worker that begins it; others can be done.

    Parameters
    ----------
    text : str
        What is shown.
    task : object
        The task.
    """

    def __init__(self, text: str, task: object) -> None:
        super().__init__(text)
        self.task = task
