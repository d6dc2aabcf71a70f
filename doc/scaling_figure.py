"""The table of scaling (`guide/scaling.csv`, measured by `benchmarks/scaling.py`) as a figure."""

import csv
from pathlib import Path

TABLE = Path(__file__).parent / "guide" / "scaling.csv"
FIGURE = Path(__file__).parent / "guide" / "generated" / "scaling.svg"

PANELS = {"targets": "n_targets", "units": "n_units", "images": "n_images", "cores": "n_cores"}
OURS, FLOOR = "#0570b0", "black"


def read_table(path=TABLE):
    """What the table says of itself, and its lines as dicts of strings."""
    lines = path.read_text(encoding="utf-8").splitlines()
    said = [line.removeprefix("# ") for line in lines if line.startswith("#")]
    return said, list(csv.DictReader(line for line in lines if not line.startswith("#")))


def draw(said, lines, path=FIGURE):
    """Draw the seconds of fits and of their products, a panel for each size that grows."""
    import matplotlib.pyplot as plt
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "font.size": 9}):
        figure, panels = plt.subplots(1, len(PANELS), figsize=(11, 3.2), layout="constrained")
        for axes, (series, size) in zip(panels, PANELS.items(), strict=True):
            shown = [line for line in lines if line["series"] == series]
            sizes = [int(line[size]) for line in shown]
            seconds = [float(line["seconds"]) for line in shown]
            floor = [float(line["floor_seconds"]) for line in shown]
            if series == "cores":
                proportional = [seconds[0] * sizes[0] / one for one in sizes]
            else:
                proportional = [seconds[-1] * one / sizes[-1] for one in sizes]
            axes.plot(sizes, proportional, color="0.75", label="in proportion")
            axes.plot(sizes, floor, "|--", color=FLOOR, ms=9, label="products")
            axes.plot(sizes, seconds, "o-", color=OURS, label="fit")
            axes.set(xscale="log", yscale="log", xlabel=series)
            fixed = [name for name in PANELS if name not in (series, "cores")]
            axes.set_title(
                ", ".join(f"{int(shown[0][PANELS[name]]):,} {name}" for name in fixed), fontsize=8
            )
            axes.grid(alpha=0.3)
        panels[-1].set(xscale="linear", xticks=sizes)
        panels[0].set_ylabel("seconds")
        panels[0].legend(frameon=False)
        figure.supxlabel("\n".join(said), fontsize=7, color="#555555")
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return panels


def setup(app):
    """Draw before the pages are read."""
    app.connect("builder-inited", lambda app: draw(*read_table()))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
