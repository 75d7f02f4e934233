"""Everything that was found in; days.md and the record of days.json out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onwrist.readers.fitbit_grid import Person

from . import tables
from .contestants import OURS, VARIANTS
from .evidence import AGAINST, Degradation, ProbeResult, Summary
from .folds import Fold
from .statistics import LEAST_PEOPLE
from .tables import ORDER
from .tasks import DAY_MINUTES, GAPS, LEAST_DAYS, LEAST_GAPS, SEED
from .tokens import Likeness

RESTS_ON = """\
Heart rate is judged on the people whose heart rate is `raw`, each by models that saw nobody
of their fold's test set. `derived` minutes (rounded by a third party) teach and are never
asked for. Of the people marked `withheld` the original has heart rate and this copy does
not: that is no watch without the sensor, so nothing here counts or shows them as natural
absence of heart rate. They take part with their activity, in training (where the missing
heart rate is a mask that is inherited, or is filled, as any other) and in the probe. `none`
wore a device without the sensor.

The export writes 0 steps for a device that lies on a table. For people with heart rate, runs
of at least 60 minutes with neither heart rate nor steps were taken out as not worn; for the
others nothing tells these minutes, and they stay.
"""
TASKS = f"""\
A window is 1440 minutes and begins at any minute. Gaps lie in worn time with observed heart
rate and activity (at least 90 % of the gap; a patch of the random task with any); errors are
over the observed ones of the hidden minutes. Up to {GAPS} gaps a person and setting, no two
of one setting nearer than half a gap, drawn from seed {SEED}; all of them, with every
contestant's error, are in days.json. *Activity there*: "known" leaves steps and intensity in
the gap, "hidden too" takes them out of the very same minutes. Random imputation hides that
share of those of the 72 patches that have heart rate, and with "hidden too" the same patches'
activity; the rest of activity is always known. A whole day is a calendar day with at least
{DAY_MINUTES} minutes of heart rate, all of which is hidden; nothing but activity is left.

A person's row, and their part in a mean, needs {LEAST_GAPS} gaps on {LEAST_DAYS} days, a mean
{LEAST_PEOPLE} people; else the table says "not enough data".

- *linear* runs between the neighbouring minutes, or between means of the 5 on either side:
  of both, whichever is better in that setting, on these very gaps.
- *person's mean*, *by hour*: of all their other days, which no other contestant is shown.
- *ridge*, *boosting*: on current, lagged and leading activity and its difference to the gap's
  edges, added to the line; one of each a setting, up to 15,000 minutes of each of the people
  in the fold's training set with heart rate, other gaps of the same kind. The penalty of
  ridge is chosen on training people left out.
