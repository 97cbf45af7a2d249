"""Changes one object of what a clean run landed, rebuilds, and asks the register: `python -m tests.hostile.mutation --seed 7`.

Every field that carries money is changed in its turn (`money_fields.yml` says which those are, how each is changed, and why the
rest carries none), on an object by chance. The register must name that object with that amount; a sample is rebuilt by dbt
itself and must come to the same register.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.hostile.evidence import Evidence, Field, Mutation
from tests.hostile.rebuild import Break, Rebuild
from tests.worlds import demo, small_company

EXACT, SEVERAL, INEXACT, UNSEEN = "exactly", "with others", "inexactly", "not at all"


@dataclass(frozen=True)
class Verdict:
    """What the register said of a mutation that it had not said before. `how`: one of the four words above."""

    mutation: Mutation
    breaks: tuple[Break, ...]
    how: str

    def __str__(self) -> str:
        field, said = self.mutation.field, "; ".join(map(_sentence, self.breaks[:4])) or "nothing"
        wanted = " or ".join(map(str, sorted(self.mutation.amounts))) if self.mutation.amounts else "any"
        return f"{self.how}: {field}, {self.mutation.object_id} {self.mutation.told} (worth {wanted}): {said}"


@dataclass(frozen=True)
class Outcome:
    verdicts: tuple[Verdict, ...]
    disagreements: tuple[str, ...]
    sampled: int

    def count(self, how: str) -> int:
        return sum(verdict.how == how for verdict in self.verdicts)

    @property
    def is_clean(self) -> bool:
        return not (self.count(UNSEEN) or self.count(INEXACT) or self.disagreements)


def mutate(rebuild: Rebuild, mutations: int, sampled: int, seed: int, only: str = "") -> Outcome:
    """Raises Unlisted when a field landed that nobody has looked at."""
    evidence, chance = Evidence(rebuild.connection), random.Random(seed)
    before = set(rebuild.register())
    verdicts: list[Verdict] = []
    disagreements: list[str] = []
    fields = [field for field in evidence.fields if only in str(field)]
    every = max(1, mutations // sampled) if sampled else 0
    for mutation in _chosen(evidence, fields, chance, mutations):
        stream = mutation.field.stream
        register = rebuild.after(stream, mutation.apply)
        verdicts.append(verdict(mutation, [found for found in register if found not in before]))
        if every and len(verdicts) % every == 0 and set(rebuild.in_full(stream, mutation.apply)) != set(register):
            disagreements.append(
                f"rebuilt in full, the register is another after {mutation.field}, {mutation.object_id}"
            )
    return Outcome(tuple(verdicts), tuple(disagreements), len(verdicts) // every if every else 0)


def verdict(mutation: Mutation, breaks: Sequence[Break]) -> Verdict:
    if not breaks:
        return Verdict(mutation, (), UNSEEN)
    exact = [found for found in breaks if _names(found, mutation) and _amounts(found, mutation)]
    if not exact:
        return Verdict(mutation, tuple(breaks), INEXACT)
    return Verdict(mutation, tuple(breaks), EXACT if len(breaks) == 1 else SEVERAL)


def _chosen(evidence: Evidence, fields: Sequence[Field], chance: random.Random, count: int) -> Iterator[Mutation]:
    """Every field as often as the others, in an order of its own each time round."""
    given = 0
    while given < count:
        round_began_with = given
        for field in chance.sample(fields, len(fields)):
            if given < count and (mutation := evidence.mutation(field, chance)):
                given += 1
                yield mutation
        if given == round_began_with:
            return


def _names(found: Break, mutation: Mutation) -> bool:
    told = [found.left_ref, found.right_ref, found.match_key, *json.loads(found.evidence or "{}").values()]
    parts = {
        part for ref in told if isinstance(ref, str) for each in ref.split(",") for part in (each, *each.split("/"))
    }
    return any(fnmatchcase(part, name) for part in parts for name in mutation.names)


def _amounts(found: Break, mutation: Mutation) -> bool:
    return mutation.amounts is None or abs(found.difference) in mutation.amounts


def _sentence(found: Break) -> str:
    where = f"{found.left_ref} {found.left_amount.normalize():f} | {found.right_ref} {found.right_amount.normalize():f}"
    return (
        f"{found.comparison} {found.cause} ({found.status}) {where} {found.currency}: {found.difference.normalize():f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--sampled", type=int, default=10, help="how many of them are rebuilt in full too")
    parser.add_argument("--only", default="", help="fields whose `stream path: kind` has this in it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tieout-mutation-") as name:
        folder = Path(name)
        run = demo(small_company(folder, "none", arguments.seed), folder / "home")
        with Rebuild(run.warehouse, folder / "rebuild", run.dataset / "orb" / "events.jsonl") as rebuild:
            outcome = mutate(rebuild, arguments.mutations, arguments.sampled, arguments.seed, arguments.only)
    for found in outcome.verdicts:
        if found.how in (UNSEEN, INEXACT, SEVERAL):
            sys.stderr.write(f"{found}\n")
    sys.stderr.writelines(f"{sentence}\n" for sentence in outcome.disagreements)
    short = Counter(
        (found.how, str(found.mutation.field)) for found in outcome.verdicts if found.how in (UNSEEN, INEXACT)
    )
    for (how, field), count in sorted(short.items()):
        sys.stderr.write(f"named {how} {count} times: {field}\n")
    sys.stdout.write(
        f"mutation-test: {len(outcome.verdicts)} mutations of {len({v.mutation.field for v in outcome.verdicts})} fields, "
        f"{outcome.count(EXACT)} named exactly and alone, {outcome.count(SEVERAL)} exactly {SEVERAL}, "
        f"{outcome.count(INEXACT)} inexactly, {outcome.count(UNSEEN)} not at all (target 0 and 0), "
        f"{len(outcome.disagreements)} of {outcome.sampled} full rebuilds differ (target 0), seed {arguments.seed}\n"
    )
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
