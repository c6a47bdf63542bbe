/** The languages that stories are told in. */
export type Language = "en" | "ru";

/** The language an Accept-Language header likes best of those there are; English when it names none of them. */
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
