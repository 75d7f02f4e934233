/**
 * Keeps every file of one build, so that the app works without a network from the second visit
 * on. FILES and VERSION are written by the build. Nothing but this app's own files is fetched,
 * and nothing is ever sent.
 */
const VERSION = "%VERSION%";
const FILES = ["%FILES%"];
const CACHE = `onwrist-companion-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      // All or nothing: half an app would fail later, offline.
      await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith("onwrist-companion-") && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  const path = url.pathname.endsWith("/") ? `${url.pathname}index.html` : url.pathname;
  if (!FILES.includes(path)) return; // onwrist serve answers the rest
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE);
      return (await cache.match(path)) ?? (await fetch(event.request));
    })(),
  );
});
