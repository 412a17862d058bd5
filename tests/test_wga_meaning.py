"""Worst-group accuracy has one meaning wherever it is said, and intervals that hold where groups tie.

`wga` is the least of the groups' mean accuracies, `wga_per_run` the mean over replicates of the least accuracy. Both
are taken here from the stored accuracies themselves, and differ by over .002 in every method.
"""

import json
import re
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from report_cases import tiny
from scipy.stats import binom, t
from sweep_cases import small

import llrsim
from llrsim._io import read_rows, write_rows
from llrsim.commands import main
from llrsim.model.losses import Status
from llrsim.outcome import interval_of_least, of_least_mean
from llrsim.plots import wga_table
from llrsim.plots.wga import WGA_LABEL
from llrsim.report import write_report
from llrsim.report.chapter import MEANINGS
from llrsim.report.chapter import swept as report_rows
from llrsim.studies import study
from llrsim.studies.concluding import TABLE, conclude
from llrsim.studies.evidence import gain_in_replicates, measured_cells
from llrsim.sweep import StoreError, open_results, run_sweep
from llrsim.sweep.folder import NUMERICS
from llrsim.sweep.format import CHECKED, FILE, checksum
from llrsim.sweep.results import status_of
from llrsim.sweep.verify import merge_results, verify_results

REPLICATES, GROUPS = 6, 4
AXES = "heldout.minority_ratio", "train.n"
OLD_NAMES = re.compile(r"wga.of.means|mean.worst|\bseen\b", re.IGNORECASE)


def cell():
    """Both minorities are alike in training and all groups in the held-out set, so that groups are near a tie."""
    grid = {"heldout.minority_ratio": [1.0], "train.n": [80, 120]}
    return small(train__proportions=[0.4, 0.1, 0.1, 0.4], sweep__replicates=REPLICATES, sweep__grid=grid)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    run_sweep(cell(), out=folder, jobs=1)
    return folder


def accuracies(folder):
    """(train.n, method) -> (R, G), read from the database's own bytes: accuracies end a head."""
    with sqlite3.connect(folder / FILE) as connection:
        rows = connection.execute(
            "SELECT cells.axes, m.label, head FROM cells JOIN cell_methods AS m USING (cell) "
            "JOIN rows AS r ON r.law = cells.law AND r.method = m.method ORDER BY replicate"
        ).fetchall()
    connection.close()
    found = {}
    for axes, label, head in rows:
        found.setdefault((json.loads(axes)["train.n"], label), []).append(np.frombuffer(head)[-GROUPS:])
    return {place: np.array(values) for place, values in found.items()}


def expected(values):
    """`wga` with error and interval, and `wga_per_run` with its error, from (R, G)."""
    means, errors = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
    half = t.ppf(1 - 0.025 / values.shape[1], len(values) - 1) * errors
    least = values.min(axis=1)
    return {
        "wga": means.min(),
        "wga_se": errors[means.argmin()],
        "wga_low": (means - half).min(),
        "wga_high": (means + half).min(),
        "wga_per_run": least.mean(),
        "wga_per_run_se": least.std(ddof=1) / np.sqrt(len(values)),
    }


def command(capsys, *words):
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def flat(record):
    """A method's record with errors and interval beside the numbers."""
    errors = {f"{name}_se": record["standard_error"][name] for name in ("wga", "wga_per_run")}
    return record | errors | dict(zip(("wga_low", "wga_high"), record["wga_interval"], strict=True))


def from_api(folder, tmp_path, capsys):
    """Outcomes' own numbers, their rows and their records."""
    for found in open_results(folder).outcomes():
        for method, row in zip(found.simulation, found.simulation.rows(), strict=True):
            summary, low_high = method.summary(), method.wga_interval
            told = {"wga": method.wga, "wga_low": low_high[0], "wga_high": low_high[1]}
            told |= {"wga_per_run": method.wga_per_run, "wga_se": summary["wga"].standard_error}
            place = found.axes["train.n"], method.label
            yield place, told
            yield place, row
            record = method.to_dict()
            ends = dict(zip(("wga_low", "wga_high"), record["wga_interval"], strict=True))
            yield (
                place,
                record | ends | {f"{name}_se": record["standard_error"][name] for name in ("wga", "wga_per_run")},
            )


