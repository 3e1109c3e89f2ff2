"""`import optunasearch` against `import optuna, sklearn.model_selection`.

Seconds of the import statement in a fresh interpreter that has imported nothing else, with
a byte-compiled copy of the package as `pip install` makes one. A B A B after one uncounted
round.
"""

from __future__ import annotations

from functools import partial

from _interpreter import installed_package, run
from _timing import begin, in_turn, parser, ratio, report

SCRIPT = """
import time
start = time.perf_counter()
{imports}
print(time.perf_counter() - start)
"""


def main() -> None:
    args = begin(parser(__doc__, rounds=25))
    with installed_package() as environment:

        def seconds_to(imports: str) -> float:
            return float(run(environment, "-c", SCRIPT.format(imports=imports)))

        seconds = in_turn(
            {
                "optunasearch": partial(seconds_to, "import optunasearch"),
                "optuna and sklearn": partial(seconds_to, "import optuna, sklearn.model_selection"),
            },
            args.rounds,
        )
    measured = ratio(seconds["optunasearch"], seconds["optuna and sklearn"])
    report("import", measured, 1.1)


if __name__ == "__main__":
    main()
