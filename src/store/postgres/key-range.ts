/** Where the keys with this prefix end in the order of bytes. A range of keys walks their index; a pattern that is not constant would not. */
export function rangeEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
