import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import type { ApiEnv } from "../api-env.ts";
import { languageAsked, preferredLanguage } from "./language.ts";

describe("the language of an answer", () => {
  test.each([
    [undefined, "en"],
    ["", "en"],
    ["ru", "ru"],
    ["RU-ru", "ru"],
    ["ru-RU,ru;q=0.9,en-US;q=0.8", "ru"],
    ["en-US,en;q=0.9,ru;q=0.8", "en"],
    ["de, ru;q=0.3, en;q=0.2", "ru"],
    ["ru;q=0.2, en;q=0.9", "en"],
    ["de,ru;q=0.3,en;q=0.7", "en"],
    ["ru;q=0", "en"],
    ["de", "en"],
    ["*", "en"],
    [";;q=,,ru;q=x", "ru"],
    [`${"a,".repeat(10_000)}ru`, "en"],
  ])("for %j is %s", (header, language) => {
    expect(preferredLanguage(header)).toBe(language);
  });

  test("is named by the answer, and caches are told of it beside what they were told before", async () => {
    const api = new Hono<ApiEnv>();
    api.get("/", (context) => {
      context.header("vary", "origin");
      return context.text(languageAsked(context));
    });
    const response = await api.request("/", { headers: { "accept-language": "ru" } });

    expect(await response.text()).toBe("ru");
    expect([response.headers.get("content-language"), response.headers.get("vary")]).toEqual(["ru", "origin, Accept-Language"]);
  });
});
