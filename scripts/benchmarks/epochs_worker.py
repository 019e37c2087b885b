"""`python -m benchmarks.epochs_worker IMPLEMENTATION FOLDER CONFIG [key=value ...]`: a training, as `epochs` wants it.

It waits for a line on stdin before each epoch, and prints what metrics.json holds of it as JSON.
"""

import json
import sys


def main(implementation: str, folder: str, config: str, *overrides: str) -> None:
    from pipeline.config import load_config
    from pipeline.training.trainer import train

    settings = load_config(config, overrides)
    if implementation == "keras":
        _take_stock_keras()
    sys.stdin.readline()

    def tell(epoch: dict) -> None:
        print(json.dumps(epoch), flush=True)
        if epoch["epoch"] < settings.training.epochs:
            sys.stdin.readline()

    train(settings, folder, tell)


def _take_stock_keras() -> None:
    """Makes this process's networks of Keras's layers, which learn by Keras's loss, a batch in one part."""
    import keras

    from pipeline.models import acoustic, hardware, recurrent

    def stock(layer):
        return lambda units, portable, name, dtype: layer(
            units, return_sequences=True, return_state=True, name=name, dtype=dtype
        )

    layers = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    recurrent.CELLS.update({name: stock(layer) for name, layer in layers.items()})
    hardware.parts_of = lambda batch: 1
    acoustic.ctc_loss = lambda labels, logits, label_lengths, frames, onsets: keras.ops.ctc_loss(
        labels, logits, label_lengths, frames
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
