"""Times this pipeline and its peers on the same work, in one run."""

import command
from benchmarks import augment, ctc, data, epochs, features, growth, inference, profile, train
from benchmarks.timing import print_rows


def main(arguments) -> None:
    command.check_backend(*arguments.backends)
    print_rows(arguments.work, arguments.measured(arguments), arguments.json)


arguments = command.parser(__doc__, train.EXAMPLE)
works = arguments.add_subparsers(dest="work", metavar="WORK", required=True)
for module in (features, augment, data, ctc, train, epochs, inference, profile, growth):
    work = works.add_parser(
        module.__name__.rpartition(".")[2],
        help=module.__doc__.split("\n")[0],
        description=" ".join(module.measured.__doc__.partition("\n\n")[0].split()),
        epilog=f"example:\n  {module.EXAMPLE}",
        formatter_class=arguments.formatter_class,
    )
    work.set_defaults(measured=module.measured, backends=getattr(module, "BACKENDS", ()))
    module.add_options(work)
    if peers := list(getattr(module, "IMPLEMENTATIONS", {}))[1:]:
        work.add_argument(
            "--without",
            metavar="PEER",
            action="append",
            choices=peers,
            default=[],
            help=f"{', '.join(peers)}: not this one",
        )
    work.add_argument("--json", action="store_true", help="print a JSON object for each implementation")

if __name__ == "__main__":
    command.run(main, arguments)
