import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ERROR_CATALOGUE } from "../../src/base/errors.ts";
import { generatedPages } from "./pages.ts";

it.each(Object.entries(await generatedPages()))("docs/%s says what the code says (npm run docs writes it)", (name, text) => {
  expect(readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8")).toBe(text);
});

it("every code of the catalogue has a line", async () => {
  const page = (await generatedPages())["errors.md"] ?? "";
  for (const code of Object.keys(ERROR_CATALOGUE)) expect(page).toContain(`\`${code}\``);
});
