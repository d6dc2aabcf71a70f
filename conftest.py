"""What is collected depends on PyTorch, which the tests do not ask for: it is large."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["skalign/feature_extraction/*"]
