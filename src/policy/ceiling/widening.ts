// Where a ceiling that stands under others says more than they allow. At run time the meet holds and such words change
// nothing; whoever wrote them is told beforehand that they will not get what they ask for. Only what is written counts: a
// field that says nothing takes what is above it. Approval, rates and requirements add up, and are never wider.
import { isObject, type Json } from '../../json.js';
import { amountText, BUDGET_NAMES, BUDGET_PERIODS, budgetField } from './budget.js';
import { CLASSIFICATIONS, CREDENTIAL_MODES, LIMIT_NAMES, NETWORK_MODES, placesOf } from './ceiling.js';
import type { Ceiling, NameCeiling } from './ceiling.js';
import { patternCovers } from '../rbac/glob-cover.js';
import { hostMatches, pathContains } from './host.js';
import { least } from './meet.js';

/** One field; `limit` and `requested` are words for people. */
export interface Widening {
  readonly field: string;
  readonly limit: string;
  readonly requested: string;
}

const NAME_FIELDS = [
  ...(['functions', 'tools', 'skills', 'mcp', 'memory', 'agents', 'delegation'] as const),
  'credentials',
] as const;

/**
 * Every field by which `own` allows what `above` does not, by its own words. Empty: it only narrows. `written` is the
 * document that `own` was read from: its normal form does not tell a mode that says nothing from one that is left out.
 */
export function widenings(own: Ceiling, above: Ceiling, written: Json = {}): readonly Widening[] {
  const found: Widening[] = [];
  const add = (field: string, limit: string, requested: string) => found.push({ field, limit, requested });
  const larger = (
    field: string,
    value: number | null | undefined,
    limit: number | null | undefined,
    text: (value: number) => string = String,
  ) => {
    if (value != null && limit != null && value > limit) add(field, text(limit), text(value));
  };
  for (const field of NAME_FIELDS) {
    for (const [limit, pattern] of beyond(own[field], above[field], patternCovers)) {
      add(`${field}.allow`, limit, pattern);
    }
  }
  // A suffix pattern, taken as a host, is within another one just where every host under it is.
  const isWithin = (general: string, special: string) => hostMatches(special, general);
  for (const [limit, host] of beyond(own.network, above.network, isWithin)) add('network.allow', limit, host);
  // `open` and `inherit` are also what a ceiling says that says nothing.
  const higher = <T extends string>(name: string, chain: readonly T[], value: T, limit: T) => {
    const [mine, most] = [chain.indexOf(value), chain.indexOf(limit)];
    if (mine > most && (mine < chain.length - 1 || saysMode(written, name)))
      add(`${name}.mode`, limit, value);
  };
  higher('network', NETWORK_MODES, own.network.mode, above.network.mode);
  higher('credentials', CREDENTIAL_MODES, own.credentials.mode, above.credentials.mode);
  for (const { path, mode } of own.mounts.flat()) {
    for (const group of above.mounts) {
      const isInside = group.some(
        (grant) => pathContains(grant.path, path) && (mode === 'ro' || grant.mode === 'rw'),
      );
      const limit = group.map((grant) => `${grant.path} ${grant.mode}`).join(', ') || 'nothing';
      if (!isInside) add('mounts.allow', limit, `${path} ${mode}`);
    }
  }
  for (const [field, value, limit] of [
    ['sandbox.allowed', own.sandbox.allowed, placesOf(above.sandbox)],
    ['data.labelsAllowed', own.data.labelsAllowed, above.data.labelsAllowed],
  ] as const) {
    const more = (value ?? []).filter(
      (one: string) => limit !== null && !limit.some((known) => known === one),
    );
    if (more.length > 0) add(field, limit?.join(', ') ?? '', more.join(', '));
  }
  const [most, mine] = [above.data.maxClassification, own.data.maxClassification];
  if (
    most !== undefined &&
    mine !== undefined &&
    CLASSIFICATIONS.indexOf(mine) > CLASSIFICATIONS.indexOf(most)
  ) {
    add('data.maxClassification', most, mine);
  }
  for (const name of LIMIT_NAMES) {
    const [value, limit] = [own, above].map(({ limits, clampedLimits }) =>
      least(limits[name] ?? null, clampedLimits[name] ?? null),
    );
    larger(`limits.${name}`, value, limit);
  }
  for (const field of ['maxDepth', 'maxAgents'] as const) {
    larger(`delegation.${field}`, own.delegation[field], above.delegation[field]);
  }
  for (const period of BUDGET_PERIODS) {
    for (const budget of BUDGET_NAMES) {
      const text = (amount: number) => amountText(budget, amount);
      larger(budgetField({ period, budget }), own.budget[period][budget], above.budget[period][budget], text);
    }
  }
  const iso = (ms: number) => new Date(ms).toISOString();
  larger('validity.notAfter', own.validity.notAfterMs, above.validity.notAfterMs, iso);
  const [from, earliest] = [own.validity.notBeforeMs, above.validity.notBeforeMs];
  if (from !== null && earliest !== null && from < earliest)
    add('validity.notBefore', iso(earliest), iso(from));
  return found;
}

function saysMode(written: Json, name: string): boolean {
  const field = isObject(written) ? written[name] : undefined;
  return isObject(field) && field['mode'] !== undefined;
}

/** Patterns of `own` that a group of `above` has no cover for, each with the group. */
function beyond(
  own: NameCeiling,
  above: NameCeiling,
  isCovered: (general: string, special: string) => boolean,
): readonly (readonly [limit: string, pattern: string])[] {
  return above.allow.flatMap((group) =>
    own.allow
      .flat()
      .filter((pattern) => !group.some((general) => isCovered(general, pattern)))
      .map((pattern) => [group.join(', ') || 'nothing', pattern] as const),
  );
}
