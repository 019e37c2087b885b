"""`python -m benchmarks.start FOLDER`: a training on FOLDER/manifest.jsonl up to its first batch, as JSON."""

import json
import sys
import time
from pathlib import Path

BEGIN = time.perf_counter()


def main(folder: str) -> None:
    from benchmarks.data import settings
    from benchmarks.memory import most_megabytes
    from pipeline.data.splits import load_splits
    from pipeline.models.acoustic import AcousticModel
    from pipeline.training.trainer import statistics

    configured = settings(Path(folder), {"kind": "manifest", "path": "manifest.jsonl"}, 16, "memory", {})
    few = settings(Path(folder), {"kind": "manifest", "path": "few.jsonl"}, 16, "memory", {})
    lines = (Path(folder) / "manifest.jsonl").open(encoding="utf-8")
    (Path(folder) / "few.jsonl").write_text("".join(line for line, _ in zip(lines, range(100), strict=False)))
    data = configured.data.model_copy(update={"valid": few.data.valid})
    configured = configured.model_copy(update={"data": data})
    splits = load_splits(configured)
    model = AcousticModel(configured, len(splits.units))
    model.normalization.set_statistics(*statistics(model, splits.train))
    next(iter(splits.train))
    print(
        json.dumps(
            {"seconds": time.perf_counter() - BEGIN, "cpu_seconds": time.process_time(), "most_mb": most_megabytes()}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
