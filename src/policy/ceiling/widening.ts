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
  return [
    ...widerNames(own, above),
    ...widerModes(own, above, written),
    ...widerMounts(own, above),
    ...widerSets(own, above),
    ...largerAmounts(own, above),
    ...longerValidity(own, above),
  ];
}

function widerNames(own: Ceiling, above: Ceiling): readonly Widening[] {
  // A suffix pattern, taken as a host, is within another one just where every host under it is.
  const isWithin = (general: string, special: string) => hostMatches(special, general);
  return [
    ...NAME_FIELDS.flatMap((field) => beyond(field, own[field], above[field], patternCovers)),
    ...beyond('network', own.network, above.network, isWithin),
  ];
}

/** `open` and `inherit` are also what a ceiling says that says nothing. */
function widerModes(own: Ceiling, above: Ceiling, written: Json): readonly Widening[] {
  const higher = <T extends string>(name: string, chain: readonly T[], value: T, limit: T): Widening[] => {
    const [mine, most] = [chain.indexOf(value), chain.indexOf(limit)];
    const isHigher = mine > most && (mine < chain.length - 1 || saysMode(written, name));
    return isHigher ? [{ field: `${name}.mode`, limit, requested: value }] : [];
  };
  return [
    ...higher('network', NETWORK_MODES, own.network.mode, above.network.mode),
    ...higher('credentials', CREDENTIAL_MODES, own.credentials.mode, above.credentials.mode),
  ];
}

function widerMounts(own: Ceiling, above: Ceiling): readonly Widening[] {
  return own.mounts.flat().flatMap(({ path, mode }) =>
    above.mounts
      .filter(
        (group) =>
          !group.some((grant) => pathContains(grant.path, path) && (mode === 'ro' || grant.mode === 'rw')),
      )
      .map((group) => ({
        field: 'mounts.allow',
        limit: group.map((grant) => `${grant.path} ${grant.mode}`).join(', ') || 'nothing',
        requested: `${path} ${mode}`,
      })),
  );
}

function widerSets(own: Ceiling, above: Ceiling): readonly Widening[] {
  const more = (field: string, value: readonly string[] | null, limit: readonly string[] | null) => {
    const beside = limit === null ? [] : (value ?? []).filter((one) => !limit.includes(one));
    return beside.length === 0
      ? []
      : [{ field, limit: limit?.join(', ') ?? '', requested: beside.join(', ') }];
  };
  const [most, mine] = [above.data.maxClassification, own.data.maxClassification];
  const isHigher =
    most !== undefined && mine !== undefined && CLASSIFICATIONS.indexOf(mine) > CLASSIFICATIONS.indexOf(most);
  return [
    ...more('sandbox.allowed', own.sandbox.allowed, placesOf(above.sandbox)),
    ...more('data.labelsAllowed', own.data.labelsAllowed, above.data.labelsAllowed),
    ...(isHigher ? [{ field: 'data.maxClassification', limit: most, requested: mine }] : []),
  ];
}

function largerAmounts(own: Ceiling, above: Ceiling): readonly Widening[] {
  const most = ({ limits, clampedLimits }: Ceiling, name: (typeof LIMIT_NAMES)[number]) =>
    least(limits[name] ?? null, clampedLimits[name] ?? null);
  return [
    ...LIMIT_NAMES.flatMap((name) => larger(`limits.${name}`, most(own, name), most(above, name))),
    ...(['maxDepth', 'maxAgents'] as const).flatMap((field) =>
      larger(`delegation.${field}`, own.delegation[field], above.delegation[field]),
    ),
    ...BUDGET_PERIODS.flatMap((period) =>
      BUDGET_NAMES.flatMap((budget) => {
        const [value, limit] = [own.budget[period][budget], above.budget[period][budget]];
        return larger(budgetField({ period, budget }), value, limit, (amount) => amountText(budget, amount));
      }),
    ),
  ];
}

function longerValidity(own: Ceiling, above: Ceiling): readonly Widening[] {
  const iso = (ms: number) => new Date(ms).toISOString();
  const [from, earliest] = [own.validity.notBeforeMs, above.validity.notBeforeMs];
  const isEarlier = from !== null && earliest !== null && from < earliest;
  return [
    ...larger('validity.notAfter', own.validity.notAfterMs, above.validity.notAfterMs, iso),
    ...(isEarlier ? [{ field: 'validity.notBefore', limit: iso(earliest), requested: iso(from) }] : []),
  ];
}

function larger(
  field: string,
  value: number | null | undefined,
  limit: number | null | undefined,
  text: (value: number) => string = String,
): Widening[] {
  if (value == null || limit == null || value <= limit) return [];
  return [{ field, limit: text(limit), requested: text(value) }];
}

function saysMode(written: Json, name: string): boolean {
  const field = isObject(written) ? written[name] : undefined;
  return isObject(field) && field['mode'] !== undefined;
}

/** Patterns of `own` that a group of `above` has no cover for. */
function beyond(
  field: string,
  own: NameCeiling,
  above: NameCeiling,
  isCovered: (general: string, special: string) => boolean,
): readonly Widening[] {
  return above.allow.flatMap((group) =>
    own.allow
      .flat()
      .filter((pattern) => !group.some((general) => isCovered(general, pattern)))
      .map((requested) => ({ field: `${field}.allow`, limit: group.join(', ') || 'nothing', requested })),
  );
}