"""
INTERVALS = """\
Mean over people of the differences in bpm; below zero the model is better. In brackets 95 %
of 2000 bootstrap draws of people and, within them, days; bold where it excludes zero. Last,
on how many people the model is better. Five or six people are few for a bootstrap: such
intervals are rather too narrow.
"""
DEGRADED = """\
Error with the removal, and what share of the error without it is added [95 %]; bold above
27 %, under which the LSM-2 paper stays in all of its twelve settings. Heart rate: gaps of 60
minutes, activity known but for what is removed. Active minutes: the probe, taught with whole
days, asked every fifth hour of all people. *half* removes half of the patches, drawn at
random. People without heart rate lose nothing with it, which keeps those rows of the probe
small by construction.
"""
PROBE = """\
Active minutes (intensity above 0) of the next hour, at every full hour whose next hour and at
least half of whose last day were observed; a ridge regression on the embedding, the same on
lagged activity. For people without heart rate, hours of a device on a table count as still.
"""
TOKENS = """\
Heart-rate patches of windows of a person the model never saw, at the decoder's last layer:
data tokens, mask tokens where we hid a heart rate, and mask tokens where there was none. AUC:
a logistic regression between two kinds on windows that it was not fitted to. Cosines are of
vectors less the mean over all three. This says how differently the decoder treats what it was
given and what it has to guess, and no more: a mask token begins as another vector than a data
token, so that a decoder with random weights tells them apart as well (AUC, untrained). Most
natural gaps are hours in which the device was not worn, at other times of day and without
activity beside them, and may be told from hidden patches by that alone.
"""

CARD = """\
Of six models of this configuration, each judged on a person whom it never saw; the weights
of this bundle were trained on everybody. Mean absolute error in bpm, mean over people (pooled
over gaps); activity is known in the gap. Then the differences [95 %], below zero the model is
better, and on how many people it is. `python benchmarks/days.py` has all of it.
"""


@dataclass(frozen=True)
class Results:
    """What days.py found."""

    conditions: Mapping[str, str]
    people: Sequence[Person]
    folds: Sequence[Fold]
    summaries: Sequence[Summary]
    heart: Mapping[str, Sequence[Degradation]]
    active: Mapping[str, Sequence[Degradation]]
    probes: Mapping[str, ProbeResult]
    likenesses: Mapping[str, Sequence[Likeness]]
    untrained: Mapping[str, Sequence[Likeness]]
    steps: int


def markdown(found: Results, conditions: str) -> str:
    """The whole report."""
    summaries = found.summaries
    ablation = [name for name in VARIANTS if name != OURS]
    judges = [fold.judge for fold in found.folds]
    return "\n".join(
        [
            "# The day model, held to what one would do without it\n",
            conditions,
            "## What it rests on\n",
            RESTS_ON,
            tables.people(found.people, found.folds),
            "## Heart rate in gaps\n",
            TASKS,
            "Mean absolute error in bpm, mean over people (pooled over gaps).\n",
            tables.errors(summaries, (*ORDER, OURS)),
            INTERVALS,
            tables.differences(summaries, AGAINST, OURS),
            "What was asked for:\n",
            tables.verdicts(summaries, OURS),
            f"Each person: linear / ridge / boosting / {OURS}.\n",
            tables.by_person(summaries, (*AGAINST, OURS), judges),
            "![Error by length of the gap](by_length.png)\n",
            "![Error of each person](by_person.png)\n",
            "## Inheriting the mask against filling gaps\n",
            f"The same model, seed, batches and budget ({found.steps} steps); what is missing "
            "is masked, or filled before an ordinary masked autoencoder.\n",
            tables.errors(summaries, tuple(VARIANTS)),
            tables.differences(summaries, ablation, OURS),
            "## Something taken away\n",
            DEGRADED,
            tables.degradations(found.heart, found.active),
            tables.resting_on(found.heart, found.active),
            "![Added error by removal](degradation.png)\n",
            "## The next hour\n",
            PROBE,
            tables.probes(found.probes),
            "## Tokens that are guessed\n",
            TOKENS,
            tables.likenesses(found.likenesses, found.untrained),
            "![Tokens](tokens.png)\n",
        ]
    )


def card(found: Results) -> str:
    """What a bundle's card says of it."""
    known = [summary for summary in found.summaries if summary.setting.activity]
    return "\n".join(
        [
            "## Heart rate in gaps\n",
            CARD,
            tables.errors(known, ("linear", "ridge", "boosting", OURS)),
            tables.differences(known, AGAINST, OURS),
        ]
    )


def record(found: Results) -> dict[str, Any]:
    """The same for programs; the people without their minutes."""
    return {
        "conditions": found.conditions,
        "steps": found.steps,
        "folds": found.folds,
        "people": {person.subject: person.heart_rate for person in found.people},
        "settings": [
            {
                "setting": summary.setting.name,
                "estimates": summary.estimates,
                "differences": summary.differences,
            }
            for summary in found.summaries
        ],
        "heart rate without": found.heart,
        "active minutes without": found.active,
        "probe": found.probes,
        "tokens": found.likenesses,
        "tokens, untrained": found.untrained,
    }
