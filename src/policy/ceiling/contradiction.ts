// What a ceiling says that cannot be meant: one part of it against another, or a name that nothing ever has.
import { addressProblem } from '../rbac/action.js';
import { patternProblem } from '../rbac/glob.js';
import type { ShapeProblem } from '../file/shape.js';
import { microUsd } from './budget.js';
import { EXTENT_NAMES } from './ceiling.js';
import { momentMs } from './moment.js';
import { neverMatching } from './names.js';
import type { ApprovalRuleSpec, CeilingSpec } from './shape.js';

/** Of a spec whose shape has been checked. */
export function contradictions(spec: CeilingSpec): readonly ShapeProblem[] {
  return [
    ...ofModes(spec),
    ...ofClamps(spec),
    ...ofAmounts(spec),
    ...ofTimes(spec),
    ...ofHosts(spec),
    ...ofPatterns(spec),
    ...neverMatching(spec).map(({ pointer, message, hint }) => problem(pointer, message, hint)),
  ];
}

function problem(pointer: string, message: string, hint?: string): ShapeProblem {
  return { pointer, key: false, message, ...(hint === undefined ? {} : { hint }) };
}

function ofModes({ network }: CeilingSpec): readonly ShapeProblem[] {
  if (network?.mode !== 'allowlist' || network.allow !== undefined) return [];
  return [problem('/network', 'mode allowlist needs allow', 'list the hosts, or use mode none')];
}

function ofClamps({ clamp = [], limits = {} }: CeilingSpec): readonly ShapeProblem[] {
  return clamp.flatMap((name, index) => {
    const at = `/clamp/${index}`;
    if (!Object.hasOwn(limits, name)) return [problem(at, `clamps ${name}, which has no value in limits`)];
    if (!EXTENT_NAMES.some((extent) => extent === name)) return [];
    const hint = 'leave it out of clamp: a step above the limit is refused';
    return [problem(at, `${name} is what the workflow says, and nobody rewrites it`, hint)];
  });
}

function ofAmounts({ budget, approval }: CeilingSpec): readonly ShapeProblem[] {
  const amounts = [
    ['/budget/usd', budget?.usd],
    ['/budget/perDay/usd', budget?.perDay?.usd],
    ...matches(approval).map(({ at, match }) => [`${at}/costUsdAbove`, match.costUsdAbove] as const),
  ] as const;
  return amounts.flatMap(([pointer, usd]) =>
    usd === undefined || Number.isSafeInteger(microUsd(usd))
      ? []
      : [problem(pointer, `${usd} is too much to count`)],
  );
}

function ofTimes({ validity: { notBefore, notAfter } = {} }: CeilingSpec): readonly ShapeProblem[] {
  const found = Object.entries({ notBefore, notAfter }).flatMap(([key, moment]) =>
    moment === undefined || momentMs(moment) !== null
      ? []
      : [problem(`/validity/${key}`, `${moment} does not exist`)],
  );
  const [beginMs, endMs] = [notBefore, notAfter].map((one) => (one === undefined ? null : momentMs(one)));
  // From notBefore, included, to notAfter, excluded: one that ends as it begins holds at no time either.
  if (beginMs != null && endMs != null && beginMs >= endMs) {
    const message = `${notAfter} is not after notBefore ${notBefore}, so no time fits`;
    const hint =
      'put notAfter after notBefore; a ceiling that lets nothing through says `functions: { allow: [] }`';
    found.push(problem('/validity/notAfter', message, hint));
  }
  return found;
}

function ofHosts({ network, approval }: CeilingSpec): readonly ShapeProblem[] {
  return [
    { at: '/network/allow', list: network?.allow },
    { at: '/network/deny', list: network?.deny },
    ...matches(approval).map(({ at, match }) => ({ at: `${at}/network`, list: match.network })),
  ].flatMap(({ at, list = [] }) =>
    list.flatMap((host, index) => {
      // A suffix pattern is of names, and `*` as a port is any: what is left has to be a host that can be asked for.
      const why = addressProblem(host.replace(/^\*\./u, '').replace(/:\*$/u, ':1'));
      return why === null ? [] : [problem(`${at}/${index}`, `${why}, so it would never match`)];
    }),
  );
}

const NAMED = [
  'functions',
  'tools',
  'skills',
  'mcp',
  'memory',
  'agents',
  'delegation',
  'credentials',
] as const;
const MATCHED = ['functions', 'agents', 'credentials'] as const;

function ofPatterns(spec: CeilingSpec): readonly ShapeProblem[] {
  const lists = [
    ...NAMED.flatMap((field) => [
      { at: `/${field}/allow`, list: spec[field]?.allow },
      { at: `/${field}/deny`, list: spec[field]?.deny },
    ]),
    ...matches(spec.approval).flatMap(({ at, match }) =>
      MATCHED.map((key) => ({ at: `${at}/${key}`, list: match[key] })),
    ),
  ].flatMap(({ at, list = [] }) => list.map((pattern, index) => ({ at: `${at}/${index}`, pattern })));
  const rates = (spec.rates ?? []).map(({ match }, index) => ({
    at: `/rates/${index}/match`,
    pattern: match,
  }));
  return [...rates, ...lists].flatMap(({ at, pattern }) => {
    const why = patternProblem(pattern);
    return why === null ? [] : [problem(at, why)];
  });
}

/** What the approval rules are about, and where that stands. */
function matches(
  approval: CeilingSpec['approval'],
): readonly { readonly at: string; readonly match: ApprovalRuleSpec['match'] }[] {
  return (approval?.rules ?? []).map(({ match }, rule) => ({ at: `/approval/rules/${rule}/match`, match }));
}
