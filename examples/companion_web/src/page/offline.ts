/** The service worker that keeps all files of this app, and a word on whether it does. */
import { byId, setText } from "./dom";

export function registerOffline(): void {
  const told = byId("offline");
  if (import.meta.env.DEV) return;
  if (!("serviceWorker" in navigator)) {
    setText(
      told,
      "This browser does not keep the page for offline use (it needs https or localhost).",
    );
    return;
  }
  navigator.serviceWorker
    .register(`${import.meta.env.BASE_URL}sw.js`)
    .then(async (registration) => {
      const fresh = registration.installing;
      fresh?.addEventListener("statechange", () => {
        // What was kept before, if anything, still works.
        if (fresh.state === "redundant")
          setText(told, "Not kept for offline use: a file did not load. Reload to try again.");
      });
      await navigator.serviceWorker.ready;
    })
    .then(() => setText(told, "Kept on this device: works offline."))
    .catch((error: unknown) => setText(told, `Not kept for offline use (${String(error)}).`));
}
