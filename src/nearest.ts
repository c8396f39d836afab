// "Did you mean": the known name that a mistyped one is closest to.
import { distance } from 'fastest-levenshtein';

const MAX_LENGTH = 80;

/**
 * `did you mean "x"?` for the candidate nearest to `name`; undefined when none is near. `most`: edits that still count
 * as near; default: by the length of the name.
 */
export function nearest(name: string, candidates: Iterable<string>, most?: number): string | undefined {
  const wanted = plain(name);
  // Between two that are as near, the one that is spelled more like it.
  const raw = (candidate: string): number =>
    distance(name.slice(0, MAX_LENGTH), candidate.slice(0, MAX_LENGTH));
  let best: string | undefined;
  let least = (most ?? (wanted.length <= 3 ? 1 : Math.max(2, Math.floor(wanted.length / 3)))) + 1;
  for (const candidate of candidates) {
    const spelled = plain(candidate);
    if (Math.abs(spelled.length - wanted.length) > least) continue;
    const away = distance(wanted, spelled);
    const isAsSpelled = away === least && best !== undefined && raw(candidate) < raw(best);
    if (away < least || isAsSpelled) [best, least] = [candidate, away];
  }
  return best === undefined ? undefined : `did you mean ${JSON.stringify(best)}?`;
}

// Case and separators are what people get wrong first.
function plain(name: string): string {
  return name
    .slice(0, MAX_LENGTH)
    .toLowerCase()
    .replaceAll(/[_\s-]/g, '');
}