def from_results(folder, tmp_path, capsys):
    for row in open_results(folder).rows():
        yield (row["train.n"], row["method"]), row


def from_csv(folder, tmp_path, capsys):
    """What a sweep leaves, and what is exported."""
    command(capsys, "export", folder, "--csv", tmp_path / "rows.csv")
    for row in read_rows(tmp_path / "rows.csv"):
        yield (row["train.n"], row["method"]), row


def from_the_command_line(folder, tmp_path, capsys):
    for n in (80, 120):
        path = tmp_path / f"{n}.toml"
        path.write_text(cell().with_values({"train.n": n, "sweep.grid": {}}).to_toml(), encoding="utf-8")
        told = json.loads(command(capsys, "simulate", path, "--replicates", REPLICATES, "--json"))
        for label, record in told["methods"].items():
            yield (n, label), flat(record)


def from_plots(folder, tmp_path, capsys):
    names = {"wga": "simulated_wga", "wga_low": "interval_low", "wga_high": "interval_high"}
    for row in wga_table(open_results(folder)):
        yield (row["train.n"], row["method"]), {name: row[key] for name, key in names.items()}


def from_the_report(folder, tmp_path, capsys):
    for row in report_rows(open_results(folder).rows()):
        yield (row["train.n"], row["method"]), row


def from_studies(folder, tmp_path, capsys):
    for row in measured_cells(open_results(folder), lambda axes: {"n": axes["train.n"]}):
        yield (row["n"], row["method"]), row


PLACES = [from_api, from_results, from_csv, from_the_command_line, from_plots, from_the_report, from_studies]


@pytest.mark.parametrize("place", PLACES)
def test_wga_means_one_thing(place, folder, tmp_path, capsys):
    """In every place that says `wga` or `wga_per_run`, the number is that of the stored accuracies."""
    known = {at: expected(values) for at, values in accuracies(folder).items()}
    assert len(known) == 4
    for numbers in known.values():
        assert numbers["wga"] > numbers["wga_per_run"] + 0.002  # so that one cannot be taken for the other
    met = set()
    for at, row in place(folder, tmp_path, capsys):
        met.add(at)
        assert not [name for name in row if OLD_NAMES.search(name)]
        assert row["wga"] == pytest.approx(known[at]["wga"], rel=1e-9)
        for name in known[at].keys() & row.keys():
            assert row[name] == pytest.approx(known[at][name], rel=1e-9), name
    assert met == known.keys()


def test_a_prediction_has_the_same_wga_and_none_per_run(folder):
    for found in open_results(folder).outcomes():
        for method in found.prediction:
            least = method.readout.group_accuracy[0].min()
            assert method.wga == least
            assert method.wga_per_run is None
            assert method.wga_interval is None
            for record in (method.to_dict(), method.row(), method.summary()):
                assert "wga_per_run" not in record
    rows = open_results(folder).rows()
    assert all(row["predicted_wga"] == min(v for k, v in row.items() if k.startswith("predicted_acc")) for row in rows)
    assert not any("predicted_wga_per_run" in row for row in rows)


def test_gains_are_differences_of_wga(folder):
    """Of studies and of attributions: paired values of the two worst groups, by SciPy's interval."""
    known = accuracies(folder)
    for row in measured_cells(open_results(folder), lambda axes: {"n": axes["train.n"]}, against={"dfr": "erm"}):
        if row["method"] == "dfr":
            ends = [known[row["n"], label] for label in ("dfr", "erm")]
            first, second = (values[:, values.mean(axis=0).argmin()] for values in ends)
            assert row["gain"] == pytest.approx(ends[0].mean(axis=0).min() - ends[1].mean(axis=0).min(), abs=1e-12)
            assert row["gain_se"] == pytest.approx((first - second).std(ddof=1) / np.sqrt(REPLICATES), rel=1e-9)
    explained = llrsim.explain(cell().with_values({"sweep.grid": {}}), replicates=5, side="simulation")["dfr"]
    cells = explained.to_dict()["cells"]
    for one in cells:
        assert one["wga"] == min(one["group_accuracy"])
    assert explained.gain.mean == pytest.approx(cells[-1]["wga"] - cells[0]["wga"], abs=1e-12)


