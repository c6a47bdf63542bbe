import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderLoadPlot } from "./report/load-plot.ts";
import { renderPage, type Run } from "./report/page.ts";

const DOCS = fileURLToPath(new URL("../docs/", import.meta.url));

/** Writes docs/performance.md and the plots beside it, and returns their paths. */
export function writePage(run: Run, docs: string = DOCS): string[] {
  const page = join(docs, "performance.md");
  writeFileSync(page, renderPage(run));
  const folder = join(docs, "performance");
  if (run.plots.length > 0) mkdirSync(folder, { recursive: true });
  const pictures = run.plots.map((plot) => {
    const path = join(folder, `${plot.name}.svg`);
    writeFileSync(path, renderLoadPlot(plot));
    return path;
  });
  return [page, ...pictures];
}
