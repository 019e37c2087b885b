"""Simulated rooms that speech is heard in."""

import functools

import numpy as np

from pipeline import config

_SMALLEST, _LARGEST = (3.0, 2.5, 2.4), (10.0, 8.0, 4.0)  # metres: length, width, height
_FROM_WALL = 0.3  # metres, of speaker and microphone
_NEAREST = 0.3  # metres, of speaker to microphone
_MOST_REFLECTIONS = 10  # of an echo that is simulated; there are 1561 of so many or fewer
_TAIL_FROM = 0.01  # seconds of the last simulated echoes, whose power the tail goes on from
_BLOCK = 1 << 13  # samples that are transformed as one, at least
_ABREAST = 4  # blocks that are transformed together, as many as scipy's vectors hold; more leave a core's cache


class Reverberation:
    """A room's impulse response, to be convolved with speech.

    Args:
        response: float32 [taps]; the direct sound is the first.
    """

    def __init__(self, response: np.ndarray):
        import scipy.fft

        self.response = response
        self._size = max(_BLOCK, 1 << (len(response) * 3 // 2).bit_length())
        self._spectrum = scipy.fft.rfft(response, self._size)

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        """Speech in the room: as long and as loud (root mean square) as before, its direct sound at the same time.

        The echo of the end is cut off. The convolution is by overlap-save, in blocks that fit a core's cache.

        Args:
            audio: float32 [samples].

        Returns:
            float32 [samples].
        """
        import scipy.fft

        history = len(self.response) - 1
        hop = self._size - history
        padded = np.pad(audio, (history, -len(audio) % hop))
        blocks = np.lib.stride_tricks.sliding_window_view(padded, self._size)[::hop]
        parts = np.empty((len(blocks), hop), np.float32)
        for first in range(0, len(blocks), _ABREAST):
            spectra = scipy.fft.rfft(blocks[first : first + _ABREAST])
            spectra *= self._spectrum
            parts[first : first + _ABREAST] = scipy.fft.irfft(spectra, self._size, overwrite_x=True)[:, history:]
        heard = parts.reshape(-1)[: len(audio)]
        power, heard_power = float(np.dot(audio, audio)), float(np.dot(heard, heard))
        if not power or not heard_power:
            return audio
        heard *= np.float32(np.sqrt(power / heard_power))
        return heard


@functools.lru_cache(maxsize=4)
def simulated_rooms(rooms: config.Rooms, sample_rate: int, seed: int) -> tuple[Reverberation, ...]:
    """Rooms of random sizes, reverberation times, and places of speaker and microphone.

    Args:
        rooms: how many, of which reverberation times.
        sample_rate: in hertz.
        seed: of all that is random.

    Returns:
        The same rooms for the same arguments.
    """
    random = np.random.default_rng(seed)
    return tuple(
        Reverberation(_response(random.uniform(*rooms.reverberation_seconds), sample_rate, random))
        for _ in range(rooms.count)
    )


def _response(seconds: float, sample_rate: int, random: np.random.Generator) -> np.ndarray:
    """float32 [taps], the first of which is the direct sound, with 1: echoes by image sources, then a diffuse tail.

    The number of image sources (Allen and Berkley 1979) grows with the cube of the time. They are computed up to the
    time at which the first is missing. From then on, where echoes have long become too many to be told apart, Gaussian
    noise goes on from their power and falls by 60 dB in `seconds`.
    """
    import pyroomacoustics

    speed = pyroomacoustics.constants.get("c")
    size = random.uniform(_SMALLEST, _LARGEST)
    speaker, microphone, delay = _places(size, sample_rate / speed, random)
    absorption = _absorption(seconds, size, speed)
    room = pyroomacoustics.ShoeBox(
        size, fs=sample_rate, materials=pyroomacoustics.Material(absorption), max_order=_MOST_REFLECTIONS
    )
    room.add_source(speaker)
    room.add_microphone(microphone)
    _compute(room)
    first = pyroomacoustics.constants.get("frac_delay_length") // 2 + delay
    taps = max(1, round(seconds * sample_rate))
    response = np.zeros(taps)
    echoes = room.rir[0][0][first : first + taps]
    response[: len(echoes)] = echoes / echoes[0]

    noise = random.standard_normal(taps)
    whole = int(_MOST_REFLECTIONS / np.linalg.norm(1 / size) / speed * sample_rate) - delay
    known = response[max(1, whole - round(_TAIL_FROM * sample_rate)) : whole]
    if whole < taps and known.any():
        since = (np.arange(whole, taps) - (whole - len(known) / 2)) / sample_rate
        response[whole:] = noise[whole:] * np.sqrt(np.mean(known**2) * 10 ** (-6 * since / seconds))
    return response.astype(np.float32)


def _places(size: np.ndarray, samples_a_metre: float, random: np.random.Generator) -> tuple:
    """Where speaker and microphone are [3], in metres, so that sound takes a whole number of samples; that number."""
    while True:
        speaker, microphone = random.uniform(_FROM_WALL, size - _FROM_WALL, (2, 3))
        distance = np.linalg.norm(microphone - speaker)
        if distance >= _NEAREST:
            break
    delay = round(distance * samples_a_metre)
    return speaker, speaker + (microphone - speaker) * (delay / samples_a_metre / distance), delay


def _absorption(seconds: float, size: np.ndarray, speed: float) -> float:
    """The share of the power that the walls take at each reflection, after Eyring (1930)."""
    volume = size.prod()
    surface = 2 * (volume / size).sum()
    return 1 - np.exp(-24 * np.log(10) * volume / (speed * surface * seconds))


def _compute(room) -> None:
    """The impulse responses, in one thread: with more, sums are rounded otherwise."""
    import pyroomacoustics

    threads = pyroomacoustics.constants.get("num_threads")
    pyroomacoustics.constants.set("num_threads", 1)
    try:
        room.compute_rir()
    finally:
        pyroomacoustics.constants.set("num_threads", threads)
