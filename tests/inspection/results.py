"""A made-up table of results, with the columns of a benchmark."""

from itertools import product

import numpy as np
import pandas as pd


def make_table(**levels):
    """One row for every combination of the levels; r and theta unlike in any two rows."""
    levels = {
        "model": ["net"],
        "units": ["face", "scene", "body"],
        "subject": ["s1", "s2", "s3"],
        "region": ["FFA"],
        "penalty": ["lasso", "ols"],
        "positive": [False, True],
        "partition": ["test"],
    } | levels
    table = pd.DataFrame(list(product(*levels.values())), columns=list(levels))
    rng = np.random.default_rng(0)
    mismatched = table["units"] == "scene"
    return table.assign(
        alpha=0.1,
        r=rng.uniform(0.1, 0.5, len(table)),
        theta=rng.uniform(0.2, 0.4, len(table)) + 0.5 * mismatched,
        n_active=np.where(table["penalty"] == "lasso", 3.25, 100.0),
        empty_fraction=0.0,
        ceiling=table["subject"].map({"s1": 0.5, "s2": 0.6, "s3": 0.55}),
        error=None,
    )
