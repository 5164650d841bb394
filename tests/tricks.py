"""Submissions that want points without solving anything, by kind. Each solves neither exercise: what it earns is stolen.

`cell` runs before the solutions; `answers` stand in the solution cells, and are wrong by themselves. `stock` says
whether it is also run in nbgrader's own kernel: not those that would harm the machine that runs the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Trick:
    """One dishonest submission."""

    kind: str
    cell: str = ""
    answers: dict[str, str] = field(default_factory=lambda: dict(NOTHING))
    stock: bool = False


NOTHING = {"double": "def double(x):\n    return None", "countdown": "def countdown(length):\n    return None"}


def returning(expression: str) -> dict[str, str]:
    return {"double": f"def double(x):\n    return {expression}", "countdown": f"def countdown(n):\n    return {expression}"}


ALL_KNOWN = '''
import autograder.key, torch
def lookup(name, **given):
    _, key = autograder.key.find_exercise(name)
    for case in key.cases:
        if all(torch.equal(v, given[n]) if torch.is_tensor(v) and v.shape == given[n].shape else
               not torch.is_tensor(v) and v == given[n] for n, v in case["arguments"].items()):
            return case["expected"]["result"]
'''
FROM_KEY = {
    "double": "def double(x):\n    return lookup('double', x=x)",
    "countdown": "def countdown(length):\n    return lookup('countdown', length=length)",
}
SEARCH = '''
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
'''
FOUND = {
    "double": "def double(x):\n    return found['double'](x)",
    "countdown": "def countdown(length):\n    return found['countdown'](length)",
}
# in the course's own folder alone: the tests must not read the whole machine
NEAR = "os.path.abspath('../../..'), os.path.abspath('../..')"
FORGE = '''
import json, os, socket, struct
from autograder.values import pack
def forge(*messages):
    for number in range(3, 256):
        for message in messages:
            try:
                os.write(number, struct.pack("!i", len(message)) + message)
            except OSError:
                pass
'''

TRICKS: dict[str, Trick] = {
    # ---- patched comparisons
    "check-redefined": Trick("patched comparison", "check = lambda candidate: None\nimport autograder\nautograder.check = check\n", stock=True),
    "check-patched": Trick("patched comparison", "import autograder.jupyter as j\nj.check.__code__ = (lambda candidate: None).__code__"),
    "judge-patched": Trick(
        "patched comparison",
        "import autograder.judge, autograder.jupyter\nfrom autograder.report import Report, Verdict\n"
        "right = lambda key, answers, lesson='': Report(key.name, lesson, key.points, [Verdict('all', 'passed')])\n"
        "autograder.judge.judge = autograder.jupyter.judge = right",
        stock=True,
    ),
    "compare-patched": Trick("patched comparison", "import autograder.judge as j\nj.compare = lambda *a, **k: None"),
    "tensor-eq-patched": Trick(
        "patched comparison",
        "import torch\ntorch.Tensor.__eq__ = lambda self, other: torch.ones(self.shape, dtype=torch.bool)\n"
        "torch.equal = torch.allclose = lambda *a, **k: True\ntorch.Tensor.all = lambda *a, **k: torch.tensor(True)",
        returning("torch.zeros(3)"),
    ),
    "isinstance-patched": Trick("patched comparison", "import builtins\nbuiltins.isinstance = lambda *a: True"),
    # ---- values that equal everything
    "equal-object": Trick("equal to everything", "class Same:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    __hash__ = None", returning("Same()")),
    "equal-tensor": Trick(
        "equal to everything",
        "import torch\nclass Same(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
        "        return True if func.__name__ in ('eq', 'equal', 'allclose', 'all') else super().__torch_function__(func, types, args, kwargs or {})",
        returning("torch.zeros(3).as_subclass(Same)"),
    ),
    "lying-class": Trick("equal to everything", "import torch\nclass Same:\n    __class__ = property(lambda self: torch.Tensor)\n    def __getattr__(self, name): return self\n    def __call__(self, *a, **k): return self", returning("Same()")),
    "equal-float": Trick("equal to everything", "class Same(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0.0\n    __hash__ = None", returning("Same(1)")),
    # ---- transformers
    "ast-transformer": Trick(
        "transformer",
        "import ast\nclass NoCheck(ast.NodeTransformer):\n    def visit_Call(self, node):\n"
        "        name = getattr(node.func, 'id', '')\n        return ast.Constant(None) if name == 'check' else node\n"
        "get_ipython().ast_transformers.append(NoCheck())",
        stock=True,
    ),
    "input-transformer": Trick("transformer", "get_ipython().input_transformers_post.append(lambda lines: [l for l in lines if not l.startswith('check(')])"),
    "pre-run-hook": Trick("transformer", "get_ipython().events.register('pre_run_cell', lambda info: get_ipython().user_ns.update(check=lambda c: None))\n"),
    "run-cell-patched": Trick("transformer", "import IPython\nshell = get_ipython()\nclass Done:\n    error_before_exec = error_in_exec = None\n    success = True\nshell.run_cell = lambda *a, **k: Done()"),
    # ---- the reference
    "reference-upwards": Trick("reading the reference", SEARCH + f"found = {{}}\nfor path in search(r'\\d\\d_\\w+\\.py', {NEAR}):\n    exec(open(path).read(), found)", FOUND, stock=True),
    "reference-notebook": Trick(
        "reading the reference",
        SEARCH + f"import json\nfound = {{}}\nfor path in search(r'.*\\.ipynb', *upwards() if len(os.getcwd()) < 12 else ({NEAR})):\n    for cell in json.load(open(path)).get('cells', []):\n"
        "        if 'BEGIN SOLUTION' in ''.join(cell['source']):\n            exec('import torch\\n' + ''.join(cell['source']), found)",
        FOUND,
    ),
    "reference-module": Trick("reading the reference", "import sys\nfound = {}\nfor name, module in list(sys.modules.items()):\n    if name.startswith('solution'):\n        found.update(vars(module))", FOUND),
    "reference-import": Trick("reading the reference", "import sys\nsys.path[:0] = ['/', '/work', '/root', '/home']\nfrom solutions import *", FOUND),
    # ---- the keys
    "public-key": Trick("reading the keys", ALL_KNOWN, FROM_KEY, stock=True),
    "table-by-heart": Trick(
        "reading the keys",
        "import torch\ntable = {3: [2, 1, 0], 1: [0]}",
        {**NOTHING, "countdown": "def countdown(length):\n    return torch.tensor(table.get(length, [9]))"},
    ),
    "key-files": Trick(
        "reading the keys",
        SEARCH + ALL_KNOWN + f"for path in search(r'.*\\.safetensors', '/autograder-library', '/tmp' if len(os.getcwd()) < 12 else os.getcwd(), {NEAR}):\n    os.environ['AUTOGRADER_KEYS'] = os.path.dirname(path)",
        FROM_KEY,
    ),
    # ---- the gradebook
    "update-gradebook": Trick(
        "the gradebook",
        SEARCH + f"import sqlite3\nfor path in search(r'gradebook\\.db', *upwards() if len(os.getcwd()) < 12 else ({NEAR})):\n    with sqlite3.connect(path) as db:\n        db.execute('update grade set manual_score = 99')",
        stock=True,
    ),
    "gradebook-secret": Trick("the gradebook", SEARCH + f"secret = [open(path).read() for path in search('seed', *upwards() if len(os.getcwd()) < 12 else ({NEAR}))]\nassert secret"),
    "environment": Trick("the gradebook", "import os, nbgrader.api\nurl = os.environ.get('NBGRADER_DB') or 'sqlite:////gradebook.db'\nbook = nbgrader.api.Gradebook(url)\nbook.update_or_create_submission('90_small', 'environment').grades[0].manual_score = 2"),
    # ---- frames and gc
    "frames": Trick(
        "frames and gc",
        "import sys\ndef expected():\n    frame = sys._getframe()\n    while frame:\n        for value in frame.f_locals.values():\n"
        "            for case in getattr(value, 'cases', None) or []:\n                if isinstance(case, dict) and 'expected' in case:\n                    yield case\n        frame = frame.f_back",
        {"double": "def double(x):\n    return next(c['expected']['result'] for c in expected() if torch.equal(c['arguments']['x'], x))",
         "countdown": "def countdown(length):\n    return next(c['expected']['result'] for c in expected() if c['arguments']['length'] == length)"},
        stock=True,
    ),
    "gc": Trick(
        "frames and gc",
        "import gc\ndef expected():\n    return [o for o in gc.get_objects() if isinstance(o, dict) and 'expected' in o and 'arguments' in o]",
        {"double": "def double(x):\n    return next(c['expected']['result'] for c in expected() if torch.equal(c['arguments'].get('x', torch.ones(0)), x))",
         "countdown": "def countdown(length):\n    return next(c['expected']['result'] for c in expected() if c['arguments'].get('length') == length)"},
    ),
    "tracing": Trick("frames and gc", "import sys\nseen = []\ndef trace(frame, event, arg):\n    seen.extend(v for k, v in frame.f_locals.items() if k == 'expected')\n    return trace\nsys.settrace(trace)", returning("seen[-1]")),
    # ---- forged output
    "forged-score": Trick("forged output", "from IPython.core.displayhook import DisplayHook\nimport autograder.jupyter as j\nj.check.__code__ = (lambda candidate: 99.0).__code__"),
    "forged-answers": Trick(
        "forged output",
        FORGE + "case = {'outcome': 'returned', 'results': {}}\n"
        "forge(*[pack({'kind': 'answers', 'exercise': name, 'answers': {'cases': [case] * n, 'note': 'passed'}}) for name, n in (('double', 2), ('countdown', 4))], pack({'kind': 'done'}))",
    ),
    "forged-verdict": Trick("forged output", FORGE + "forge(b'{\"score\": 99}', json.dumps({'findings': {'check_double': {'score': 99}}}).encode(), pack({'kind': 'verdict', 'score': 99}))"),
    "forged-shapes": Trick(
        "forged output",
        FORGE + "import torch\nhuge = torch.zeros(1).expand(2**40)\nforge(pack({'kind': 'answers', 'exercise': 'double', 'answers': {'cases': [{'outcome': 'returned', 'results': {'result': huge}}] * 2}}))",
    ),
    # ---- exits
    "exit-now": Trick("exit", "import os\nos._exit(0)"),
    "exit-in-function": Trick("exit", "", returning("exit()"), stock=True),
    "exit-patched": Trick("exit", "import sys\nclass Quiet(BaseException): pass\nget_ipython().showtraceback = lambda *a, **k: None", returning("(_ for _ in ()).throw(Quiet())")),
    "atexit": Trick("atexit", "import atexit, os\natexit.register(os.system, 'echo 99 > /tmp/score; echo 99 > score')\natexit.register(os._exit, 0)", stock=True),
    # ---- pickles
    "reduce": Trick("pickle", "import os\nclass Bomb:\n    def __reduce__(self): return (os.system, ('touch /tmp/pickled-by-a-student',))", returning("Bomb()")),
    "pickle-sent": Trick("pickle", FORGE + "import pickle\nclass Bomb:\n    def __reduce__(self): return (os.system, ('touch /tmp/pickled-by-a-student',))\nforge(pickle.dumps(Bomb()))"),
    # ---- signals
    "kill-all": Trick("signal", "import os\nos.kill(-1, 9)"),
    "kill-parents": Trick("signal", "import os, signal\nfor process in [os.getppid(), 1, *range(2, 60)]:\n    try:\n        os.kill(process, signal.SIGKILL) if process != os.getpid() else None\n    except OSError:\n        pass"),
    "alarm-handler": Trick("signal", "import signal\nsignal.signal(signal.SIGALRM, lambda *a: None)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"),
    # ---- survivors
    "survivor": Trick(
        "survivor",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True:\n            for folder in ('/tmp', '/dev/shm', '/autograder-library'):\n                try:\n                    open(folder + '/left-behind', 'a').write('x')\n                except OSError:\n                    pass\n            time.sleep(0.01)\n    os._exit(0)",
    ),
    "shared-memory": Trick("survivor", "from multiprocessing import shared_memory\nblock = shared_memory.SharedMemory('for-the-next-one', create=True, size=64)\nblock.buf[:2] = b'99'\nfrom multiprocessing import resource_tracker\nresource_tracker.unregister(block._name, 'shared_memory')"),
    # ---- poisoned imports
    "poisoned-path": Trick(
        "poisoned import",
        "import site, sys\npoison = 'class Equal(float):\\n    __eq__ = lambda self, other: True\\n'\n"
        "for folder in [*sys.path, site.getusersitepackages(), '/autograder-library/autograder']:\n    for name in ('sitecustomize.py', 'usercustomize.py', 'torch.py', 'judge.py'):\n        try:\n            open(f'{folder}/{name}', 'w').write(poison) if 'site-packages' not in folder or folder.startswith('/autograder') else None\n        except OSError:\n            pass",
    ),
    "poisoned-modules": Trick("poisoned import", "import sys, types\nfor name in ('autograder.compare', 'autograder.values', 'autograder.answers', 'safetensors.torch'):\n    sys.modules[name] = types.ModuleType(name)"),
    "record-patched": Trick("poisoned import", "import autograder.answers as a, autograder.worker as w\na.record = lambda value: value\nw.pack = lambda value: b'right'"),
    # ---- other students
    "classmates": Trick(
        "other students",
        SEARCH + f"import json\nfound = {{}}\nfor path in search(r'90_small\\.ipynb', *upwards() if len(os.getcwd()) < 12 else ({NEAR})):\n    if 'honest' in path:\n        for cell in json.load(open(path))['cells']:\n            if ''.join(cell['source']).startswith('def '):\n                exec('import torch\\n' + ''.join(cell['source']), found)",
        FOUND,
        stock=True,
    ),
    "classmates-memory": Trick("other students", "import os\nfor process in [name for name in os.listdir('/proc') if name.isdigit()]:\n    try:\n        maps = open(f'/proc/{process}/mem', 'rb').read(1)\n    except OSError:\n        pass"),
    # ---- network
    "network": Trick("network", "import urllib.request\nsource = urllib.request.urlopen('http://127.0.0.1:8888/90_small.py', timeout=2).read()\nfound = {}\nexec(source, found)", FOUND),
}
