"""The model in numbers: groups, collapse, heads, losses, methods, and the plan of what to draw and fit."""
