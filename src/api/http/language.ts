import type { ApiContext } from "../api-env.ts";

/** The languages that stories are told in. */
export type Language = "en" | "ru";

/** The language of the answer to this request, which the answer names; caches are told that it depends on Accept-Language. */
export function languageAsked(context: ApiContext): Language {
  const language = preferredLanguage(context.req.header("accept-language"));
  context.header("content-language", language);
  context.header("vary", "Accept-Language", { append: true });
  return language;
}

/** The language that an Accept-Language header gives the greatest weight, of English and Russian; English when it names neither. */
export function preferredLanguage(header: string | undefined): Language {
  const wanted = (header ?? "")
    .slice(0, 200)
    .split(",")
    .map((part) => {
      const [range = "", ...parameters] = part.trim().toLowerCase().split(";");
      const quality = parameters.map((text) => /^\s*q=(\d(?:\.\d{1,3})?)$/.exec(text)?.[1]).find((text) => text !== undefined);
      return { language: range.split("-")[0], quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ language, quality }) => (language === "en" || language === "ru") && quality > 0)
    .sort((left, right) => right.quality - left.quality);
  return wanted[0]?.language === "ru" ? "ru" : "en";
}
