"""Cutting on the device against cutting on the host, on every device that is there."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien_core.model.face import FaceReport
from mien_serving.face.device_cut import cut_on_device
from mien_serving.face.engine import FaceEngine
from mien_serving.face.model_files import installed_model_files
from mien_serving.face.region import Region, cut_on_host
from mien_serving.tflite.executor import TorchExecutor
from tests import faces
from tests.devices import DEVICES

# The host rounds to whole grey values twice, and interpolates by 32nds of a pixel.
MOST_DIFFERENCE = 3 / 255
MOST_MEAN_DIFFERENCE = 0.6 / 255


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(-200, 700),
    y=st.floats(-200, 700),
    side=st.floats(40, 1500),
    angle=st.floats(-3.1, 3.1),
)
def test_the_device_cuts_what_the_host_cuts(device: str, x: float, y: float, side: float, angle: float) -> None:
    """Enlarged, reduced, turned or beyond the photo's edge: the two agree to rounding."""
    photo = faces.blurred(faces.astronaut(), 1.0)
    region = Region(x, y, side, angle)
    here = cut_on_host([photo], [region], 192)
    there = cut_on_device([photo], [region], 192, device)
    assert there.device.type == device
    difference = np.abs(there.cpu().numpy() - here)
    assert difference.mean() <= MOST_MEAN_DIFFERENCE
    assert np.quantile(difference, 0.999) <= MOST_DIFFERENCE


@pytest.mark.parametrize("device", DEVICES)
def test_many_faces_of_many_photos_are_one_batch(device: str) -> None:
    """Regions of several photos come back in their order, whatever photo each lies in."""
    one, other = faces.astronaut(), faces.mirrored(faces.astronaut_1080p())
    photos = [one, other, one, other]
    regions = [Region(100.0 + 60 * index, 150.0, 90.0 + 40 * index, 0.1 * index) for index in range(4)]
    difference = np.abs(cut_on_device(photos, regions, 192, device).cpu().numpy() - cut_on_host(photos, regions, 192))
    assert difference.reshape(4, -1).mean(axis=1).max() <= 2 * MOST_MEAN_DIFFERENCE


@pytest.mark.parametrize("device", DEVICES)
def test_the_engine_says_the_same_either_way(device: str) -> None:
    """A report's landmarks move by less than 0.2 pixels of a 1080p photo when faces are cut on the device."""
    photo = faces.astronaut_1080p()
    files = installed_model_files()
    load = partial(TorchExecutor, device=device)
    points = []
    for cut in (cut_on_host, partial(cut_on_device, device=device)):
        report = FaceEngine(files, 1, load, cut).analyse([photo])[0].outcome
        assert isinstance(report, FaceReport)
        relative = np.array([(point.x, point.y) for point in report.face.landmarks])
        points.append(relative * (photo.shape[1], photo.shape[0]))
    assert np.abs(points[0] - points[1]).max() < 0.2
