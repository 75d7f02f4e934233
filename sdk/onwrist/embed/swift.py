"""A bundle in, a Swift package for iOS out.

The package has the C host and this bundle's constants as targets of C, the API of
`hosts/swift` over them, and a module of the bundle's own with typed constants, its files and
a self-test. TensorFlow Lite is linked by the app.
"""

from __future__ import annotations

from collections.abc import Iterator

from onwrist.embed import c, writing
from onwrist.embed.c_constants import header_name
from onwrist.embed.swift_constants import accessor, constants
from onwrist.hosts import sources
from onwrist_runtime.bundle import Bundle

_HOST, _API = "Sources/COnwrist", "Sources/Onwrist"
_OTHER_ENGINE = ("onwrist_litert", "litert")
# Modules that the package imports, and types that it or Foundation has: a module's one type is
# called as the module.
_TAKEN = """
    Onwrist Foundation Swift Darwin Combine Model SampleStream StreamOptions Prediction
    TaskResult SensorState Imputed ModelIdentity Verification Counters ChannelInfo TaskInfo
    PatternInfo OnwristError Bundle Data Date Stream String Double Float Int Bool Array Set
    Dictionary Optional Error Task Result
"""


def files(bundle: Bundle) -> dict[str, bytes]:
    """Every file of the target `ios` by its path.

    Raises
    ------
    BundleError
        The bundle has no TFLite graph.
    """
    graphs = writing.graphs_of(bundle, "ios", "tflite")
    name = module_name(bundle)
    found = dict(_host())
    found |= {f"{_API}/{path}": data for path, data in sources("swift").items()}
    found |= dict(_constants_of_c(bundle, name))
    found[f"Sources/{name}/{name}.swift"] = constants(bundle, name)
    found |= writing.data_files(bundle, graphs, f"Sources/{name}/{bundle.manifest.name}/")
    found["Package.swift"] = _package(bundle, name)
    found["README.md"] = _readme(bundle, name)
    return found


def module_name(bundle: Bundle) -> str:
    """The module of a bundle, and its type: WristHimae."""
    name = writing.pascal(bundle.manifest.name)
    return f"{name}Bundle" if name in _TAKEN.split() else name


def _host() -> Iterator[tuple[str, bytes]]:
    """The C host with the engine of TensorFlow Lite's C API, as a target of SwiftPM."""
    for path, data in sources("c").items():
        source = path.endswith((".c", ".h")) and "/" not in path
        if source and not path.startswith(_OTHER_ENGINE):
            folder = f"{_HOST}/include" if path == "onwrist.h" else _HOST
            yield f"{folder}/{path}", data
    yield f"{_HOST}/include/module.modulemap", _modulemap("COnwrist", "onwrist.h")


def _constants_of_c(bundle: Bundle, name: str) -> Iterator[tuple[str, bytes]]:
    """What `onwrist_open` is given, as a target of its own beside the host."""
    folder, module = f"Sources/C{name}", f"C{name}"
    for path, data in c.constants(bundle).items():
        yield (f"{folder}/include/{path}" if path.endswith(".h") else f"{folder}/{path}"), data
    record = c.bundle_name(bundle)
    yield (
        f"{folder}/include/{module}.h",
        writing.source(
            [
                *writing.header(
                    bundle, "The address of the constants: Swift takes none itself."
                ),
                f"#ifndef {module}_H",
                f"#define {module}_H",
                "",
                f'#include "{header_name(bundle)}.h"',
                "",
                f"static inline const onwrist_bundle *{accessor(bundle)}(void) {{",
                f"  return &{record};",
                "}",
                "",
                "#endif",
            ]
        ),
    )
    yield f"{folder}/include/module.modulemap", _modulemap(module, f"{module}.h")


def _modulemap(name: str, header: str) -> bytes:
    return writing.source([f"module {name} {{", f'    header "{header}"', "    export *", "}"])


def _package(bundle: Bundle, name: str) -> bytes:
    folder = writing.string(bundle.manifest.name, "swift")
    return writing.source(
        [
            "// swift-tools-version: 5.9",
            *writing.header(bundle, "The app that uses this package links TensorFlowLiteC."),
            "import PackageDescription",
            "",
            "let package = Package(",
            f'    name: "{name}",',
            "    platforms: [.iOS(.v16)],",
            "    products: [",
            f'        .library(name: "{name}", targets: ["{name}", "Onwrist"])',
            "    ],",
            "    targets: [",
            '        .target(name: "COnwrist"),',
            '        .target(name: "Onwrist", dependencies: ["COnwrist"]),',
            f'        .target(name: "C{name}", dependencies: ["COnwrist"]),',
            "        .target(",
            f'            name: "{name}", dependencies: ["Onwrist", "C{name}"],',
            f"            resources: [.copy({folder})]),",
            "    ]",
            ")",
        ]
    )


def _readme(bundle: Bundle, name: str) -> bytes:
    manifest = bundle.manifest
    sensor = manifest.channels[0].sensor
    options = []
    if manifest.tokens is not None:
        options = ["var options = StreamOptions()", "options.midnight = midnight"]
    code = [
        "import Onwrist",
        f"import {name}",
        "",
        f"let model = try {name}.load()",
        "let proof = try await model.verify()",
        'guard proof.passed else { throw OnwristError.parity("\\(proof.outputs)") }',
        *options,
        f"let stream = try model.stream({'options' if options else ''})",
        "// Sample by sample, a sensor's channels together; NaN where one is missing.",
        f'let given = try await stream.push("{sensor}", times: times, samples: samples)',
        "for task in given.flatMap(\\.tasks) {",
        '    let answer = task.value.map { "\\($0)" } ?? task.label ?? "-"',
        '    print(task.name, answer, task.unit ?? "", task.reason ?? "")',
        "}",
    ]
    steps = [
        "In Xcode: File, Add Package Dependencies, Add Local, and choose this folder; add the "
        f"library `{name}` to your app.",
        "Link TensorFlow Lite's C library to the app: with CocoaPods `pod 'TensorFlowLiteC', "
        "'~> 2.14'` in the app's target, or without it by adding "
        "`TensorFlowLiteC.xcframework`, from the archive that the podspec names or one that "
        "you built, and `libc++` under Frameworks, Libraries and Embedded Content. The C "
        "sources declare the functions that they call, so the package itself needs no header "
        "of it.",
        f"Call `{name}.selfTest()` on a device once for each release: it replays the golden "
        "vectors with the engine that you linked.",
    ]  # fmt: skip
    notes = [
        "Times are seconds on one clock, the same for all sensors of a stream, such as "
        "`mach_continuous_time` in seconds. `ProcessInfo.systemUptime` stands still while the "
        "phone sleeps, and must not be used.",
        "**Two bundles in one app** share one host. Make a package of your own whose targets "
        "point into both folders: `COnwrist` and `Onwrist` into one of them, `C...` and the "
        "bundle's module into each, as `examples/ios/Models/Package.swift` in onwrist's "
        "repository does.",
        "**Not compiled here.** No Swift compiler took part when this was made: the Swift "
        "files are checked by a parser, each call and field against the header of the C host "
        "by a C compiler, and the C host is compiled and run against the golden vectors.",
    ]
    return writing.readme(bundle, "an iOS app", "swift", code, steps, notes)
