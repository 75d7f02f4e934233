/** Every shipped bundle is proven by its golden vectors in a real browser; altered ones are refused. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { APP, choose, proof, visit, type Visit } from "./browser.ts";
import { serve, type Serving } from "./server.ts";

let server: Serving;
let here: Visit;

beforeAll(async () => {
  server = await serve(APP);
  here = await visit(server.origin);
});
afterAll(async () => {
  await here?.close();
  await server?.stop();
});

test.each(["wrist-himae-small", "wrist-himae", "day-lsm2", "body-fusion"])(
  "%s gives its golden numbers in the browser",
  async (name) => {
    const { page } = here;
    await proof(page);
    const chosen = name === "wrist-himae-small" ? await proof(page) : await choose(page, name);
    expect(chosen.words).toContain("golden vectors reproduced in this browser");
    expect(chosen.state).toBe("good");
    const rows = await page
      .locator("#golden tbody tr")
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    expect(rows.length).toBeGreaterThan(1);
    for (const [output, difference, allowed] of rows) {
      expect(Number(difference), output!).toBeLessThanOrEqual(Number(allowed));
    }
  },
);
