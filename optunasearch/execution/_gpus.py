"""GPUs: nets on "cuda" are spread over the devices of the machine, a worker on each.

A net with ``device="cuda"`` is trained on torch's current device, which is a setting of
each thread. So a worker chooses its own once, and the net stays as it is.
"""

from __future__ import annotations

import sys
from typing import Any


def count_gpus(device: Any) -> int:
    """Return over how many GPUs the fits of a net with this device can be spread.

    0 if it names no GPU, or a certain one ("cuda:1"): all fits are then on that.
    """
    torch = sys.modules.get("torch")
    return int(torch.cuda.device_count()) if torch is not None and str(device) == "cuda" else 0


def use_gpu(worker: int, n_gpus: int) -> None:
    """Let the current thread train on the GPU of this worker, if there are any."""
    if n_gpus:
        sys.modules["torch"].cuda.set_device(worker % n_gpus)