def test_a_gain_is_over_the_replicates_in_which_both_methods_have_heads(folder):
    """And so are both worst groups: with one replicate lost of each, of other ones."""
    found = next(iter(open_results(folder).outcomes())).simulation
    lost = {}
    for label, replicate in (("erm", 1), ("dfr", 4)):
        status = found[label].status.copy()
        status[replicate] = Status.SEPARABLE
        lost[label] = replace(found[label], status=status)
    both = np.array([0, 2, 3, 5])
    ends = [found[label].readout.group_accuracy[both] for label in ("dfr", "erm")]
    gain = gain_in_replicates(lost["dfr"], lost["erm"])
    assert np.isnan(gain).tolist() == [replicate not in both for replicate in range(REPLICATES)]
    assert gain[both].mean() == pytest.approx(ends[0].mean(axis=0).min() - ends[1].mean(axis=0).min(), abs=1e-14)


def test_words_say_which_is_meant():
    assert "least of the groups' mean accuracies" in MEANINGS["wga"]
    assert "own least group accuracy" in MEANINGS["wga_per_run"]
    assert "least of the groups' mean accuracies" in WGA_LABEL


def test_the_study_of_single_runs_uses_wga_per_run(tmp_path):
    small_runs = {"features.noise.dim": 4, "train.n": 200, "sweep.replicates": 4}
    experiment = llrsim.load("e14").with_values(small_runs)
    experiment = experiment.with_values({"sweep.grid": {"heldout.n": [40, 80], "heldout.minority_ratio": [0.05, 1.0]}})
    results = run_sweep(experiment, out=tmp_path, jobs=1)
    rows = study("e14").table(results)
    values = {tuple(c.axes.values()): c.simulation["llr"].readout.group_accuracy for c in results.outcomes()}
    least = {at: accuracy.min(axis=1) for at, accuracy in values.items()}
    for row in rows:
        if row["part"] == "cell":
            at = row["n"], row["ratio"]
            assert row["wga"] == pytest.approx(values[at].mean(axis=0).min(), rel=1e-12)
            assert row["wga_per_run"] == pytest.approx(least[at].mean(), rel=1e-12)
            assert row["spread"] == pytest.approx(least[at].std(ddof=1), rel=1e-12)
            assert not any(OLD_NAMES.search(name) or name == "predicted_wga_per_run" for name in row)
        if row["part"] == "balance":
            assert row["difference"] == pytest.approx(least[80, 1.0].mean() - least[80, 0.05].mean(), abs=1e-12)


def made_older(folder):
    """Make the folder one of the numbers version before, sealed as if it had been written then."""
    with sqlite3.connect(folder / FILE) as connection:
        connection.create_function("checksum", -1, lambda *told: checksum(told))
        for table in ("sweep", "rows", "predictions", "networks"):
            connection.execute(f"UPDATE {table} SET numerics = ?", (NUMERICS - 1,))
            connection.execute(f"UPDATE {table} SET checksum = checksum({', '.join(CHECKED[table])})")
    connection.close()


def test_folders_of_older_numbers_are_shown_by_today_s_names(tmp_path, capsys):
    run_sweep(cell(), out=tmp_path / "new", jobs=1)
    run_sweep(cell(), out=tmp_path / "old", jobs=1)
    made_older(tmp_path / "old")
    fresh, old = (open_results(tmp_path / name) for name in ("new", "old"))
    assert old.rows() == fresh.rows()
    assert [row["method"] for row in old.select("dfr")] == ["dfr", "dfr"]
    for one, other in zip(old.outcomes(), fresh.outcomes(), strict=True):
        assert repr(one.simulation) == repr(other.simulation)
        assert one.prediction["dfr"].wga == other.prediction["dfr"].wga
    for name in ("new", "old"):
        command(capsys, "export", tmp_path / name, "--csv", tmp_path / f"{name}.csv")
    assert (tmp_path / "old.csv").read_bytes() == (tmp_path / "new.csv").read_bytes()
    assert status_of(tmp_path / "old").rows_done == 2 * 2 * REPLICATES
    page = write_report(tmp_path / "old", tmp_path / "page.html").path.read_text(encoding="utf-8")
    assert "WGA per run" in page
    told = f"numbers version {NUMERICS - 1}; this llrsim has"
    for changes in (
        lambda: run_sweep(cell(), out=tmp_path / "old", jobs=1),
        lambda: verify_results(tmp_path / "old"),
        lambda: merge_results(tmp_path / "both", [tmp_path / "old", tmp_path / "new"]),
    ):
        with pytest.raises(StoreError, match=told):
            changes()


