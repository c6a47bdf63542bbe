const formats = new Map<string, Intl.DateTimeFormat>();

/** An instant as the clock in the zone shows it, with its offset, by RFC 3339: `2022-11-01T00:00:00.000+03:00`. */
export function localTime(instant: Date, timeZone: string): string {
  const name = formatOf(timeZone)
    .formatToParts(instant)
    .find(({ type }) => type === "timeZoneName")?.value;
  const [, sign = "+", hours = "00", minutes = "00"] = /GMT([+-])(\d\d):(\d\d)/.exec(name ?? "") ?? [];
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -60_000 : 60_000);
  return `${new Date(instant.getTime() + offsetMs).toISOString().slice(0, -1)}${sign}${hours}:${minutes}`;
}

// Making a format costs more than using it a hundred times; there are as many as configured zones.
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  formats.set(timeZone, made);
  return made;
}
