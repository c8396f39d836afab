// The layers of a decision: those of the policy directory that hold for a domain, and the meet of all layers with its
// hash. The meet is a function of the ceilings alone, so it is made once for the same ceilings. Only ceilings that
// nobody can change any more are remembered, and no longer than somebody else holds them.
import type { Hex } from '../../json.js';
import { isSettled, NO_CEILING } from './ceiling.js';
import { composeCeilings } from './meet.js';
import type { Ceiling, CeilingLayer } from './ceiling.js';

/** The meet of layers, and the hash of its normal form. */
export interface Composed {
  readonly ceiling: Ceiling;
  readonly hash: Hex;
}

export interface LayerStacks {
  /** Organisation, environment and tenant as they hold for `domain`, absent ones recorded, in that order. */
  own(domain: string): readonly CeilingLayer[];
  compose(layers: readonly CeilingLayer[]): Composed;
  hash(ceiling: Ceiling): Hex;
}

/** `loaded` is sorted by layer; a tenant layer holds for the domain of its name. */
export function layerStacks(
  loaded: readonly (CeilingLayer & { readonly spec: Ceiling; readonly hash: Hex })[],
  hashOf: (ceiling: Ceiling) => Hex,
): LayerStacks {
  const hashes = new WeakMap<Ceiling, Hex>(loaded.map(({ spec, hash }) => [spec, hash]));
  const hash = (ceiling: Ceiling): Hex => {
    const known = hashes.get(ceiling);
    if (known !== undefined) return known;
    const made = hashOf(ceiling);
    if (isSettled(ceiling)) hashes.set(ceiling, made);
    return made;
  };
  // Known from the start: a denial names it, whatever else has failed.
  hash(NO_CEILING);
  const composed = (layers: readonly CeilingLayer[]): Composed => {
    const ceiling = composeCeilings(layers);
    return { ceiling, hash: hash(ceiling) };
  };

  const of = (layer: CeilingLayer['layer'], name: string | null): readonly CeilingLayer[] => {
    const found = loaded.filter((one) => one.layer === layer && (name === null || one.name === name));
    return found.length > 0 ? found : [{ layer, name: '', spec: null }];
  };
  const everywhere = [...of('org', null), ...of('environment', null)];
  const tenants = new Map(
    loaded
      .filter(({ layer }) => layer === 'tenant')
      .map(({ name }) => [name, [...everywhere, ...of('tenant', name)]] as const),
  );
  const noTenant: readonly CeilingLayer[] = [...everywhere, { layer: 'tenant', name: '', spec: null }];

  const root = new Meeting();
  return {
    own: (domain) => tenants.get(domain) ?? noTenant,
    hash,
    compose: (layers) => {
      let meeting = root;
      for (const { spec } of layers) {
        if (spec === null) continue;
        if (!isSettled(spec)) return composed(layers);
        meeting = meeting.with(spec);
      }
      meeting.composed ??= composed(layers);
      return meeting.composed;
    },
  };
}

/** The ceilings met so far, one after the other; a ceiling that is gone takes along what was met with it. */
class Meeting {
  composed: Composed | null = null;
  readonly #next = new WeakMap<Ceiling, Meeting>();

  with(ceiling: Ceiling): Meeting {
    const known = this.#next.get(ceiling);
    if (known !== undefined) return known;
    const made = new Meeting();
    this.#next.set(ceiling, made);
    return made;
  }
}
