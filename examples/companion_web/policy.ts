/**
 * The content security policy of the app, for the page's meta tag and for the servers that send
 * it as a header. Nothing is allowed that is not named: no other server is ever connected to.
 */
const DIRECTIVES = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  // blob: lets the worker inherit this policy; it can hold no code that the page did not write.
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self'",
  "manifest-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
];

export const META_POLICY = DIRECTIVES.join("; ");

/** What a meta tag cannot say as well, and what keeps referrers and types in place. */
export const HEADERS: Record<string, string> = {
  "Content-Security-Policy": [...DIRECTIVES, "frame-ancestors 'none'"].join("; "),
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "bluetooth=(self), camera=(), microphone=(), geolocation=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};
