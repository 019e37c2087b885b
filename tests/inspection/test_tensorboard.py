from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from pipeline.inspection.tensorboard import FINAL, TensorBoardLog


def test_tensorboard_reads_what_is_written(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.scalars(3, {"loss/train": 1.5})
    log.transcripts(3, ["on | off", ""], ["on", "off"])
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    scalar, text = events.Tensors("loss/train")[0], events.Tensors("transcripts")[0]
    assert (scalar.step, float(make_ndarray(scalar.tensor_proto))) == (3, 1.5)
    table = text.tensor_proto.string_val[0].decode().splitlines()
    assert table == [
        "| reference | hypothesis |",
        "|---|---|",
        "| on **\\|** **off** | on |",
        "| (nothing) | **off** |",
    ]


def test_the_dashboard_of_hyperparameters_has_the_settings_and_the_best_epochs_values(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.hyperparameters("mine", {"seed": 1, "model": {"cell": "lstm", "dropout": 0.5}, "augment": {"speed": None}})
    log.final({"epoch": 4, "cer": 0.25, "wer": 0.5, "val_loss": 3.0, "loss": 2.0})
    log.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    start = HParamsPluginData.FromString(content).session_start_info.hparams
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.items()}
    assert values == {"seed": 1, "model.cell": "lstm", "model.dropout": 0.5, "augment.speed": "null"}
    experiment = HParamsPluginData.FromString(events.SummaryMetadata("_hparams_/experiment").plugin_data.content)
    metrics = {info.name.tag for info in experiment.experiment.metric_infos}
    assert metrics == set(FINAL)
    found = {name: float(make_ndarray(events.Tensors(name)[0].tensor_proto)) for name in metrics}
    assert found == {name: {"epoch": 4, "cer": 0.25, "wer": 0.5, "val_loss": 3.0}[key] for name, key in FINAL.items()}


def test_nothing_written_leaves_no_file(tmp_path):
    TensorBoardLog(tmp_path / "logs").close()
    assert not (tmp_path / "logs").exists()
