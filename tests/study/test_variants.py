import pytest
import tiny

from pipeline.config import load_config, with_values
from pipeline.errors import InputError
from pipeline.models.acoustic import AcousticModel
from pipeline.study.variants import FORMS, TOLERANCE, Variant, matched, nearest_width, parameters

UNITS = 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    return load_config(tiny.write_config(folder, model={"units": 64, "layers": 2}, features={"deltas": 1}))


@pytest.mark.parametrize("form", FORMS)
def test_parameters_are_those_of_the_model(settings, form):
    own = with_values(settings, {**Variant("gru", form).values, "model.units": 10})
    model = AcousticModel(own, UNITS)
    assert parameters(own, UNITS) == sum(variable.numpy().size for variable in model.trainable_variables)


@pytest.mark.parametrize("cell", ["simple_rnn", "gru", "lstm"])
@pytest.mark.parametrize("form", FORMS)
def test_variants_have_the_wanted_number_of_parameters(settings, cell, form):
    wanted = parameters(settings, UNITS)
    found = parameters(matched(settings, Variant(cell, form), UNITS, wanted), UNITS)
    assert abs(found - wanted) <= TOLERANCE * wanted


def test_the_configuration_itself_keeps_its_width(settings):
    assert matched(settings, Variant("lstm"), UNITS, parameters(settings, UNITS)) == settings


def test_a_number_that_no_width_comes_near_is_told(settings):
    with pytest.raises(InputError, match=r"lstm: 900 parameters within 2% wanted, found \d+ at the nearest"):
        matched(settings, Variant("lstm"), UNITS, 900)


@pytest.mark.parametrize(("wanted", "width"), [(0, 1), (1, 1), (24, 5), (31, 6), (10**4, 100), (10**12, 16384)])
def test_the_nearest_width_is_found(wanted, width):
    assert nearest_width(lambda each: each * each, wanted) == width


@pytest.mark.parametrize(
    ("cell", "form", "message"), [("lsmt", "plain", "did you mean lstm?"), ("lstm", "norms", "variant 'norms': one of")]
)
def test_an_unknown_variant_is_told(cell, form, message):
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        Variant(cell, form)
