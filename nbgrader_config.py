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
