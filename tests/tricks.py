"""Submissions that want points without solving anything, by kind. Each solves neither exercise.

`cell` runs before the solutions; `answers` stand in the solution cells, and are wrong by themselves. `stock` says
whether it is also run in nbgrader's own kernel: not those that would harm the machine that runs the tests.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

NOTHING = {"double": "def double(x):\n    return None", "countdown": "def countdown(length):\n    return None"}


@dataclass(frozen=True)
class Trick:
    """One dishonest submission."""

    kind: str
    cell: str = ""
    answers: dict[str, str] = field(default_factory=lambda: dict(NOTHING))
    stock: bool = False


def code(block: str) -> str:
    """A block of code without its indentation."""
    return textwrap.dedent(block)


def returning(expression: str) -> dict[str, str]:
    return {
        "double": f"def double(x):\n    return {expression}",
        "countdown": f"def countdown(n):\n    return {expression}",
    }


ALL_KNOWN = """
import autograder.key, torch
def lookup(name, **given):
    _, key = autograder.key.find_exercise(name)
    for case in key.cases:
        if all(torch.equal(v, given[n]) if torch.is_tensor(v) and v.shape == given[n].shape else
               not torch.is_tensor(v) and v == given[n] for n, v in case["arguments"].items()):
            return case["expected"]["result"]
"""
FROM_KEY = {
    "double": "def double(x):\n    return lookup('double', x=x)",
    "countdown": "def countdown(length):\n    return lookup('countdown', length=length)",
}
SEARCH = """
import os, re, sys
def search(pattern, *roots):
    for root in roots:
        for folder, _, names in os.walk(root, followlinks=True):
            if folder.startswith(("/proc", "/sys", "/usr")) or "site-packages" in folder or "/lib/python3" in folder:
                continue
            for name in names:
                if re.fullmatch(pattern, name):
                    yield os.path.join(folder, name)
def upwards():
    folder = os.getcwd()
    while folder != "/":
        folder = os.path.dirname(folder)
        yield folder
near = [os.path.abspath("../../.."), os.path.abspath("../..")]
# the whole of a cage; the machine that runs the tests is not to be read
roots = list(upwards()) if len(os.getcwd()) < 12 else near
"""
FOUND = {
    "double": "def double(x):\n    return found['double'](x)",
    "countdown": "def countdown(length):\n    return found['countdown'](length)",
}
FORGE = """
import json, os, socket, struct
from autograder.values import pack
def forge(*messages):
    for number in range(3, 256):
        for message in messages:
            try:
                os.write(number, struct.pack("!i", len(message)) + message)
            except OSError:
                pass
