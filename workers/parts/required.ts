import { ConfigError } from "../../src/config.ts";

/** The value of a setting that this role needs. Throws: ConfigError that names the setting, when it has no value. */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new ConfigError([`${name}: is needed by this role; \`npm start\` sets it`]);
  return value;
}
