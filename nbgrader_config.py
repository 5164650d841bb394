"""nbgrader for this course: `solutions/` is what instructors write, `exercises/` what learners get."""

import os
import sys
from pathlib import Path

# nbgrader calls `alembic` by its bare name when it makes a gradebook; this finds the environment's without activation
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

c = get_config()

c.CourseDirectory.course_id = "deep-learning-models-explained"
c.CourseDirectory.root = str(Path(__file__).parent)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
# the repository holds the release already, and nbgrader would skip it without a word: no gradebook would be made
c.GenerateAssignment.force = True
# beside nbgrader's own defaults: what solves the exercises is never copied to learners
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "checks.py", "[0-9][0-9]_*.py",
]  # fmt: skip

# submissions run in a sandbox and are judged on inputs that no student knows: docs/grading.md
c.Autograde.exporter_class = "autograder.grading.exporter.JudgingExporter"
# Restore does what DeduplicateIds, OverwriteCells and CheckCellMetadata do, and believes nothing that a student wrote
c.Autograde.sanitize_preprocessors = [
    "autograder.grading.preprocessor.Restore",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.OverwriteKernelspec",
]
c.Autograde.autograde_preprocessors = [
    "autograder.grading.preprocessor.Judge",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]
