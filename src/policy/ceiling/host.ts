// Hosts and paths are not globs: a `*.suffix` must not match the suffix itself, and `/data` must not contain
// `/database`. Both sides are already lower-case, normalised text (checked by schema and request).

/** Whether `host:port` matches an exact or `*.suffix` pattern whose port may be `*`. */
export function hostMatches(value: string, pattern: string): boolean {
  const [host, port] = splitPort(value);
  const [wantedHost, wantedPort] = splitPort(pattern);
  if (wantedPort !== '*' && wantedPort !== port) return false;
  if (!wantedHost.startsWith('*.')) return host === wantedHost;
  const suffix = wantedHost.slice(1);
  return host.length > suffix.length && host.endsWith(suffix);
}

/** Whether `path` is `tree` or below it, compared by segment. */
export function pathContains(tree: string, path: string): boolean {
  return path === tree || path.startsWith(tree === '/' ? '/' : `${tree}/`);
}

function splitPort(text: string): readonly [string, string] {
  const colon = text.lastIndexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1)];
}
