/** Python of the checkout in; what it prints, and the recordings that it writes, out. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./browser.ts";

const VENV = join(ROOT, ".venv/bin/python");
export const PYTHON = process.env["PYTHON"] ?? (existsSync(VENV) ? VENV : "python3");

export function python(code: string, ...args: string[]): string {
  return execFileSync(PYTHON, ["-c", code, ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, OMP_NUM_THREADS: "1" },
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** The rows of `onwrist predict --json` for each list of arguments, in one process. */
export function predicted(...runs: string[][]): Row[][] {
  const code = `
import contextlib, io, json, sys
from onwrist.cli import main
for arguments in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["predict", "--json", *arguments])
    assert code == 0, (arguments, code)
    print("[" + ",".join(out.getvalue().split("\\n")[:-1]) + "]")`;
  const lines = python(code, JSON.stringify(runs)).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Row[]);
}

export interface Row {
  start: number;
  end: number;
  date?: string;
  coverage: Record<string, number>;
  sensors: Record<
    string,
    { coverage: number; used: boolean; weight: number | null; reason: string | null }
  >;
  tasks: Record<
    string,
    {
      value?: number | null;
      label?: string | null;
      probabilities?: Record<string, number> | null;
      confidence: number | null;
      abstained: boolean;
      reason: string | null;
    }
  >;
  imputed?: Record<string, number>;
  means?: Record<string, { observed: number | null; with_imputed: number | null }>;
}

/** Writes an E4 folder and a zip of it: ppg stops being found by nobody, since an E4 has no gaps. */
export const WRITE_E4 = `
import sys, zipfile
from pathlib import Path
import numpy as np
from onwrist.simulate import simulate
out = Path(sys.argv[1]) / "1560279825_A00204"
out.mkdir()
signals = simulate(90, 3, dropout=None, dies={}).signals
start = 1560279825.0
def write(name, columns, rate, decimals):
    head = [", ".join([f"{start:.6f}"] * len(columns)), ", ".join([f"{rate:.6f}"] * len(columns))]
    rows = [",".join(f"{x:.{decimals}f}" for x in row) for row in zip(*columns)]
    (out / name).write_text("\\n".join(head + rows) + "\\n")
write("BVP.csv", [signals["ppg"].values], 64, 2)
write("ACC.csv", [np.round(signals[x].values * 64) + 0.0 for x in ("acc_x", "acc_y", "acc_z")], 32, 0)
write("EDA.csv", [signals["eda"].values], 4, 6)
write("TEMP.csv", [signals["temp"].values[: 4 * 50]], 4, 2)
(out / "tags.csv").write_text("1560279855.25\\n")
(out / "HR.csv").write_text("not read")
with zipfile.ZipFile(Path(sys.argv[1]) / "1560279825_A00204.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(out.iterdir()):
        archive.write(file, file.name)
`;

/** What Python's readers make of a recording: times, values and rate of each channel, and notes. */
export const READ = `
import json, sys, warnings
from pathlib import Path
from onwrist.readers import read
from onwrist.recording import Recording
found = []
for path in sys.argv[1:]:
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        try:
            x = read(path)
        except Exception as error:
            found.append({"error": str(error)})
            continue
    found.append({"notes": list(x.notes), "events": list(x.events), "signals": {
        name: {"times": s.times.tolist(), "values": [None if v != v else v for v in s.values.tolist()], "rate": s.rate}
        for name, s in x.signals.items()}})
print(json.dumps(found))
`;
