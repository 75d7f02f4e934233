/**
 * What this browser can do, told by modules of a few bytes that only validate where it can.
 *
 * onnxruntime-web's WebAssembly needs SIMD, and atomics with shared memory ("threads") although
 * only one thread runs: without them it does not compile.
 */

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const BODY = [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0];
// A function that gives i32.const 0, i8x16.splat, i8x16.popcnt.
const SIMD = [...HEADER, ...BODY, 10, 10, 1, 8, 0, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x62, 0x0b];
// A shared memory and i32.atomic.load.
const THREADS = [
  ...HEADER, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1,
  10, 11, 1, 9, 0, 0x41, 0, 0xfe, 0x10, 2, 0, 0x1a, 0x0b,
]; // prettier-ignore

/** Why WebAssembly cannot run the model here, with what to do; null if it can. */
export function missingFeature(): string | null {
  const use =
    "Use a current Chrome, Edge, Firefox (89 or later) or Safari (16.4 or later), or open this " +
    "page from onwrist serve --app and choose it under Computed by.";
  if (typeof WebAssembly !== "object" || typeof WebAssembly.validate !== "function") {
    return (
      "This browser has no WebAssembly, so the model cannot run in it. It may be switched off by " +
      `a policy, a lockdown mode or an extension. ${use}`
    );
  }
  if (!WebAssembly.validate(new Uint8Array(SIMD))) {
    return `This browser's WebAssembly has no SIMD, which the model needs. ${use}`;
  }
  if (!WebAssembly.validate(new Uint8Array(THREADS))) {
    return `This browser's WebAssembly has no threads (atomics), which the model needs. ${use}`;
  }
  return null;
}
