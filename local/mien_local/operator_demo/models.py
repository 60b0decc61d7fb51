"""Three revisions of the face model: the present one, one that is as good, and one that is worse."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mien_local.operator_demo.shell import Shell
from mien_serving.face.model_files import MESH, installed_model_files
from mien_serving.tflite.flatbuffer import root
from mien_serving.tflite.schema import IDENTIFIER, ModelField

_BUFFER_DATA: Final = 0
# Smaller buffers are biases, slopes and shapes.
_KERNEL_BYTES: Final = 1000
# Of the ten bits of a half-precision number's fraction.
_LOST_BITS: Final = 8


@dataclass(frozen=True)
class Artifact:
    """What `python -m mien_serving artifact build` printed."""

    uri: str
    digest: str
    revision: str

    @property
    def patch(self) -> str:
        """What `kubectl patch --type merge` makes a rollout want it with."""
        return json.dumps({"spec": {"artifact": {"uri": self.uri, "digest": self.digest}}})


def build(shell: Shell, options: str = "") -> Artifact:
    """Have an artifact built into the folder that the shell knows as MODELS.

    Raises:
        Unavailable: act_failed.
    """
    printed = shell.run(f"python -m mien_serving artifact build --output $MODELS{options}")
    return Artifact(**json.loads(printed.splitlines()[-1]))


def write_careless(folder: Path) -> None:
    """Write the models as a careless export leaves them: the mesh's weights cut off after two bits, not rounded.

    Every layer then answers a little too low, and the landmarks come to lie a tenth of the eyes' distance off.

    Args:
        folder: is made.
    """
    folder.mkdir(parents=True)
    for name, path in installed_model_files().paths.items():
        content = path.read_bytes()
        (folder / name).write_bytes(_cut(content) if name == MESH else content)


def _cut(content: bytes) -> bytes:
    for buffer in root(content, IDENTIFIER).tables(ModelField.BUFFERS):
        data = buffer.array(_BUFFER_DATA, "<u1")
        if data.nbytes >= _KERNEL_BYTES:
            weights = data.view("<u2")
            cut = (weights >> _LOST_BITS << _LOST_BITS).astype("<u2")
            content = content.replace(weights.tobytes(), cut.tobytes(), 1)
    return content
