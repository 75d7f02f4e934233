"""The Swift package: sources that parse, that ask of the C host what it has, and C that builds.

No Swift compiler is in the package registries: what is not tried here is said in the package's
README. What Swift asks of C is put to a C compiler, since that is where the two drift apart.
"""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import swift_source

from onwrist import hosts
from onwrist.bundles import shipped
from onwrist.embed import embed, writing
from onwrist_runtime import bundle as bundles

REPOSITORY = Path(__file__).parents[2]
SHIPPED = {bundle.manifest.name: bundle for bundle in shipped()}
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def unpacked(name: str, folder: Path) -> Path:
    for path, data in embed(SHIPPED[name], "ios").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def swift_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.swift") if ".build" not in path.parts)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_swift_file_parses(name: str) -> None:
    files = embed(SHIPPED[name], "ios")
    swift = {path: data for path, data in files.items() if path.endswith(".swift")}
    type_name = writing.pascal(name)
    assert {"Package.swift", f"Sources/{type_name}/{type_name}.swift"} < swift.keys()
    assert "Sources/Onwrist/Model.swift" in swift
    for path, data in swift.items():
        assert not swift_source.errors(data), path
        assert not swift_source.declared_twice(data), path


def test_the_example_parses() -> None:
    files = swift_files(REPOSITORY / "examples" / "ios")
    assert files
    for path in files:
        assert not swift_source.errors(path.read_bytes()), path
        assert not swift_source.declared_twice(path.read_bytes()), path


def test_a_source_that_is_not_swift_is_told() -> None:
    assert swift_source.errors(b"func f( { let x = \n")
    assert swift_source.errors(b"public enum A: String { case a = }\n")
    twice = b"func f() {\n var a: Int?\n guard let a else { return }\n let b = a\n}\n"
    assert not swift_source.errors(twice)
    assert swift_source.declared_twice(twice) == ["line 3: a"]


@needs_gcc
@pytest.mark.parametrize("name", SHIPPED)
def test_what_swift_asks_of_c_is_in_the_header(name: str, tmp_path: Path) -> None:
    package = unpacked(name, tmp_path)
    include = package / "Sources" / "COnwrist" / "include"
    header = (include / "onwrist.h").read_text()
    sources = [path.read_bytes() for path in swift_files(package)]
    found = swift_source.uses(sources, header)
    assert {"onwrist_open", "onwrist_push", "onwrist_verify"} <= {x for x, _ in found.calls}
    assert ("onwrist_result", "abstained") in found.fields
    assert "ONWRIST_PARITY" in found.names
    own = {x for x in found.names if writing.snake(name) in x}
    found.names -= own
    assert swift_source.missing(found, include) == []


@needs_gcc
@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("const uint8_t *believed;", "const uint8_t *trusted;"),
        ("const double *times,\n", "const double *times, int clock,\n"),
        ("ONWRIST_MODE_STEP", "ONWRIST_MODE_STEPS"),
        ("onwrist_latency(", "onwrist_delay("),
        ("double lateness; ", "double patience; "),
    ],
)
def test_drift_of_the_header_is_found(there: str, instead: str, tmp_path: Path) -> None:
    header = hosts.sources("c")["onwrist.h"].decode()
    assert there in header
    changed = header.replace(there, instead)
    (tmp_path / "onwrist.h").write_text(changed)
    sources = list(hosts.sources("swift").values())
    assert swift_source.missing(swift_source.uses(sources, changed), tmp_path)
    (tmp_path / "onwrist.h").write_text(header)
    assert swift_source.missing(swift_source.uses(sources, header), tmp_path) == []


