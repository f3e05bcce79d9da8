"""Generates src/reconcile_toolkit/_gen from the proto files; with --check, fails when it is not current.

Needs the `dev` extra. The generated code runs with the protobuf and grpcio of its generator or newer, so the version of
grpcio-tools in pyproject.toml is what decides how old the runtime packages may be.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "src/reconcile_toolkit/_gen"
ROOTS = [HERE.parent.parent / "proto", HERE / "proto"]
BIN = Path(sys.executable).parent


def main() -> int:
    with tempfile.TemporaryDirectory() as directory:
        generated = Path(directory)
        generate(generated)
        if "--check" in sys.argv[1:]:
            return check(generated)
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(generated, OUT)
    return 0


def generate(out: Path) -> None:
    files = sorted(str(file.relative_to(root)) for root in ROOTS for file in root.rglob("*.proto"))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{root}" for root in ROOTS)]
    plugins = [f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    messages = [f"--{option}={out}" for option in ("python_out", "mypy_out")]
    subprocess.run([*protoc, *plugins, *messages, *files], check=True, stderr=subprocess.DEVNULL)
    services = [file for file in files if file.endswith("_service.proto")]
    stubs = [f"--{option}={out}" for option in ("grpc_python_out", "mypy_grpc_out")]
    subprocess.run([*protoc, *plugins, *stubs, *services], check=True, stderr=subprocess.DEVNULL)
    for file in [*out.rglob("*.py"), *out.rglob("*.pyi")]:
        file.write_text(inside_package(file.read_text()))
    for folder in [out, *(path for path in out.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text("")


def inside_package(source: str) -> str:
    """protoc names modules from the root of the proto files; here that root is a package."""
    return re.sub(
        r"^from (reconcile(?:_toolkit)?\.\w+) import", r"from reconcile_toolkit._gen.\1 import", source, flags=re.M
    )


def check(generated: Path) -> int:
    expected, found = names(generated), names(OUT)
    same = filecmp.cmpfiles(generated, OUT, expected & found, shallow=False)[0]
    stale = sorted((expected | found) - set(same))
    for name in stale:
        print(f"{(OUT / name).relative_to(HERE)} is not current: run python generate.py and commit the result")
    return 1 if stale else 0


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.suffix in (".py", ".pyi")}


if __name__ == "__main__":
    sys.exit(main())
