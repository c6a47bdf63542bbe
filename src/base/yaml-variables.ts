import { isMap, isScalar, parseDocument } from "yaml";

/**
 * The variables of a YAML text of one level, `NAME: value`, each value as it is written: a token of twenty digits, `007` or `1e3` is no
 * number here. `null` and nothing are empty text. Undefined for a text of more than one level. Throws: SyntaxError for what is no YAML.
 */
export function readYamlVariables(text: string): Record<string, string> | undefined {
  const { contents, errors } = parseDocument(text);
  if (errors.length > 0) throw new SyntaxError("the text is not YAML");
  if (contents === null || (isScalar(contents) && contents.value === null)) return {};
  if (!isMap(contents)) return undefined;
  const entries = contents.items.map(({ key, value }) => [textOf(key), textOf(value)] as const);
  const texts = entries.filter((entry): entry is [string, string] => entry[0] !== undefined && entry[1] !== undefined);
  return texts.length < entries.length ? undefined : Object.fromEntries(texts);
}

function textOf(node: unknown): string | undefined {
  if (node === null) return "";
  if (!isScalar(node)) return undefined;
  const { value, source } = node;
  if (value === null) return "";
  if (typeof value === "number") return source;
  return typeof value === "string" || typeof value === "boolean" ? String(value) : undefined;
}
