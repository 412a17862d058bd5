"""Experiment files that went wrong: valid ones with random mistakes in their text, and text that never was one."""

import re
from importlib.resources import files

import numpy as np
from random_experiments import random_experiment

PRESETS = [
    entry.read_text(encoding="utf-8") for entry in sorted((files("llrsim") / "presets").iterdir(), key=lambda e: e.name)
    if entry.name.endswith(".toml")
]  # fmt: skip

VALUES = [
    "nan", "inf", "-inf", "-1", "0", "-0.0", "1", "2", "0.5", "1e308", "-1e308", "1e-320", "1e400", "1_000", "0x1F",
    "1" + 12 * "0", "1" + 30 * "0", "1" + 5000 * "0", "9223372036854775807", "9223372036854775808", "9007199254740993",
    "true", "false", "''", '"x"', '"exact"', '"nan"', '"10"', "'../../etc/passwd'", '"<script>alert(1)</script>"',
    '"\\u0000"', '"\\u202e"', '"\\U0010ffff"', '"\\ud800"', '"é漢🦉"', "'" + 20000 * "a" + "'", '"""\nlines\n"""',
    "[]", "[[]]", "[[[]]]", "{}", "[1, 2]", "[0, 0, 0, 0]", "[1, 'x']", "[nan, 1, 1, 1]", "[1e300, 1e300, 1, 1]",
    "[" + "1, " * 5000 + "1]", "[" * 100 + "]" * 100, "[" * 3000, "{a = " * 60 + "1" + "}" * 60,
    "{ linear = [0, 1], num = 3 }", "{ log10 = [-400, 400], num = 5 }", "{ linear = [0, 1], num = 1000000000000 }",
    "{ linear = [1, 9], num = 1000000 }", "{ steps = 1000000000000, step_size = 0.1 }",
    "{ steps = 5, step_size = 0.1, path = [0, 5] }", "{ steps = 5, step_size = 1e308 }",
    "{ kind = 'mass-matched', of = 'erm' }",
    "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "", "=", "1 2", "0.1.2", "'open", '"', "[1, 2", "{ a = ",
]  # fmt: skip

KEYS = [
    "n", "n_per_dim", "counts", "proportions", "minority_ratio", "class_prior", "annotation_noise", "collapse", "dim",
    "std", "mean", "spectrum", "labels", "attributes", "means", "covariances", "core", "spurious", "noise", "kind",
    "name", "balance", "average", "anchor", "data", "from", "head", "control", "angle_to", "gamma", "k", "by",
    "against", "ascent", "adjust", "stretch", "unit", "loss", "ridge", "solver", "replicates", "seed", "simulator",
    "grid", "zip", "features", "train", "heldout", "test", "network", "method", "sweep", "study", "width", "steps",
    "step_size", "test_rows", "tarin", '""', '"a.b"', '"train.n"', "train.n", "a.b.c", "'é'", "a" * 300, "-", "",
    '"head.ridge"', '"method.erm.head.ridge"', '"features.noise.dim"', '"sweep.seed"', '"train.collapse"',
]  # fmt: skip

HEADERS = [
    "[features]", "[train]", "[heldout]", "[test]", "[head]", "[network]", "[[method]]", "[method]", "[sweep]",
    "[sweep.grid]", "[[sweep.zip]]", "[sweep.zip]", "[study]", "[[train]]", "[unknown]", "[", "[]", "[[", "[a.b.c]",
]  # fmt: skip

CHARACTERS = ["=", "[", "]", "{", "}", ",", ".", '"', "'", "\n", "#", " ", "-", "0", "9", "e", "x", "\0", "\x1b", "\r",
              "\t", "é", "漢", "\u202e", "\u2028", "🦉", "\ufeff", "\\"]  # fmt: skip

_VALUE = re.compile(r"""(?<=[=\[,:])\s*(?:-?[\d.]+(?:e-?\d+)?|"[^"\n]*"|\[[^\[\]\n]*\]|\{[^{}\n]*\}|true|false)""")
_KEY = re.compile(r'(?m)(?<=[{,\n])\s*"?[\w.]+"?(?=\s*=)')


def mutated_file(rng: np.random.Generator) -> str:
    """The text of a file with up to four mistakes."""
    if rng.random() < 0.03:
        return "".join(rng.choice(CHARACTERS + HEADERS + KEYS + VALUES, int(rng.integers(0, 40))))
    text = str(rng.choice(PRESETS)) if rng.random() < 0.08 else random_experiment(rng).to_toml()
    for _ in range(int(rng.choice([0, 1, 1, 1, 2, 4]))):
        text = _MISTAKES[int(rng.integers(len(_MISTAKES)))](rng, text)
    return text


def _other_value(rng, text):
    return _replaced(rng, text, _VALUE, " " + str(rng.choice(VALUES)))


def _other_key(rng, text):
    return _replaced(rng, text, _KEY, str(rng.choice(KEYS)))


def _replaced(rng, text, pattern, by):
    found = list(pattern.finditer(text))
    if not found:
        return text
    at = found[int(rng.integers(len(found)))]
    return text[: at.start()] + by + text[at.end() :]


def _new_line(rng, text):
    lines = text.split("\n")
    line = str(rng.choice(HEADERS)) if rng.random() < 0.2 else f"{rng.choice(KEYS)} = {rng.choice(VALUES)}"
    lines.insert(int(rng.integers(len(lines) + 1)), line)
    return "\n".join(lines)


def _lost_line(rng, text):
    lines = text.split("\n")
    del lines[int(rng.integers(len(lines)))]
    return "\n".join(lines)


def _repeated_line(rng, text):
    lines = text.split("\n")
    lines.insert(int(rng.integers(len(lines) + 1)), lines[int(rng.integers(len(lines)))])
    return "\n".join(lines)


def _typed(rng, text):
    at = int(rng.integers(len(text) + 1))
    return text[:at] + str(rng.choice(CHARACTERS)) + text[at + int(rng.integers(0, 2)) :]


def _cut(rng, text):
    ends = sorted(int(end) for end in rng.integers(0, len(text) + 1, 2))
    return text[: ends[1]] if rng.random() < 0.5 else text[: ends[0]] + text[ends[1] :]


_MISTAKES = (_other_value, _other_value, _other_value, _other_key, _new_line, _lost_line, _repeated_line, _typed, _cut)
