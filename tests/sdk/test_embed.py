"""`onwrist embed`: same bytes twice, the bundle's own files, a folder whole or as before."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onwrist import hosts
from onwrist.bundles import find, shipped
from onwrist.cli import main
from onwrist.embed import RECORD, TARGETS, embed, folder, identifiers, literals, writing
from onwrist_runtime import bundle as bundles
from onwrist_runtime import strict_zip
from onwrist_runtime.bundle import Bundle
from onwrist_runtime.errors import BundleError, InputError, OnwristError

SHIPPED = {bundle.manifest.name: bundle for bundle in shipped()}
LANGUAGES = ("c", "kotlin", "swift", "typescript")
TEXT = {"android": ".kt", "ios": ".swift", "c": ".c", "web": ".ts"}
Capture = pytest.CaptureFixture[str]


def ending(files: dict[str, bytes], name: str) -> list[bytes]:
    return [data for path, data in files.items() if path.rpartition("/")[2] == name]


def fails(capsys: Capture, code: int, arguments: list[str | Path], *words: str) -> None:
    assert main([str(argument) for argument in arguments]) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SHIPPED)
def test_files_are_the_bundles_own_and_the_same_twice(name: str, target: str) -> None:
    bundle = SHIPPED[name]
    files = embed(bundle, target)
    assert files == embed(bundles.read(find(name)), target)
    (manifest,) = ending(files, "manifest.json")
    assert hashlib.sha256(manifest).hexdigest() == bundle.hash
    (golden,) = ending(files, bundle.manifest.golden.file)
    assert golden == bundle.members[bundle.manifest.golden.file]
    wanted = "onnx" if target == "web" else "tflite"
    # The integer type that is right on every processor, at least.
    graphs = [
        x.file for x in bundle.manifest.graphs if (x.format, x.activations) == (wanted, "s8")
    ]
    assert graphs
    for graph in graphs:
        (data,) = ending(files, graph)
        assert hashlib.sha256(data).hexdigest() == bundle.manifest.members[graph].sha256
    readme = files["README.md"].decode()
    assert bundle.hash in readme
    assert "```" in readme
    generated = [
        data.decode()
        for path, data in files.items()
        if path.endswith(TEXT[target]) and bundle.hash.encode() in data[:400]
    ]
    assert generated, "no source says from which bundle it is generated"
    for text in generated:
        assert name in text[:400]
        assert "/tmp" not in text
    listed = json.loads(files[RECORD])["files"]
    assert listed == {
        path: hashlib.sha256(data).hexdigest() for path, data in files.items() if path != RECORD
    }


def test_a_folder_is_written_and_replaced_as_a_whole(tmp_path: Path, capsys: Capture) -> None:
    place = tmp_path / "app" / "wrist"
    arguments = ["embed", "wrist-himae", "--target", "ios", "-o", str(place)]
    assert main(arguments) == 0
    assert "README.md" in capsys.readouterr().out
    written = {x.relative_to(place).as_posix(): x.read_bytes() for x in place.rglob("*.*")}
    assert written == embed(SHIPPED["wrist-himae"], "ios")
    # An earlier embed of another bundle gives way, with every file of it.
    assert main(["embed", "day-lsm2", "--target", "ios", "-o", str(place), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["bundle"], told["target"]) == ("day-lsm2", "ios")
    now = {x.relative_to(place).as_posix() for x in place.rglob("*.*")}
    assert now == told["files"].keys()
    assert [x.name for x in place.parent.iterdir()] == ["wrist"]


def test_what_somebody_changed_is_not_replaced(tmp_path: Path, capsys: Capture) -> None:
    place = tmp_path / "wrist"
    again: list[str | Path] = ["embed", "wrist-himae", "--target", "ios", "-o", place]
    assert main([str(x) for x in again]) == 0
    (place / "README.md").write_text("mine")
    (place / "notes.txt").write_text("mine too")
    fails(capsys, 2, again, "README.md", "notes.txt", "name another folder")
    assert (place / "README.md").read_text() == "mine"
    (place / "README.md").unlink()  # what is gone is no loss
    (place / "notes.txt").unlink()
    (place / ".swiftpm").mkdir()  # what Xcode leaves is nobody's work
    (place / ".swiftpm" / "state").write_text("")
    (place / ".DS_Store").write_text("")
    assert main([str(x) for x in again]) == 0
    assert (place / "README.md").read_bytes() == embed(SHIPPED["wrist-himae"], "ios")[
        "README.md"
    ]


def test_folders_of_others_are_refused(tmp_path: Path, capsys: Capture) -> None:
    command: list[str | Path] = ["embed", "wrist-himae", "--target", "ios", "-o"]
    full = tmp_path / "full"
    full.mkdir()
    (full / "main.swift").write_text("print()")
    fails(capsys, 2, [*command, full], "not written by onwrist embed", "another folder")
    (full / RECORD).write_text('{"format": 1, "files": {"../../etc/passwd": "0"}}')
    fails(capsys, 2, [*command, full], "main.swift")
    (full / RECORD).write_text("[" * 100_000)
    fails(capsys, 2, [*command, full], "not written by onwrist embed")
    file = tmp_path / "file"
    file.write_text("")
    fails(capsys, 2, [*command, file], "is a file")
    fails(capsys, 1, [*command, file / "below"], "cannot be written")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "empty")
    fails(capsys, 2, [*command, link], "symbolic link")
    (tmp_path / "round").symlink_to("round")
    fails(capsys, 1, [*command, tmp_path / "round" / "below"], "cannot be written")
    fails(capsys, 2, [*command, "a\0b"], "not the path of a folder")
    assert (full / "main.swift").read_text() == "print()"


def test_the_folder_one_is_in_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    command: list[str | Path] = ["embed", "wrist-himae", "--target", "ios", "-o"]
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "in")
    for place in (".", "..", "../in", tmp_path / "in", tmp_path / "link" / "in"):
        fails(capsys, 2, [*command, place], "you are in")
    fails(capsys, 2, [*command, ""], "'' is not the path of a folder")
    (tmp_path / "in").rmdir()
    fails(capsys, 1, [*command, "there"], "there: cannot be written")


def test_a_folder_has_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = embed(SHIPPED["wrist-himae"], "ios")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to("far/away")
    for name in ("größe 低", "-o", "n" * 255, "link/../b", os.fsdecode(b"\xff")):
        folder.write_folder(name, files)
        assert (Path(name) / "README.md").read_bytes() == files["README.md"]
    assert (tmp_path / "far" / "b").is_dir()  # as the system follows a link


@pytest.mark.parametrize(("target", "built"), [("c", "selftest"), ("web", "dist/index.js")])
def test_what_the_readme_says_to_build_is_in_nobodys_way(
    target: str, built: str, tmp_path: Path, capsys: Capture
) -> None:
    place = tmp_path / "wrist"
    again: list[str | Path] = ["embed", "wrist-himae", "--target", target, "-o", place]
    assert main([str(x) for x in again]) == 0
    for path in (built, f"mine/{built}"):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text("")
    fails(capsys, 2, again, f"wrote it: mine/{built};")
    (place / "mine" / built).unlink()
    assert main([str(x) for x in again]) == 0
    assert not (place / built).exists()


def test_an_interrupted_write_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "wrist"
    old = {"a.txt": b"old", RECORD: b'{"format": 1, "files": {"a.txt": "%s"}}'}
    digest = hashlib.sha256(b"old").hexdigest().encode()
    folder.write_folder(place, old | {RECORD: old[RECORD] % digest})

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("onwrist.embed.folder.os.fsync", full_disk)
        with pytest.raises(OnwristError, match="cannot be written: No space left"):
            folder.write_folder(place, {"b.txt": b"new", RECORD: b"{}"})

    moves = []
    rename = folder.os.rename

    def second_fails(source: Path, target: Path) -> None:
        moves.append(target)
        if len(moves) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("onwrist.embed.folder.os.rename", second_fails)
        with pytest.raises(KeyboardInterrupt):
            folder.write_folder(place, {"b.txt": b"new", RECORD: b"{}"})
    assert sorted(x.name for x in place.iterdir()) == ["a.txt", RECORD]
    assert (place / "a.txt").read_bytes() == b"old"
    assert [x.name for x in tmp_path.iterdir()] == ["wrist"]


def test_a_bundle_without_the_targets_model_says_what_to_do(
    tmp_path: Path, capsys: Capture
) -> None:
    opened = SHIPPED["wrist-himae"]
    for kept, target, other in (("onnx", "ios", "--target web"), ("tflite", "web", "ios")):
        graphs = tuple(x for x in opened.manifest.graphs if x.format == kept)
        manifest = msgspec.structs.replace(opened.manifest, graphs=graphs)
        path = tmp_path / f"{kept}.onwrist"
        members = {name: opened.members[name] for name in manifest.files}
        bundles.write(path, manifest, members)
        out = tmp_path / kept
        arguments: list[str | Path] = ["embed", path, "--target", target, "-o", out]
        fails(capsys, 2, arguments, f"--target {target} needs", other, "onwrist-export pack")
        assert not out.exists()


def test_damaged_and_other_bundles_are_refused(tmp_path: Path, capsys: Capture) -> None:
    raw = find("wrist-himae").read_bytes()
    end: list[str | Path] = ["--target", "ios", "-o", tmp_path / "out"]
    damaged = tmp_path / "damaged.onwrist"
    place = raw.index(SHIPPED["wrist-himae"].members["model.tflite"]) + 1000
    damaged.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    fails(capsys, 2, ["embed", damaged, *end], "model.tflite")
    later = tmp_path / "later.onwrist"
    members = dict(SHIPPED["wrist-himae"].members)
    manifest = SHIPPED["wrist-himae"].raw.replace(b'"format": 1', b'"format": 2')
    later.write_bytes(b"".join(strict_zip.pack({"manifest.json": manifest, **members})))
    fails(capsys, 2, ["embed", later, *end], "of format 2", "update onwrist")
    huge = tmp_path / "huge.onwrist"
    huge.touch()
    os.truncate(huge, 5 * 2**30)
    fails(capsys, 2, ["embed", huge, *end], "huge.onwrist")
    fails(capsys, 2, ["embed", tmp_path / "none.onwrist", *end], "No such file")
    fails(capsys, 2, ["embed", "wrist-hymae", *end], "there are: ", "wrist-himae")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="there are: android"):
        embed(SHIPPED["wrist-himae"], "tizen")
    made_up = Bundle(SHIPPED["day-lsm2"].manifest, SHIPPED["day-lsm2"].members, "0" * 64)
    with pytest.raises(BundleError, match="open the bundle from its file"):
        writing.manifest_bytes(made_up)


def test_model_files_that_differ_in_case_alone_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Module:
        @staticmethod
        def files(bundle: Bundle) -> dict[str, bytes]:
            return {"Model.tflite": b"", "model.tflite": b""}

    monkeypatch.setattr("onwrist.embed.importlib.import_module", lambda name: Module)
    with pytest.raises(BundleError, match="case does not count"):
        embed(SHIPPED["wrist-himae"], "c")


def test_sources_are_those_of_the_host_alone() -> None:
    for language in LANGUAGES:
        found = hosts.sources(language)
        assert found
        for path in found:
            assert not re.search(r"(^|/)(\.|__pycache__|node_modules|dist|build)(/|$)", path)
    with pytest.raises(InputError, match="there are: c"):
        hosts.sources("cobol")


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True) | st.text(max_size=9)


@given(st.lists(NAMES, unique=True, max_size=12), st.sampled_from(LANGUAGES))
def test_identifiers_are_valid_and_their_own(names: list[str], language: str) -> None:
    for case in ("pascal", "camel", "snake", "upper"):
        found = identifiers.identifiers(names, case, language)  # type: ignore[arg-type]
        assert list(found) == names
        assert len({x.lower() for x in found.values()}) == len(names)
        for x in found.values():
            assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", x)
            assert x not in identifiers.RESERVED[language]  # type: ignore[index]


def test_identifiers_read_as_people_write_them() -> None:
    assert identifiers.pascal("wrist-himae") == "WristHimae"
    assert identifiers.camel("heart_rate") == "heartRate"
    assert identifiers.upper("wrist-himae") == "WRIST_HIMAE"
    assert identifiers.camel("Sitting down & getting up") == "sittingDownGettingUp"
    assert identifiers.identifier("class", "camel", "swift") == "class_"
    assert identifiers.identifiers(["acc_x", "acc-x", "naïve", "3d"], "camel", "kotlin") == {
        "acc_x": "accX",
        "acc-x": "accX_2",
        "naïve": "naive",
        "3d": "x3D",
    }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float64_literals_read_back(value: float) -> None:
    text = literals.float64(value)
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?", text)
    assert "." in text or "e" in text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(LANGUAGES))
def test_float32_literals_read_back(value: float, language: str) -> None:
    text = literals.float32(value, language).removesuffix("f")  # type: ignore[arg-type]
    direct, by_way_of_float64 = np.float32(text), np.float32(float(text))
    assert direct.tobytes() == by_way_of_float64.tobytes() == np.float32(value).tobytes()
    assert "." in text or "e" in text


def test_numbers_that_are_none_have_no_literal() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no literal"):
            literals.float64(value)
        with pytest.raises(ValueError, match="no literal"):
            literals.float32(value, "c")


@given(st.text(), st.sampled_from(LANGUAGES))
def test_strings_are_one_line_of_ascii(text: str, language: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    quoted = literals.string(text, language)  # type: ignore[arg-type]
    assert quoted.isascii()
    assert quoted.isprintable()
    assert re.fullmatch(r'"([^"\\]|\\.)*"', quoted)
    if language == "c":
        assert "??" not in quoted
        octal = re.sub(r"\\([0-7]{3})", lambda x: chr(int(x[1], 8)), quoted[1:-1])
        assert re.sub(r"\\(.)", r"\1", octal).encode("latin-1").decode() == text
    if language == "kotlin":
        assert not re.search(r"(?<!\\)\$", quoted)
    if language == "typescript":
        assert json.loads(quoted) == text


@given(st.text(max_size=300))
def test_a_comment_stays_one(text: str) -> None:
    for line in literals.comment(text):
        assert line.startswith("//")
        assert line.isprintable()
        assert not line.endswith("\\")
        assert "??/" not in line


def test_a_table_of_the_readme_holds_what_units_may_say() -> None:
    assert writing._cell("a|b\n<b>") == "a\\|b &lt;b>"
