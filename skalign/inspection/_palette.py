"""Colors that readers with any color vision tell apart: those of Okabe and Ito."""

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
GROUPS = BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000"
UNIT_COLORS = {"matched": BLUE, "mismatched": ORANGE}
