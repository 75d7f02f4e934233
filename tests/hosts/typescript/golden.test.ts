/** ONNX Runtime in WebAssembly gives the numbers of every shipped bundle. */

import { describe, expect, test, vi } from "vitest";

import { loadModel, ParityError, EngineError } from "./host.js";
import { bundleOf, engine, floating, modelOf, NAMES } from "./shipped.js";

describe.each(NAMES)("%s", (name) => {
  test.each(["s8", "u8"] as const)("its golden vectors hold with %s", async (activations) => {
    const model = await modelOf(name, { activations, prove: false });
    const report = await model.verify();
    const { golden } = model.manifest;
    expect(report.passed).toBe(true);
    expect([report.windows, report.steps]).toEqual([golden.windows, golden.steps]);
    expect(report.tolerance).toMatchObject(golden.tolerance);
    for (const [output, most] of Object.entries(report.tolerance)) {
      expect(report.outputs[output], output).toBeLessThanOrEqual(most);
    }
  });
});

test("an engine that rounds otherwise is refused", async () => {
  const bundle = await bundleOf("wrist-himae-small");
  const loading = loadModel(bundle, floating);
  await expect(loading).rejects.toThrow(ParityError);
  await expect(loading).rejects.toThrow(/off the golden vectors of wrist-himae-small .*embedding by/);
});

test("an engine that answers nothing, or NaN, is refused", async () => {
  const bundle = await bundleOf("day-lsm2");
  const without = loadModel(bundle, async () => ({ run: async () => ({}) }));
  await expect(without).rejects.toThrow(/gave tokens \(not at all\), but the manifest describes/);
  const nan = loadModel(bundle, async (model, file) => {
    const session = await engine(model, file);
    return {
      async run(inputs) {
        const outputs = await session.run(inputs);
        for (const { data } of Object.values(outputs)) data[0] = NaN;
        return outputs;
      },
    };
  });
  await expect(nan).rejects.toThrow(ParityError);
});

test("a bundle without graphs of the kind that is asked for says what it has", async () => {
  const bundle = await bundleOf("wrist-himae-small");
  const broken = loadModel(bundle, async () => Promise.reject(new Error("no WebAssembly SIMD")));
  await expect(broken).rejects.toThrow(EngineError);
  await expect(broken).rejects.toThrow(/cannot open model.s8.onnx: no WebAssembly SIMD/);
});

test("a browser without WebAssembly or its SIMD is told what to do", async () => {
  const bundle = await bundleOf("day-lsm2");
  vi.stubGlobal("WebAssembly", { ...WebAssembly, validate: () => false });
  await expect(loadModel(bundle, engine)).rejects.toThrow(/no SIMD here: take Chrome 91/);
  vi.stubGlobal("WebAssembly", undefined);
  await expect(loadModel(bundle, engine)).rejects.toThrow(/no WebAssembly here: allow it/);
  vi.unstubAllGlobals();
  await expect(loadModel(bundle, engine)).resolves.toBeDefined();
});
