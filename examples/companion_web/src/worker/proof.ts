/** A loaded model in, the replay of its golden vectors in this browser out; or why it must not run. */
import { ParityError, type Model, type Verification } from "@onwrist/stream";
import { AppError } from "../errors";

export async function proven(model: Model): Promise<Verification> {
  const verification = await model.verify();
  if (verification.passed) return verification;
  const off = Object.entries(verification.outputs)
    .filter(([output, difference]) => !(difference <= (verification.tolerance[output] ?? 0)))
    .map(
      ([output, difference]) =>
        `${output} by ${difference}, allowed ${verification.tolerance[output]}`,
    );
  throw new ParityError(
    `${model.manifest.name}: this browser does not give the golden numbers (${off.join("; ")}): ` +
      "use another browser, and report its name and version",
  );
}

/** A file of this page's own server, from the network or from what is kept for offline use. */
export async function fetched(url: string): Promise<Blob> {
  let response: Response;
  try {
    // This worker comes from a blob, against which no address can be resolved.
    response = await fetch(new URL(url, self.location.origin));
  } catch {
    throw new AppError(
      `${nameOf(url)} is neither kept on this device nor reachable: connect once, reload, and try again`,
    );
  }
  if (!response.ok)
    throw new AppError(`${nameOf(url)}: the server answers ${response.status}; reload the page`);
  return await response.blob();
}

function nameOf(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}
