import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

/** The folder with the settings of the Temporal server. */
export const TEMPORAL_CONFIG_DIR = fileURLToPath(new URL("../../../temporal-config/", import.meta.url));

const SEARCH_ATTRIBUTE_TYPES = ["Keyword", "KeywordList", "Text", "Int", "Double", "Bool", "Datetime"] as const;
export type SearchAttributeType = (typeof SEARCH_ATTRIBUTE_TYPES)[number];

/** The search attributes of this service, by name, as the server must know them. Throws: Error on an unknown type. */
export function readSearchAttributes(): Readonly<Record<string, SearchAttributeType>> {
  const attributes = JSON.parse(readFileSync(`${TEMPORAL_CONFIG_DIR}search-attributes.json`, "utf8")) as Record<string, string>;
  for (const [name, type] of Object.entries(attributes))
    if (!SEARCH_ATTRIBUTE_TYPES.includes(type as SearchAttributeType))
      throw new Error(`Search attribute ${name} has the unknown type ${type}.`);
  return attributes as Record<string, SearchAttributeType>;
}

/**
 * The server's settings of dynamicconfig.yaml as `key=JSON` texts, as `--dynamic-config-value` takes them.
 * Throws: Error for a value with constraints, which the flag cannot carry.
 */
export function readDynamicConfigValues(path: string = `${TEMPORAL_CONFIG_DIR}dynamicconfig.yaml`): string[] {
  const settings = parse(readFileSync(path, "utf8")) as Record<string, { value: unknown; constraints?: unknown }[]>;
  return Object.entries(settings).map(([key, values]) => {
    const [only, second] = values;
    if (only === undefined || second !== undefined || only.constraints !== undefined)
      throw new Error(`${key} must have exactly one value without constraints.`);
    return `${key}=${JSON.stringify(only.value)}`;
  });
}
