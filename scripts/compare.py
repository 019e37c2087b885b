"""Compares recurrent cells: trainings of equal size, several seeds each -> a report, report.html and report.md."""

import json
import logging
import math
import shlex
import sys

import command

CELLS = "simple_rnn,gru,lstm"
DELAYS = "0.25,0.5,1,2,4,8"


def main(arguments) -> None:
    from pipeline.config import load_config
    from pipeline.errors import InputError

    for option in ("seeds", "memory_steps", "adding_steps"):
        if getattr(arguments, option) < 1:
            raise InputError(f"--{option.replace('_', '-')}: 1 or more wanted, found {getattr(arguments, option)}")
    rates = _numbers("--learning-rates", arguments.learning_rates)
    delays = _numbers("--memory", arguments.memory)
    lengths = [round(length) for length in _numbers("--adding", arguments.adding)]
    if lengths and min(lengths) < 10:
        raise InputError(f"--adding: lengths of 10 or more wanted, found {min(lengths)}")
    if arguments.minutes is not None and not 0 < arguments.minutes < math.inf:
        raise InputError(f"--minutes: more than 0 wanted, found {arguments.minutes:g}")
    settings = load_config(arguments.config, arguments.overrides)
    command.load_tensorflow_to_train()
    from pipeline.study.memory import MemoryTask
    from pipeline.study.report import make_report
    from pipeline.study.results import Results
    from pipeline.study.trainings import Plan
    from pipeline.study.variants import Variant

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr, force=True)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # each training compiles its own functions
    cells, forms = ([name.strip() for name in names.split(",")] for names in (arguments.cells, arguments.variants))
    variants = tuple(Variant(cell, form) for form in forms for cell in cells)
    results = Results(arguments.out)
    if not arguments.report_only:
        plan = Plan(variants, arguments.seeds, rates, arguments.minutes, arguments.tolerance)
        task = MemoryTask(delays, steps=arguments.memory_steps, speech=arguments.memory_speech)
        called = f"python scripts/compare.py {shlex.join(sys.argv[1:])}"
        results.begin(settings, [arguments.config, *arguments.overrides])
        with results.made_by(called):
            _measure(settings, plan, task, lengths, arguments.adding_steps, results)
    make_report(results)
    print(f"{results.folder}: report.html and report.md of {len(results.values['trainings'])} trainings")


def _measure(settings, plan, task, lengths: list[int], adding_steps: int, results) -> None:
    from pipeline.study.adding import AddingProblem, run_adding
    from pipeline.study.gradients import measure_gradient_flow
    from pipeline.study.memory import check_memory, run_memory
    from pipeline.study.trainings import run_trainings

    def epoch(name: str, metrics: dict) -> None:
        tell(f"{name}: epoch {metrics['epoch']}, WER {metrics['wer']:.1%} on the validation data")

    if task.delays:
        check_memory(settings, task)
    run_trainings(settings, plan, results, epoch)
    if task.delays:
        run_memory(settings, plan, task, results, lambda name, record: tell(f"memory, {name}: {_told(record)}"))
    problems = [AddingProblem(length, adding_steps) for length in lengths]
    cells = list(dict.fromkeys(variant.cell for variant in plan.variants))
    run_adding(
        cells,
        problems,
        settings.seed,
        results,
        lambda name, found: tell(f"adding problem, {name}: {found['right']:.0%} right"),
    )
    measure_gradient_flow(results)


def tell(line: str) -> None:
    print(line, flush=True)


def _told(record: dict) -> str:
    if record["failed"] is not None:
        return f"failed, {record['failed']}"
    return "; ".join(f"{kind} {json.dumps(shares)}" for kind, shares in record["success"].items())


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """None at all of "none"."""
    from pipeline.errors import InputError

    if text == "none":
        return ()
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = (math.nan,)
    if not all(0 < number < math.inf for number in numbers):
        raise InputError(f"{option}: numbers above 0 with commas between them wanted, found {text!r}")
    return numbers


arguments = command.parser(
    __doc__, "python scripts/compare.py configs/compare_digits.yaml --cells simple_rnn,lstm --out runs/rnn_and_lstm"
)
arguments.add_argument("config", metavar="CONFIG", help="its model's number of parameters is what all variants get")
arguments.add_argument("overrides", metavar="key=value", nargs="*", help="settings that override the file's")
arguments.add_argument(
    "--out", metavar="FOLDER", required=True, help="results and reports; the same again goes on there"
)
arguments.add_argument("--cells", default=CELLS, help="with commas between them (default: %(default)s)")
arguments.add_argument(
    "--variants", default="plain", help="of each cell: plain, norm, bidirectional, bidirectional+norm (default: plain)"
)
arguments.add_argument("--seeds", type=int, default=3, help="of each variant; more add to those there are (default: 3)")
arguments.add_argument("--minutes", type=float, help="of training each; default: the configuration's training.epochs")
arguments.add_argument(
    "--learning-rates", metavar="X,X", default="none", help="train with each; default: the configuration's"
)
arguments.add_argument(
    "--tolerance", type=float, default=0.02, help="how far parameter counts may be off, a share (default: %(default)s)"
)
arguments.add_argument(
    "--memory", metavar="S,S", default=DELAYS, help="delays in seconds, or none (default: %(default)s)"
)
arguments.add_argument(
    "--memory-steps", metavar="N", type=int, default=1500, help="of a training (default: %(default)s)"
)
arguments.add_argument(
    "--memory-speech", choices=["config", "synthesized"], default="config", help="single words (default: %(default)s)"
)
arguments.add_argument("--adding", metavar="N,N", default="50", help="lengths, or none (default: %(default)s)")
arguments.add_argument("--adding-steps", metavar="N", type=int, default=1500, help="(default: %(default)s)")
arguments.add_argument("--report-only", action="store_true", help="no training: the reports again from results.json")

if __name__ == "__main__":
    command.run(main, arguments)
