"""The table of peers (`guide/peers.csv`, measured by `benchmarks/peers.py`) as a figure."""

import csv
from pathlib import Path

TABLE = Path(__file__).parent / "guide" / "peers.csv"
FIGURE = Path(__file__).parent / "guide" / "generated" / "peers.svg"

OURS = "skalign"
# Marker, color and the contenders that share them. Other contenders are not drawn: a single fit of
# ours beside a cross-validation is not the same work.
MARKS = {
    "unavoidable products": ("|", "black", {"X'X and X'Y", "one product"}),
    "scikit-learn": ("o", "#e08214", {"scikit-learn", "LassoCV", "scikit-learn RidgeCV"}),
    "SciPy NNLS": ("s", "#b35806", {"SciPy NNLS"}),
    "SPAMS": ("D", "#7b3294", {"SPAMS"}),
    "celer": ("^", "#1b7837", {"celer"}),
    "skglm": ("v", "#5aae61", {"skglm"}),
    "adelie": ("<", "#2166ac", {"adelie"}),
    "himalaya": ("P", "#d6604d", {"himalaya", "himalaya RidgeCV"}),
    "himalaya, kernel ridge": ("X", "#d6604d", {"himalaya KernelRidgeCV"}),
    "the formula of the paper": ("h", "#555555", {"the formula"}),
}


def read_table(path=TABLE):
    """Lines of the table, as dicts of strings."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def versions(lines):
    """Where and when the table was measured, and the version of every package."""
    found = {}
    for line in lines:
        if line["version"]:
            name = line["contender"].partition(" ")[0]
            name = {"X'X": "NumPy", "one": "NumPy", "the": "NumPy", "LassoCV": "scikit-learn"}.get(
                name, name
            )
            found[name] = line["version"]
    machines = sorted({line["machine"] for line in lines})
    dates = sorted({line["date"] for line in lines})
    packages = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"{'; '.join(machines)}. {when}.", packages


def draw(lines, path=FIGURE):
    """Draw the time of every contender over ours, a line of the figure for each row."""
    import matplotlib.pyplot as plt
    from matplotlib import rc_context

    titles = list(dict.fromkeys(line["title"] for line in lines))
    height = {title: -k for k, title in enumerate(titles)}
    with rc_context({"svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(11, 1.6 + 0.3 * len(titles)), layout="constrained")
        axes.axvline(1, color="#0570b0", lw=2, label=OURS)
        for name, (marker, color, who) in MARKS.items():
            shown = [line for line in lines if line["contender"] in who and line["times_ours"]]
            ratios = [float(line["times_ours"]) for line in shown]
            heights = [height[line["title"]] for line in shown]
            if shown:
                axes.plot(ratios, heights, marker, color=color, ls="", ms=7, mew=1.5, label=name)
        axes.set(xscale="log", yticks=list(height.values()), yticklabels=titles)
        axes.set_xlabel("time over skalign's: to the right of the line, skalign is faster")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.grid(axis="both", alpha=0.3)
        axes.margins(y=0.02)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        where, packages = versions(lines)
        figure.supxlabel(f"{where}\n{packages}", fontsize=7, color="#555555")
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def setup(app):
    """Draw before the pages are read."""
    app.connect("builder-inited", lambda app: draw(read_table()))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