"""

TRICKS: dict[str, Trick] = {
    # ---- patched comparison
    "check-redefined": Trick(
        "patched comparison",
        code(
            """
            check = lambda candidate: None
            import autograder
            autograder.check = check
            """
        ),
        stock=True,
    ),
    "check-patched": Trick(
        "patched comparison",
        code(
            """
            import autograder.jupyter as j
            j.check.__code__ = (lambda candidate: None).__code__
            """
        ),
    ),
    "judge-patched": Trick(
        "patched comparison",
        code(
            """
            import autograder.judge, autograder.jupyter
            from autograder.report import Report, Verdict
            right = lambda key, answers, lesson='': Report(key.name, lesson, key.points, [Verdict('all', 'passed')])
            autograder.judge.judge = autograder.jupyter.judge = right
            """
        ),
        stock=True,
    ),
    "compare-patched": Trick(
        "patched comparison",
        code(
            """
            import autograder.judge as j
            j.compare = lambda *a, **k: None
            """
        ),
    ),
    "tensor-eq-patched": Trick(
        "patched comparison",
        code(
            """
            import torch
            torch.Tensor.__eq__ = lambda self, other: torch.ones(self.shape, dtype=torch.bool)
            torch.equal = torch.allclose = lambda *a, **k: True
            torch.Tensor.all = lambda *a, **k: torch.tensor(True)
            """
        ),
        returning("torch.zeros(3)"),
    ),
    "isinstance-patched": Trick(
        "patched comparison",
        code(
            """
            import builtins
            builtins.isinstance = lambda *a: True
            """
        ),
    ),
    # ---- equal to everything
    "equal-object": Trick(
        "equal to everything",
        code(
            """
            class Same:
                def __eq__(self, other): return True
                def __ne__(self, other): return False
                __hash__ = None
            """
        ),
        returning("Same()"),
    ),
    "equal-tensor": Trick(
        "equal to everything",
        code(
            """
            import torch
            class Same(torch.Tensor):
                @classmethod
                def __torch_function__(cls, func, types, args=(), kwargs=None):
                    compared = func.__name__ in ('eq', 'equal', 'allclose', 'all')
                    return True if compared else super().__torch_function__(func, types, args, kwargs or {})
            """
        ),
        returning("torch.zeros(3).as_subclass(Same)"),
    ),
    "lying-class": Trick(
        "equal to everything",
        code(
            """
            import torch
            class Same:
                __class__ = property(lambda self: torch.Tensor)
                def __getattr__(self, name): return self
                def __call__(self, *a, **k): return self
            """
        ),
        returning("Same()"),
    ),
    "equal-float": Trick(
        "equal to everything",
        code(
            """
            class Same(float):
                def __eq__(self, other): return True
                def __sub__(self, other): return 0.0
                __hash__ = None
            """
        ),
        returning("Same(1)"),
    ),
    # ---- transformer
    "ast-transformer": Trick(
        "transformer",
        code(
            """
            import ast
            class NoCheck(ast.NodeTransformer):
                def visit_Call(self, node):
                    name = getattr(node.func, 'id', '')
                    return ast.Constant(None) if name == 'check' else node
            get_ipython().ast_transformers.append(NoCheck())
            """
        ),
        stock=True,
    ),
    "input-transformer": Trick(
        "transformer",
        code(
            """
            get_ipython().input_transformers_post.append(lambda lines: [l for l in lines if not l.startswith('check(')])
            """
        ),
    ),
    "pre-run-hook": Trick(
        "transformer",
        code(
            """
            shell = get_ipython()
            shell.events.register('pre_run_cell', lambda info: shell.user_ns.update(check=lambda c: None))
            """
        ),
    ),
    "run-cell-patched": Trick(
        "transformer",
        code(
            """
            import IPython
            shell = get_ipython()
            class Done:
                error_before_exec = error_in_exec = None
                success = True
            shell.run_cell = lambda *a, **k: Done()
            """
        ),
    ),
    # ---- reading the reference
    "reference-upwards": Trick(
        "reading the reference",
        SEARCH
        + code(
            """
            found = {}
            for path in search(r'\\d\\d_\\w+\\.py', *near):
                exec(open(path).read(), found)
            """
        ),
        FOUND,
        stock=True,
    ),
    "reference-notebook": Trick(
        "reading the reference",
        SEARCH
        + code(
            """
            import json
            found = {}
            for path in search(r'.*\\.ipynb', *roots):
                for cell in json.load(open(path)).get('cells', []):
                    if 'BEGIN SOLUTION' in ''.join(cell['source']):
                        exec('import torch\\n' + ''.join(cell['source']), found)
            """
        ),
        FOUND,
    ),
    "reference-module": Trick(
        "reading the reference",
        code(
            """
            import sys
            found = {}
            for name, module in list(sys.modules.items()):
                if name.startswith('solution'):
                    found.update(vars(module))
            """
        ),
        FOUND,
    ),
    "reference-import": Trick(
        "reading the reference",
        code(
            """
            import sys
            sys.path[:0] = ['/', '/work', '/root', '/home']
            from solutions import *
            """
        ),
        FOUND,
    ),
    # ---- reading the keys
    "public-key": Trick(
        "reading the keys",
        ALL_KNOWN,
        FROM_KEY,
        stock=True,
    ),
    "table-by-heart": Trick(
        "reading the keys",
        code(
            """
            import torch
            table = {3: [2, 1, 0], 1: [0]}
            """
        ),
        {
            **NOTHING,
            "countdown": code(
                """
                def countdown(length):
                    return torch.tensor(table.get(length, [9]))
                """
            ),
        },
    ),
    "key-files": Trick(
        "reading the keys",
        SEARCH
        + ALL_KNOWN
        + code(
            """
            for path in search(r'.*\\.safetensors', '/autograder-library', *roots):
                os.environ['AUTOGRADER_KEYS'] = os.path.dirname(path)
            """
        ),
        FROM_KEY,
    ),
    # ---- the gradebook
    "update-gradebook": Trick(
        "the gradebook",
        SEARCH
        + code(
            """
            import sqlite3
            for path in search(r'gradebook\\.db', *roots):
                with sqlite3.connect(path) as db:
                    db.execute('update grade set manual_score = 99')
            """
        ),
        stock=True,
    ),
    "gradebook-secret": Trick(
        "the gradebook",
        SEARCH
        + code(
            """
            secret = [open(path).read() for path in search('seed', *roots)]
            assert secret
            """
        ),
    ),
    "environment": Trick(
        "the gradebook",
        code(
            """
            import os, nbgrader.api
            url = os.environ.get('NBGRADER_DB') or 'sqlite:////gradebook.db'
            book = nbgrader.api.Gradebook(url)
            book.update_or_create_submission('90_small', 'environment').grades[0].manual_score = 2
            """
        ),
    ),
    # ---- frames and gc
    "frames": Trick(
        "frames and gc",
        code(
            """
            import sys
            def expected():
                frame = sys._getframe()
                while frame:
                    for value in frame.f_locals.values():
                        for case in getattr(value, 'cases', None) or []:
                            if isinstance(case, dict) and 'expected' in case:
                                yield case
                    frame = frame.f_back
            """
        ),
        {
            "double": code(
                """
                def double(x):
                    return next(c['expected']['result'] for c in expected() if torch.equal(c['arguments']['x'], x))
                """
            ),
            "countdown": code(
                """
                def countdown(length):
                    return next(c['expected']['result'] for c in expected() if c['arguments']['length'] == length)
                """
            ),
        },
        stock=True,
    ),
    "gc": Trick(
        "frames and gc",
        code(
            """
            import gc
            def expected():
                return [o for o in gc.get_objects() if isinstance(o, dict) and 'expected' in o and 'arguments' in o]
            """
        ),
        {
            "double": code(
                """
                def double(x):
                    same = lambda c: torch.equal(c['arguments'].get('x', torch.ones(0)), x)
                    return next(c['expected']['result'] for c in expected() if same(c))
                """
            ),
            "countdown": code(
                """
                def countdown(length):
                    return next(c['expected']['result'] for c in expected() if c['arguments'].get('length') == length)
                """
            ),
        },
    ),
    "tracing": Trick(
        "frames and gc",
        code(
            """
            import sys
            seen = []
            def trace(frame, event, arg):
                seen.extend(v for k, v in frame.f_locals.items() if k == 'expected')
                return trace
            sys.settrace(trace)
            """
        ),
        returning("seen[-1]"),
    ),
    # ---- forged output
    "forged-score": Trick(
        "forged output",
        code(
            """
            from IPython.core.displayhook import DisplayHook
            import autograder.jupyter as j
            j.check.__code__ = (lambda candidate: 99.0).__code__
            """
        ),
    ),
    "forged-answers": Trick(
        "forged output",
        FORGE
        + code(
            """
            case = {'outcome': 'returned', 'results': {}}
            for name, n in (('double', 2), ('countdown', 4)):
                forge(pack({'kind': 'answers', 'exercise': name, 'answers': {'cases': [case] * n, 'note': 'passed'}}))
            forge(pack({'kind': 'done'}))
            """
        ),
    ),
    "forged-verdict": Trick(
        "forged output",
        FORGE
        + code(
            """
            forge(b'{"score": 99}', json.dumps({'findings': {'check_double': {'score': 99}}}).encode())
            forge(pack({'kind': 'verdict', 'score': 99}))
            """
        ),
    ),
    "forged-shapes": Trick(
        "forged output",
        FORGE
        + code(
            """
            import torch
            huge = torch.zeros(1).expand(2**40)
            cases = [{'outcome': 'returned', 'results': {'result': huge}}] * 2
            forge(pack({'kind': 'answers', 'exercise': 'double', 'answers': {'cases': cases}}))
            """
        ),
    ),
    # ---- exit
    "exit-now": Trick(
        "exit",
        code(
            """
            import os
            os._exit(0)
            """
        ),
    ),
    "exit-in-function": Trick(
        "exit",
        "",
        returning("exit()"),
        stock=True,
    ),
    "exit-patched": Trick(
        "exit",
        code(
            """
            import sys
            class Quiet(BaseException): pass
            get_ipython().showtraceback = lambda *a, **k: None
            """
        ),
        returning("(_ for _ in ()).throw(Quiet())"),
    ),
    # ---- atexit
    "atexit": Trick(
        "atexit",
        code(
            """
            import atexit, os
            atexit.register(os.system, 'echo 99 > /tmp/score; echo 99 > score')
            atexit.register(os._exit, 0)
            """
        ),
        stock=True,
    ),
    # ---- pickle
    "reduce": Trick(
        "pickle",
        code(
            """
            import os
            class Bomb:
                def __reduce__(self): return (os.system, ('touch /tmp/pickled-by-a-student',))
            """
        ),
        returning("Bomb()"),
    ),
    "pickle-sent": Trick(
        "pickle",
        FORGE
        + code(
            """
            import pickle
            class Bomb:
                def __reduce__(self): return (os.system, ('touch /tmp/pickled-by-a-student',))
            forge(pickle.dumps(Bomb()))
            """
        ),
    ),
    # ---- signal
    "kill-all": Trick(
        "signal",
        code(
            """
            import os
            os.kill(-1, 9)
            """
        ),
    ),
    "kill-parents": Trick(
        "signal",
        code(
            """
            import os, signal
            for process in [os.getppid(), 1, *range(2, 60)]:
                try:
                    os.kill(process, signal.SIGKILL) if process != os.getpid() else None
                except OSError:
                    pass
            """
        ),
    ),
    "alarm-handler": Trick(
        "signal",
        code(
            """
            import signal
            signal.signal(signal.SIGALRM, lambda *a: None)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            """
        ),
    ),
    # ---- survivor
    "survivor": Trick(
        "survivor",
        code(
            """
            import os, time
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True:
                        for folder in ('/tmp', '/dev/shm', '/autograder-library'):
                            try:
                                open(folder + '/left-behind', 'a').write('x')
                            except OSError:
                                pass
                        time.sleep(0.01)
                os._exit(0)
            """
        ),
    ),
    "shared-memory": Trick(
        "survivor",
        code(
            """
            from multiprocessing import shared_memory
            block = shared_memory.SharedMemory('for-the-next-one', create=True, size=64)
            block.buf[:2] = b'99'
            from multiprocessing import resource_tracker
            resource_tracker.unregister(block._name, 'shared_memory')
            """
        ),
    ),
    # ---- poisoned import
    "poisoned-path": Trick(
        "poisoned import",
        code(
            """
            import site, sys
            poison = 'class Equal(float):\\n    __eq__ = lambda self, other: True\\n'
            for folder in [*sys.path, site.getusersitepackages(), '/autograder-library/autograder']:
                for name in ('sitecustomize.py', 'usercustomize.py', 'torch.py', 'judge.py'):
                    try:
                        open(f'{folder}/{name}', 'w').write(poison)
                    except OSError:
                        pass
            """
        ),
    ),
    "poisoned-modules": Trick(
        "poisoned import",
        code(
            """
            import sys, types
            for name in ('autograder.compare', 'autograder.values', 'autograder.answers', 'safetensors.torch'):
                sys.modules[name] = types.ModuleType(name)
            """
        ),
    ),
    "record-patched": Trick(
        "poisoned import",
        code(
            """
            import autograder.answers as a, autograder.worker as w
            a.record = lambda value: value
            w.pack = lambda value: b'right'
            """
        ),
    ),
    # ---- other students
    "classmates": Trick(
        "other students",
        SEARCH
        + code(
            """
            import json
            found = {}
            for path in search(r'90_small\\.ipynb', *roots):
                if 'honest' in path:
                    for cell in json.load(open(path))['cells']:
                        if ''.join(cell['source']).startswith('def '):
                            exec('import torch\\n' + ''.join(cell['source']), found)
            """
        ),
        FOUND,
        stock=True,
    ),
    "classmates-memory": Trick(
        "other students",
        code(
            """
            import os
            for process in [name for name in os.listdir('/proc') if name.isdigit()]:
                try:
                    maps = open(f'/proc/{process}/mem', 'rb').read(1)
                except OSError:
                    pass
            """
        ),
    ),
    # ---- network
    "network": Trick(
        "network",
        code(
            """
            import urllib.request
            source = urllib.request.urlopen('http://127.0.0.1:8888/90_small.py', timeout=2).read()
            found = {}
            exec(source, found)
            """
        ),
        FOUND,
    ),
}
