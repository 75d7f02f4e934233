/** A window of several sensors in; out, those that cannot be believed, and why, in words. */

import type { Manifest } from "./manifest.js";

export class Plausibility {
  static of(_manifest: Manifest): Plausibility {
    return new Plausibility();
  }

  implausible(_values: Float32Array, _observed: Uint8Array): ReadonlyMap<string, string> {
    return new Map();
  }
}
