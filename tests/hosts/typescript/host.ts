/** The modules of @onwrist/stream, from their source. */

export * from "../../../sdk/onwrist/hosts/typescript/src/availability.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/bundle.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/chain.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/clock.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/decision.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/engine.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/errors.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/json.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/manifest_fields.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/minutes.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/model.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/ort.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/plausibility.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/predictor.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/resampling.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/safetensors.js";
export { Stream } from "../../../sdk/onwrist/hosts/typescript/src/stream.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/strict_zip.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/tokens.js";
export * from "../../../sdk/onwrist/hosts/typescript/src/words.js";
