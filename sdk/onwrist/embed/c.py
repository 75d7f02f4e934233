"""A bundle in, what a program in C needs out: constants, the host's sources, a self-test.

The constants are one `const onwrist_bundle`, with everything in the manifest that the host
asks for; a program passes it to `onwrist_open` and parses nothing.
"""

from __future__ import annotations

from onwrist.embed import writing
from onwrist.embed.c_constants import Writer, bundle_name, header_name
from onwrist.hosts import sources
from onwrist_runtime.bundle import Bundle

__all__ = ["bundle_name", "command", "constants", "files"]

_HOST = "onwrist"


def files(bundle: Bundle) -> dict[str, bytes]:
    """Every file of the target `c` by its path.

    Raises
    ------
    BundleError
        The bundle has no TFLite graph.
    """
    graphs = writing.graphs_of(bundle, "c", "tflite")
    found = constants(bundle)
    found |= {f"{_HOST}/{path}": data for path, data in sources("c").items()}
    found |= writing.data_files(bundle, graphs, f"{bundle.manifest.name}/")
    found["selftest.c"] = _self_test(bundle)
    found["README.md"] = _readme(bundle)
    return found


def constants(bundle: Bundle) -> dict[str, bytes]:
    """A header and a source with the bundle's constants.

    Raises
    ------
    BundleError
        The bundle has no TFLite graph.
    """
    graphs = writing.graphs_of(bundle, "c", "tflite")
    stem = header_name(bundle)
    writer = Writer(bundle, graphs)
    return {f"{stem}.h": writer.header(), f"{stem}.c": writer.source()}


def _self_test(bundle: Bundle) -> bytes:
    name, folder = bundle_name(bundle), writing.string(bundle.manifest.name, "c")
    return writing.source(
        [
            *writing.header(
                bundle,
                "Replays the golden vectors with the engine that is linked, and says how far "
                "it is from them. Exit code 0 if it gives the bundle's numbers here, else 1.",
            ),
            f'#include "{header_name(bundle)}.h"',
            "",
            "#include <stdio.h>",
            "",
            "#ifndef SELFTEST_ENGINE",
            "#define SELFTEST_ENGINE onwrist_litert",
            "#endif",
            "",
            "int main(int count, char **arguments) {",
            f"  const char *folder = count > 1 ? arguments[1] : {folder};",
            f"  const onwrist_bundle *bundle = &{name};",
            "  onwrist_model *model = NULL;",
            '  onwrist_error error = {""};',
            "  onwrist_report report = {0};",
            "  onwrist_status status = onwrist_open(bundle, SELFTEST_ENGINE(), folder, &model, "
            "&error);",
            "  if (!status) status = onwrist_verify(model, NULL, 0, &report, &error);",
            '  printf("%s %s: %d windows, %d steps\\n", bundle->name, bundle->version, '
            "report.windows,",
            "         report.steps);",
            "  for (int k = 0; k < report.output_count; k++)",
            '    printf("output %d: off by %.3g, in steps by %.3g, at most %.3g\\n", k, '
            "report.difference[k],",
            "           report.step_difference[k],",
            "           (report.loose ? bundle->golden.loose : bundle->golden.tolerance)[k]);",
            '  printf("%s%s\\n", status ? "FAILED: " : "passed",',
            '         status ? error.text : report.loose ? ", as it rounds otherwise" : "");',
            "  onwrist_close(model);",
            "  return status ? 1 : 0;",
            "}",
        ]
    )


def _readme(bundle: Bundle) -> bytes:
    manifest, stem = bundle.manifest, header_name(bundle)
    steps = [
        f"Compile `{stem}.c` and the `.c` files of `{_HOST}/`, less the engine that you do not "
        "link, as C99 or later (`-std=c99`, so that no two operations are fused). With "
        f"`libLiteRt.so` in LIBRARIES: `{command(bundle, 'selftest')}`",
        "Link an engine: `onwrist_litert.c` on LiteRT's C API (`libLiteRt.so` 2.3, as in the "
        "wheel of ai-edge-litert; with `-DONWRIST_LITERT_2_1` that of 2.1), or "
        "`onwrist_tflite.c` on that of TensorFlow Lite (`libtensorflowlite_c.so`, "
        "TensorFlowLiteC.framework). Any other engine is three functions: see "
        "`onwrist_engine` in `onwrist.h`.",
        f"Put the folder `{manifest.name}/` where the program finds it, or pass its files from "
        "memory to `onwrist_open_files`, aligned to 16 bytes.",
        "Run `./selftest` once on the target: it replays the golden vectors with the engine "
        "that you linked.",
    ]
    notes = [
        "The program above reads a time in seconds and a sample from each line. An app pushes "
        "what its sensors give, in bursts of any size; all sensors are on one clock.",
        "Every call returns a status, and says why and what to do in `error.text`. `onwrist.h` "
        "is the whole interface.",
        f"Sizes and SHA-256 of the graphs are checked when `{manifest.name}/` is opened.",
        f"`{_HOST}/README.md` tells what the host needs of memory, and how it was tried.",
    ]
    return writing.readme(bundle, "a program in C", "c", _program(bundle), steps, notes)


def command(bundle: Bundle, program: str) -> str:
    """What compiles a program with the host and LiteRT's library in the folder LIBRARIES."""
    return (
        f"cc -std=c99 -O2 -I{_HOST} {program}.c {header_name(bundle)}.c "
        f"$(ls {_HOST}/*.c | grep -v tflite) -LLIBRARIES -Wl,-rpath,LIBRARIES -lLiteRt -lm "
        f"-o {program}"
    )


def _program(bundle: Bundle) -> list[str]:
    manifest = bundle.manifest
    folder, channel = (
        writing.string(text, "c") for text in (manifest.name, manifest.channels[0].name)
    )
    return [
        f'#include "{header_name(bundle)}.h"',
        "",
        "#include <stdio.h>",
        "",
        "static void told(void *context, const onwrist_prediction *given) {",
        "  (void)context;",
        "  for (int k = 0; k < given->bundle->task_count; k++) {",
        "    const onwrist_result *task = &given->tasks[k];",
        '    if (task->abstained) printf("%s: - (%s)\\n", task->name, task->reason);',
        '    else if (task->label) printf("%s: %s\\n", task->name, task->label);',
        '    else printf("%s: %.1f %s\\n", task->name, task->value, task->unit);',
        "  }",
        "}",
        "",
        "int main(void) {",
        "  onwrist_error error;",
        "  onwrist_model *model = NULL;",
        "  onwrist_stream *stream = NULL;",
        f"  const onwrist_bundle *bundle = &{bundle_name(bundle)};",
        f"  if (onwrist_open(bundle, onwrist_litert(), {folder}, &model, &error) ||",
        "      onwrist_verify(model, NULL, 0, NULL, &error) || /* once on each processor */",
        "      onwrist_stream_create(model, NULL, &stream, &error)) {",
        '    fprintf(stderr, "%s\\n", error.text);',
        "    onwrist_close(model);",
        "    return 1;",
        "  }",
        "  double time; /* seconds */",
        "  float sample;",
        '  while (scanf("%lf %f", &time, &sample) == 2)',
        f"    if (onwrist_push(stream, {channel}, &time, &sample, 1, told, NULL, &error))",
        '      fprintf(stderr, "%s\\n", error.text);',
        "  onwrist_stream_free(stream);",
        "  onwrist_close(model);",
        "  return 0;",
        "}",
    ]
