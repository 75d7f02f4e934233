/** The one error that the app shows as it stands: what is wrong, and what to do about it. */
export class AppError extends Error {
  override name = "AppError";
}

/** What to show of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
