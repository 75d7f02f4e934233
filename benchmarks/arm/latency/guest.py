"""One call of a network as a region for count.c: runs in an emulated core.

    python guest.py NETWORK.param SIZE      # in ncnn, as its own benchmark does it
    python guest.py NETWORK.tflite SIZE     # in LiteRT

The image is SIZE x SIZE; a .param has no weights.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

MARK, REGION, END = 0x6F6E7772, 1, 0  # as in count.c

NCNN = (
    "winograd_convolution",
    "sgemm_convolution",
    "int8_inference",
    "int8_storage",
    "int8_arithmetic",
    "fp16_packed",
    "fp16_storage",
    "fp16_arithmetic",
    "packing_layout",
)


def in_ncnn(path: str, size: int) -> Callable[[], None]:
    """A call of ncnn with the options of benchncnn.cpp."""
    import ncnn

    net = ncnn.Net()
    net.opt.lightmode = True
    net.opt.num_threads = 1
    net.opt.use_vulkan_compute = False
    for switch in NCNN:
        setattr(net.opt, f"use_{switch}", True)
    net.load_param(path)
    net.load_model(ncnn.DataReaderFromEmpty())
    image = ncnn.Mat(size, size, 3)
    image.fill(0.01)

    def call() -> None:
        with net.create_extractor() as extractor:
            for name in net.input_names():
                extractor.input(name, image)
            for name in net.output_names():
                extractor.extract(name)

    return call


def in_litert(path: str, size: int) -> Callable[[], None]:
    """A call of LiteRT."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    image = interpreter.get_input_details()[0]
    values = 100 * np.sin(np.arange(size * size * 3) / 10).reshape(1, size, size, 3)
    interpreter.set_tensor(image["index"], values.astype(image["dtype"]))
    return interpreter.invoke  # type: ignore[no-any-return]


def main() -> None:
    path, size = sys.argv[1], int(sys.argv[2])
    call = (in_ncnn if path.endswith(".param") else in_litert)(path, size)
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_ulong] * 5
    call()
    prctl(MARK, REGION, 0, 0, 0)
    call()
    prctl(MARK, END, 0, 0, 0)


if __name__ == "__main__":
    main()
