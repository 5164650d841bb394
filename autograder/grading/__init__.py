"""Grading a class with nbgrader: what an instructor's `nbgrader autograde` runs in place of a kernel.

    exporter      where nbgrader lets us in
    session       one run: begins judging, clears away what an interrupted one left, ends with a summary
    restore       the locked cells and their metadata as they were released, whatever a student did to them
    preprocessor  `Judge`, in place of nbgrader's Execute: settings, and each test cell's report and score
    course        the instructor's side of one assignment: the secret seed, the grading key, the points
    submission    what a student handed in, read as hostile
    verdict       what was found out about a submission, and the store that outlives a killed run
    pool          judges submissions ahead of nbgrader, on this machine or on a Dask cluster
    sandbox       runs a submission: bubblewrap around a server, a cage of its own around each submission
    wall, server, cage, syscalls    the parts of the sandbox, from the outside in
    hostile, discreet       what may come out of it, and what of that a student may read
    progress      the bar and the summary
    files         reading what may be hostile, writing what must be private

Nothing here is imported where learners work.
"""