@needs_gcc
def test_the_c_targets_build_as_the_package_lays_them_out(tmp_path: Path) -> None:
    package = unpacked("body-fusion", tmp_path)
    host, own = package / "Sources" / "COnwrist", package / "Sources" / "CBodyFusion"
    built = tmp_path / "built"
    built.mkdir()
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-c"]
    for folder, includes in ((host, [host]), (own, [own, host])):
        for source in sorted(folder.glob("*.c")):
            paths = [f"-I{x / 'include'}" for x in includes]
            target = ["-o", str(built / f"{source.stem}.o"), str(source)]
            done = subprocess.run(
                ["gcc", *flags, *paths, *target], capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stderr
    objects = [str(path) for path in sorted(built.glob("*.o"))]
    whole = str(built / "whole")
    subprocess.run(["gcc", "-r", "-nostdlib", "-o", whole, *objects], check=True, timeout=60)
    told = subprocess.run(["nm", whole], capture_output=True, text=True, check=True).stdout
    defined = set(re.findall(r" [TRD] (\w+)", told))
    undefined = set(re.findall(r" U (\w+)", told))
    header = (host / "include" / "onwrist.h").read_text()
    asked = swift_source.uses([x.read_bytes() for x in swift_files(package)], header)
    assert {name for name, _ in asked.calls} <= defined
    # What the app links is TensorFlow Lite, and what every C program has.
    assert not [x for x in undefined if x.startswith("onwrist")]
    assert any(x.startswith("TfLite") for x in undefined)
    assert not [x for x in undefined if x.startswith("LiteRt")]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_package_names_what_is_there(name: str) -> None:
    files = embed(SHIPPED[name], "ios")
    package = files["Package.swift"].decode()
    for target in re.findall(r"\.target\(\s*name: \"(\w+)\"", package):
        below = [path for path in files if path.startswith(f"Sources/{target}/")]
        assert any(path.endswith((".swift", ".c")) for path in below), target
        for path in below:
            if path.endswith("module.modulemap"):
                text = files[path].decode()
                assert f"module {target} " in text
                (header,) = re.findall(r'header "(.*)"', text)
                assert path.replace("module.modulemap", header) in files
    (resources,) = re.findall(r'\.copy\("(.*)"\)', package)
    folder = f"Sources/{writing.pascal(name)}/{resources}/"
    assert f"{folder}manifest.json" in files
    readme = files["README.md"].decode()
    assert "Not compiled here" in readme
    (lines,) = re.findall(r"```swift\n(.*?)```", readme, re.S)
    assert not swift_source.errors(lines.encode())
    assert not swift_source.declared_twice(lines.encode())
    days = SHIPPED[name].manifest.tokens is not None
    assert ("options.midnight = midnight" in lines) == days


@needs_gcc
def test_whatever_a_manifest_may_say_is_quoted(toy_tflite_bundle: Path, tmp_path: Path) -> None:
    opened = bundles.read(toy_tflite_bundle)
    manifest = opened.manifest
    words = ("class", "Class", 'a "quote"', "\\(1 + 1)", "低い ° é", "two\nlines */ ??/", "$x")
    (*others, last) = manifest.tasks
    assert last.labels
    odd = msgspec.structs.replace(last, name="switch", labels=words)
    tolerance = {odd.name if x == last.name else x: 1.0 for x in manifest.golden.tolerance}
    golden = msgspec.structs.replace(manifest.golden, tolerance=tolerance, loose=tolerance)
    manifest = msgspec.structs.replace(
        manifest,
        name="9-init",
        description='*/ "x" \\\n??/ \\',
        tasks=(*others, odd),
        golden=golden,
    )
    bundles.write(tmp_path / "odd.onwrist", manifest, opened.members)
    files = embed(bundles.read(tmp_path / "odd.onwrist"), "ios")
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
        if path.endswith(".swift"):
            assert data.isascii() or "Sources/Onwrist" in path
            assert not swift_source.errors(data), data.decode()
    (source,) = (tmp_path / "Sources").glob("CX9*/*.c")
    includes = [f"-I{x}" for x in (tmp_path / "Sources").glob("C*/include")]
    done = subprocess.run(
        ["gcc", "-std=c99", "-Wall", "-Werror", "-fsyntax-only", *includes, str(source)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("taken", ["onwrist", "foundation", "swift", "Model", "prediction"])
def test_a_module_has_a_name_of_its_own(
    taken: str, toy_tflite_bundle: Path, tmp_path: Path
) -> None:
    opened = bundles.read(toy_tflite_bundle)
    manifest = msgspec.structs.replace(opened.manifest, name=taken.lower())
    bundles.write(tmp_path / "taken.onwrist", manifest, opened.members)
    files = embed(bundles.read(tmp_path / "taken.onwrist"), "ios")
    own = f"{taken.capitalize()}Bundle"
    assert f"Sources/{own}/{own}.swift" in files
    assert f"Sources/C{own}/include/C{own}.h" in files
    assert f'name: "{own}"' in files["Package.swift"].decode()
    assert set(hosts.sources("swift")) == {
        x.rpartition("/")[2] for x in files if x.startswith("Sources/Onwrist/")
    }


def test_the_example_names_what_is_generated() -> None:
    sources = "\n".join(x.read_text() for x in swift_files(REPOSITORY / "examples" / "ios"))
    for name in ("wrist-himae", "day-lsm2"):
        type_name = writing.pascal(name)
        path = f"Sources/{type_name}/{type_name}.swift"
        generated = embed(SHIPPED[name], "ios")[path].decode()
        used = set(re.findall(rf"\b{type_name}((?:\.\w+)+)", sources))
        assert used, f"the example does not use {type_name}"
        for names in used:
            for part in names.strip(".").split("."):
                assert re.search(rf"\b{part}\b", generated), f"{type_name}{names}"


def test_the_example_project_names_what_is_there() -> None:
    example = REPOSITORY / "examples" / "ios"
    project = (example / "project.yml").read_text()
    files = r"^ +(?:INFOPLIST_FILE|CODE_SIGN_ENTITLEMENTS|path): (\S+)$"
    for path in re.findall(files, project, re.M):
        assert (example / path).exists(), path
    assert "      - App\n" in project
    (target,) = re.findall(r"^target '(\w+)'", (example / "Podfile").read_text(), re.M)
    assert f"name: {target}\n" in project
    products = re.findall(r"product: (\w+)", project)
    package = (example / "Models" / "Package.swift").read_text()
    assert products == re.findall(r'\.library\(name: "(\w+)"', package)
    information = plistlib.loads((example / "Info.plist").read_bytes())
    rights = plistlib.loads((example / "OnwristExample.entitlements").read_bytes())
    sources = "\n".join(x.read_text() for x in swift_files(example / "App"))
    # Without these the system ends an app that asks.
    for asks, key in (
        ("CBCentralManager(", "NSBluetoothAlwaysUsageDescription"),
        ("requestAuthorization(toShare: []", "NSHealthShareUsageDescription"),
    ):
        assert asks in sources
        assert information[key]
    assert rights["com.apple.developer.healthkit"] is True
