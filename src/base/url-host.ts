/** A host as it stands in a URL: an IPv6 address in brackets, anything else as it is. */
export function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** The other way round: a host of a URL without the brackets of an IPv6 address. */
export function plainHost(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}
