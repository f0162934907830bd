"""How much memory a conversion needs beyond what the source holds: `python -m benchmarks.memory`.

Converts a stack of linear layers of the given size between PyTorch and ONNX, each in a process of its own, and prints
how far its own (anonymous) memory and its resident memory, mapped files included, rose above where they stood before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH = 2048
ROUTES = ("torch-onnx", "torch-torch", "onnx-torch", "onnx-onnx")

RUN = """
import sys, threading, time
import torch
from torch import nn
import converter

route, layers, width, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

def now():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return [int(lines[key].split()[0]) / 1024 for key in ("RssAnon", "VmRSS")]

def watch():
    while True:
        peak[:] = [max(a, b) for a, b in zip(peak, now())]
        time.sleep(0.005)

def stack(count, size):
    return nn.Sequential(*(m for _ in range(count) for m in (nn.Linear(size, size), nn.ReLU())))

def convert(source, to, target, size):
    inputs = None if isinstance(source, str) else (f"float32[batch,{size}]",)
    converter.convert(source, to, target, inputs, verify=False, overwrite=True)

convert(stack(1, 3), "onnx", f"{folder}/warm.onnx", 3)
convert(f"{folder}/warm.onnx", "torch", f"{folder}/warm", 3)
source, to = route.split("-")
given = stack(layers, width) if source == "torch" else f"{folder}/big.onnx"
start = now()
peak = list(start)
threading.Thread(target=watch, daemon=True).start()
convert(given, to, f"{folder}/big.onnx" if route == "torch-onnx" else f"{folder}/{route}", width)
print(*(round(p - s) for p, s in zip(peak, start)))
"""


def main() -> None:
    """Print a row for each route."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--mib", type=int, default=512, help="size of the weights")
    options = parser.parse_args()
    layers = max(1, options.mib * 2**20 // (4 * WIDTH * WIDTH))
    print(f"{'route':14}{'weights':>10}{'own memory':>13}{'resident':>11}   (MiB above the start)")
    with tempfile.TemporaryDirectory() as folder:
        for route in ROUTES:
            command = [sys.executable, "-c", RUN, route, str(layers), str(WIDTH), str(Path(folder))]
            own, resident = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-2:]
            print(f"{route:14}{layers * WIDTH * WIDTH * 4 // 2**20:>10}{own:>13}{resident:>11}")


if __name__ == "__main__":
    main()
