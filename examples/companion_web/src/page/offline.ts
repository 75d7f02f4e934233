/** The service worker that keeps all files of this app, and a word on whether it does. */
import { byId, setText } from "./dom";

const NOT_HERE =
  "Not kept for offline use: this needs https or localhost, and a browser that allows sites to " +
  "keep data (many private windows do not).";

export function registerOffline(): void {
  if (import.meta.env.DEV) return;
  const tell = (words: string) => setText(byId("offline"), words);
  keep(tell).catch(() => tell(NOT_HERE));
}

async function keep(tell: (words: string) => void): Promise<void> {
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  const address = `${import.meta.env.BASE_URL}sw.js`;
  const registration = (await workers?.register(address)) as ServiceWorkerRegistration | undefined;
  if (!workers || !registration) return tell(NOT_HERE);
  const fresh = registration.installing;
  fresh?.addEventListener("statechange", () => {
    // What was kept before, if anything, still works.
    if (fresh.state !== "redundant") return;
    tell(
      "Not kept for offline use: a file did not load, or there is no room for 36 MB. Reload to try again.",
    );
  });
  await workers.ready;
  tell("Kept on this device: works offline.");
}
