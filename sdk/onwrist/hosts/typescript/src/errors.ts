/** Every error that a caller can see, in one shallow tree. */

import type { Prediction } from "./prediction.js";

/** Base of all errors that are thrown on purpose. */
export class OnwristError extends Error {
  override readonly name: string = "OnwristError";
}

/** The values, times, names or options that you passed cannot be used. */
export class InputError extends OnwristError {
  override readonly name = "InputError";
}

/** A bundle is damaged, altered, of another format version, or inconsistent. */
export class BundleError extends OnwristError {
  override readonly name = "BundleError";
}

/** The inference engine cannot run this bundle, or it failed. */
export class EngineError extends OnwristError {
  override readonly name = "EngineError";

  /** @param predictions of a stream: those that were made before the engine failed. */
  constructor(
    message: string,
    readonly predictions: readonly Prediction[] = [],
  ) {
    super(message);
  }
}

/** An engine does not give the numbers that it must. */
export class ParityError extends OnwristError {
  override readonly name = "ParityError";
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
