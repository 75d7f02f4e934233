/**
 * A folder in, a server of its files on 127.0.0.1 out, which writes down every request.
 *
 * With the app's headers, or without any, as the simplest of servers sends files.
 */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { HEADERS } from "../../examples/companion_web/policy.ts";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".csv": "text/csv",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

export interface Seen {
  method: string;
  url: string;
  bytes: number;
}

export interface Serving {
  origin: string;
  /** Every request so far, with the bytes of its body. */
  seen: Seen[];
  /** Bytes that arrived so far, on any connection, in whatever protocol. */
  bytes: number;
  stop(): Promise<void>;
  /** Listen again on the same port. */
  start(): Promise<void>;
}

/** Serve `folder`; null serves nothing and only watches. */
export async function serve(folder: string | null, { headers = true } = {}): Promise<Serving> {
  const sockets = new Set<Socket>();
  let server: Server;
  let port = 0;
  const serving: Serving = {
    origin: "",
    seen: [],
    bytes: 0,
    async start() {
      server = createServer((request, response) => {
        const entry = note(request);
        request.on("data", (data: Buffer) => (entry.bytes += data.length));
        request.on("end", () => {
          const path = fileOf(folder, request.url ?? "/");
          if (!path || request.method !== "GET") {
            response.writeHead(404).end();
            return;
          }
          const type = TYPES[extname(path)] ?? "application/octet-stream";
          response.writeHead(200, {
            "Content-Type": type,
            "Cache-Control": "no-cache",
            ...(headers ? HEADERS : {}),
          });
          createReadStream(path).pipe(response);
        });
      });
      server.on("upgrade", (request, socket) => {
        note(request);
        socket.destroy();
      });
      server.on("connection", (socket) => {
        sockets.add(socket);
        socket.on("data", (data) => (serving.bytes += data.length));
        socket.on("close", () => sockets.delete(socket));
      });
      await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
      port = (server.address() as AddressInfo).port;
      serving.origin = `http://127.0.0.1:${port}`;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
  const note = (request: IncomingMessage): Seen => {
    const entry = { method: request.method ?? "", url: request.url ?? "", bytes: 0 };
    serving.seen.push(entry);
    return entry;
  };
  await serving.start();
  return serving;
}

function fileOf(folder: string | null, url: string): string | null {
  if (folder === null) return null;
  const path = normalize(decodeURIComponent(new URL(url, "http://x").pathname));
  const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
  return existsSync(file) && statSync(file).isFile() ? file : null;
}
