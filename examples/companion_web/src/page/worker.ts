/** The worker that computes: requests to it, replies from it, and no end of it that is silent. */
import workerUrl from "../worker/main.ts?worker&url";
import type { Reply, Request } from "../protocol";

/**
 * Start it so that this page's content security policy binds it as well: a worker made from a
 * blob inherits the policy, where one from an address has only what the server sends with it.
 */
export function startWorker(
  onReply: (reply: Reply) => void,
  onDeath: (message: string) => void,
): (request: Request) => void {
  const address = new URL(workerUrl, document.baseURI).href;
  const code = `import ${JSON.stringify(address)}; self.postMessage("ready");`;
  const blob = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(blob, { type: "module", name: "onwrist" });
  let waiting: Request[] | null = []; // until the module has set its handler
  worker.onmessage = ({ data }: MessageEvent<Reply | "ready">) => {
    if (data !== "ready") return onReply(data);
    URL.revokeObjectURL(blob);
    const requests = waiting ?? [];
    waiting = null;
    for (const request of requests) worker.postMessage(request);
  };
  const died = (why: string) =>
    onDeath(`The part of this page that computes has stopped (${why}): reload the page to go on.`);
  worker.onerror = (event) => {
    event.preventDefault();
    died(event.message || "it could not be loaded");
  };
  worker.onmessageerror = () => died("a message could not be read");
  return (request) => {
    if (waiting) waiting.push(request);
    else worker.postMessage(request);
  };
}
