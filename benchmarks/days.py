"""What the day model is worth: heart rate in gaps, what masking adds, what loss costs.

    python benchmarks/days.py ../shared/data/fitbit_furberg2016 -o benchmarks/results/days

Six folds, each with one person of raw heart rate and a share of the others; nobody in a
fold's test set is in its training. What is not under --checkpoints is trained, three models
a fold (hours on one core); baselines are fitted once and kept there, too. Writes days.md for
people, card.md for the card of a bundle, days.json (every gap and error, too) for programs,
and four figures. All draws are from fixed seeds.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from common import conditions, listed
from days import baselines, contestants, evidence, figures, report, scores, tokens
from days.contestants import OURS, VARIANTS
from days.folds import folds
from days.missingness import removals
from days.probe import hours_of
from days.tasks import Gap, Setting, gaps_of, settings

from onwrist.readers.fitbit_grid import Person
from onwrist.readers.fitbit_grid import people as read_people
from onwrist_export.days.config import DEFAULT, load_day_config

REMOVED_FROM = Setting("interpolation", 60, activity=True)
TOKENS_FROM = ("random", 50)
# Every so many hours are asked for with something removed; 5 has no divisor with 24 in common.
EVERY = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="the minute grid, or the folder that holds it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--checkpoints", type=Path, default=Path("out/days"), help="folder")
    parser.add_argument("--config", type=Path, default=DEFAULT, help="TOML of the day model")
    arguments = parser.parse_args()
    contestants.single_thread()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    config = load_day_config(arguments.config)

    everybody = read_people(arguments.data)
    people = {person.subject: person for person in everybody}
    parts = folds(everybody)
    judges = [fold.judge for fold in parts]
    gaps = gaps_of(everybody)

    scored = [
        scores.Scores.of(people, setting, gaps[setting.task, setting.size]).merged(
            baselines.kept(
                people,
                parts,
                setting,
                gaps[setting.task, setting.size],
                arguments.checkpoints / "baselines",
            )
        )
        for setting in settings()
    ]
    models = {
        variant: [
            contestants.trained(people, fold, variant, config, arguments.checkpoints)
            for fold in parts
        ]
        for variant in VARIANTS
    }
    judged_by = {
        variant: dict(zip(judges, trained, strict=True)) for variant, trained in models.items()
    }
    scored = [
        each.merged(
            {
                variant: contestants.errors(judged_by[variant], people, each.setting, each.gaps)
                for variant in VARIANTS
            }
        )
        for each in scored
    ]
    others = [variant for variant in VARIANTS if variant != OURS]
    summaries = [
        evidence.summarise(each, OURS, (*evidence.AGAINST, *others), judges) for each in scored
    ]

    asked = {person.subject: hours_of(person) for person in everybody}
    answers = evidence.probe_baselines(people, parts, asked)
    some = {subject: own[::EVERY] for subject, own in asked.items()}
    active = {}
    for variant in VARIANTS:
        whole, removed = evidence.probe_answers(
            models[variant], people, parts, asked, some, removals()
        )
        answers = answers.merged(variant, whole)
        active[variant] = removed
    heart = {
        variant: _heart_without(judged_by[variant], people, scored, variant)
        for variant in VARIANTS
    }

    own = {s: [g for g in gaps[TOKENS_FROM] if g.subject == s] for s in judges}
    collected = {
        subject: tokens.collect(judged_by[OURS][subject], people[subject], mine)
        for subject, mine in own.items()
        if mine
    }
    blank = contestants.untrained(config)
    untrained = {
        subject: tokens.likeness(tokens.collect(blank, people[subject], own[subject]))
        for subject in collected
    }
    results = report.Results(
        conditions=conditions() | {"learning": _learning()},
        people=everybody,
        folds=parts,
        summaries=summaries,
        heart=heart,
        active=active,
        probes=evidence.probe_results(answers, list(people)),
        likenesses={s: tokens.likeness(each) for s, each in collected.items()},
        untrained=untrained,
        steps=config.pretrain.steps,
    )
    figures.by_length(summaries, output / "by_length.png")
    figures.by_person(
        summaries, ("linear", "ridge", "boosting", OURS), output / "by_person.png"
    )
    figures.degradation(heart, active, output / "degradation.png")
    figures.tokens(collected, output / "tokens.png")
    (output / "days.md").write_text(report.markdown(results, listed(results.conditions)))
    (output / "card.md").write_text(report.card(results))
    record = report.record(results) | {
        "configuration": arguments.config.name,
        "gaps": {f"{task}/{size}": _places(each) for (task, size), each in gaps.items()},
        "errors": {each.setting.name: _errors(each) for each in scored},
    }
    text = json.dumps(record, default=_plain, separators=(",", ":"))
    (output / "days.json").write_text(text + "\n")
    print(report.markdown(results, listed(results.conditions)))


def _heart_without(
    models: dict[str, contestants.Trained],
    people: dict[str, Person],
    scored: Sequence[scores.Scores],
    variant: str,
) -> list[evidence.Degradation]:
    """Heart rate in gaps of one setting, with each of the twelve removals."""
    base = next(each for each in scored if each.setting == REMOVED_FROM)
    found = []
    for removal in removals():
        worse = contestants.errors(models, people, base.setting, base.gaps, removal)
        pairs = evidence.paired(base, base.errors[variant], worse)
        found.append(evidence.degradation(removal, pairs))
    return found


def _places(gaps: Sequence[Gap]) -> dict[str, list[list[object]]]:
    """By person, each window's first minute and the spans that are hidden in it."""
    found: dict[str, list[list[object]]] = {}
    for gap in gaps:
        spans = ",".join(f"{first}-{last}" for first, last in gap.spans)
        found.setdefault(gap.subject, []).append([gap.start, spans])
    return found


def _errors(each: scores.Scores) -> dict[str, list[float | None]]:
    """Of every contestant on every gap, so that each figure can be recomputed."""
    return {
        name: [None if np.isnan(e) else round(float(e), 2) for e in values]
        for name, values in each.errors.items()
    }


def _learning() -> str:
    names = "torch", "scikit-learn"
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _plain(value: object) -> object:
    """Dataclasses and numpy's numbers for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    return asdict(value)  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
