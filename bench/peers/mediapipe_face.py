"""MediaPipe's own face mesh on one photo, again and again; run by MediaPipe's own environment, not by mien's.

Usage: python mediapipe_face.py PHOTO ROUNDS    Prints the milliseconds of each round as a JSON list.
"""

import json
import sys
import time

import cv2
import mediapipe

WARM_UP = 10


def main(photo: str, rounds: int) -> None:
    """Print the times."""
    cv2.setNumThreads(1)
    read = cv2.imread(photo)
    if read is None:
        raise SystemExit(f"can't read {photo}")
    pixels = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)
    spent = []
    for _ in range(WARM_UP + rounds):
        started = time.perf_counter()
        answer = mesh.process(pixels)
        spent.append((time.perf_counter() - started) * 1000)
        if not answer.multi_face_landmarks:
            raise SystemExit("MediaPipe finds no face in the benchmark's photo")
    print(json.dumps(spent[WARM_UP:]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