def test_a_study_s_table_of_another_meaning_is_not_shown(tmp_path):
    """A study.csv that was written before `TABLE` is computed anew from the folder; one of today's is read."""
    run_sweep(tiny(), out=tmp_path, jobs=1)
    conclude(open_results(tmp_path), command="")
    rows = read_rows(tmp_path / "study.csv")
    assert {row["table"] for row in rows} == {TABLE}

    def page(changed):
        write_rows(changed, tmp_path / "study.csv")
        return write_report(tmp_path, tmp_path / "page.html").path.read_text(encoding="utf-8")

    marked = [row | ({"method": "of-the-file"} if row["method"] == "llr" else {}) for row in rows]
    assert "of-the-file" in page(marked)
    assert "of-the-file" not in page([{name: row[name] for name in row if name != "table"} for row in marked])


def covered(draw, interval, truth, trials=2000):
    """How many of `trials` intervals hold the truth."""
    rng = np.random.default_rng(0)
    ends = [interval(draw(rng)) for _ in range(trials)]
    return sum(low <= truth <= high for low, high in ends)


def of_attaining_group(values):
    """The t interval of the group whose mean is least, as if it had been chosen beforehand: the negative control."""
    chosen = values[:, values.mean(axis=0).argmin()]
    half = t.ppf(0.975, len(values) - 1) * chosen.std(ddof=1) / np.sqrt(len(values))
    return chosen.mean() - half, chosen.mean() + half


def of_least(values):
    return interval_of_least(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)), len(values))


def scaled(values):
    """The values, scaled into [0, 1], where the intervals of accuracies end."""
    return 0.4 + 0.01 * values


LAWS = {
    "four that tie": (np.zeros(4), np.ones(4)),
    "a wide one just below": (np.array([0.2, 0.0]), np.array([0.05, 1.0])),
    "one alone": (np.array([0.0, 9.0, 9.0, 9.0]), np.ones(4)),
}


@pytest.mark.parametrize("law", LAWS)
def test_the_interval_of_the_least_mean_covers_at_ties(law):
    """At 95 %, of 2000: fewer than the .0005 quantile of Bin(2000, .95) is a false alarm, .0015 for all three laws."""
    means, deviations = LAWS[law]
    least = binom.ppf(0.0005, 2000, 0.95)

    def draw(rng):
        return scaled(means + deviations * rng.standard_normal((20, len(means))))

    assert covered(draw, of_least, scaled(means.min())) >= least
    if law != "one alone":
        assert covered(draw, of_attaining_group, scaled(means.min())) < least


def test_the_interval_of_the_least_mean_of_one_group_is_students():
    values = scaled(np.random.default_rng(1).standard_normal((9, 1)))
    assert of_least(values) == pytest.approx(of_attaining_group(values), rel=1e-12)


@pytest.mark.parametrize(("groups", "share"), [(1, 0.95), (2, 0.975**2 - 0.025**2), (4, 0.975**4 - 0.025**4)])
def test_what_ties_do_to_the_interval_of_a_contrast_is_as_documented(groups, share):
    """Of a gain over a head that does not tie: the shares in `of_least_mean`, each within 4.5 standard errors."""

    def interval(values):
        gain = of_least_mean(values)
        half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
        return gain.mean() - half, gain.mean() + half

    found = covered(lambda rng: rng.standard_normal((200, groups)), interval, 0.0)
    assert abs(found / 2000 - share) < 4.5 * np.sqrt(share * (1 - share) / 2000)


def test_the_least_mean_is_taken_over_replicates_of_each_cell():
    values = np.random.default_rng(2).uniform(size=(3, 5, 7, 4))
    found = of_least_mean(values)
    for at in np.ndindex(3, 5):
        np.testing.assert_array_equal(found[at], values[at][:, values[at].mean(axis=0).argmin()])
