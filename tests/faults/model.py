"""crier's message model in Python: generated from proto/ by protoc when this is imported."""

import atexit
import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _generate():
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={folder}",
                    "crier/v1/message.proto", "crier/v1/messaging.proto", "crier/v1/admin.proto"],
                   check=True)
    sys.path.insert(0, folder)
    return [importlib.import_module(f"crier.v1.{name}_pb2")
            for name in ("message", "messaging", "admin")]


v1, messaging, admin = _generate()
