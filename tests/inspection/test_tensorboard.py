from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from pipeline.inspection.tensorboard import TensorBoardLog


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
    assert table == ["| reference | hypothesis |", "|---|---|", "| on \\| off | on |", "| (nothing) | off |"]
