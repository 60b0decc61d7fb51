"""Where models can run here."""

from typing import Final

import torch

# A machine without a GPU runs what it can, so that nothing is skipped there.
DEVICES: Final = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
