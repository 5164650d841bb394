"""What can go wrong before a candidate is judged.

    AutograderError
    ├── KeyProblem         a key is missing, damaged, or made for another engine or torch
    ├── NotebookProblem    a notebook cannot be read
    ├── UnknownExercise    `check` was given something that is no exercise of the course
    └── LessonProblem      an author's `checks.py` or solution cannot be used

Each message says what happened and how to mend it.
"""


class AutograderError(Exception):
    """The base of all errors in this package; its text is meant for people."""


class KeyProblem(AutograderError):
    """A key cannot be used."""


class NotebookProblem(AutograderError):
    """A notebook cannot be read."""


class UnknownExercise(AutograderError):
    """No key holds an exercise of that name."""


class LessonProblem(AutograderError):
    """A lesson's solution or `checks.py` breaks a rule of authoring."""
