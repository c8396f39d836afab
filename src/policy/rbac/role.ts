// The role graph of roles/*.yaml, per domain. Casbin walks the same edges; here they are checked beforehand
// (Casbin answers false, silently, beyond ten hops) and walked once more to tell why a rule applied.
import { nearest } from '../../nearest.js';
import { compareText } from '../file/diagnostic.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { ReadFile } from '../file/document.js';
import { Memo } from '../memo.js';
import type { RolesDocument } from '../file/shape.js';
import { escaped, lookAlikeProblem } from '../file/text.js';

/** Bound to every principal that a file names; nobody is anonymous. */
export const ANY_ROLE = 'role:any';
/** Casbin's own bound: edges from a principal to its farthest role. */
export const MAX_ROLE_DEPTH = 10;
/** Ways from a role to its ancestors; Casbin tries each, so a wide lattice would be slow. */
const MAX_ROLE_PATHS = 1000;
/** Subjects whose roles are kept in mind. */
const MAX_WALKS = 500;

/** `member` is a principal or a role; it holds everything `role` may do in `domain`. */
export interface RoleEdge {
  readonly member: string;
  readonly role: string;
  readonly domain: string;
}

export interface RoleGraph {
  readonly domains: ReadonlySet<string>;
  /** Sorted, without duplicates, without `role:any`. */
  readonly edges: readonly RoleEdge[];
  /** Principals named as members, sorted. */
  readonly members: readonly string[];
  isDefined(role: string, domain: string): boolean;
  /** Roles that a file of the domain defines, sorted. */
  rolesIn(domain: string): readonly string[];
  /** All roles of a subject in a domain, inherited ones too, without `role:any`. */
  rolesOf(subject: string, domain: string): ReadonlySet<string>;
  /** Shortest chain subject, role, …, `role`; null when there is none. */
  path(subject: string, role: string, domain: string): readonly string[] | null;
}

type Parents = ReadonlyMap<string, readonly string[]>;
type Paths = ReadonlyMap<string, readonly string[]>;

/** Builds the graph of all files; cycles, unknown roles and chains deeper than ten are problems. */
export function collectRoles(sources: readonly ReadFile<RolesDocument>[], problems: Problems): RoleGraph {
  const defined = definedIn(sources);
  const edges = sources.flatMap((source) => edgesOf(source, defined, problems));
  const sorted = [...new Map(edges.map((edge) => [JSON.stringify(edge), edge])).values()].toSorted(
    (a, b) =>
      compareText(a.domain, b.domain) || compareText(a.member, b.member) || compareText(a.role, b.role),
  );
  const parents = new Map([...defined.keys()].map((domain) => [domain, parentsOf(sorted, domain)]));
  for (const source of sources) {
    checkChains(source, parents.get(source.document.domain) ?? NO_PARENTS, problems);
  }
  // The graph does not change any more, and neither does what is reached from a subject.
  const walks = new Memo<Paths>(MAX_WALKS);
  const pathsOf = (subject: string, domain: string): Paths => {
    const before = walks.get(domain, subject);
    if (before !== undefined) return before;
    const made = walk(subject, parents.get(domain) ?? NO_PARENTS);
    walks.set(made, domain, subject);
    return made;
  };
  return {
    domains: new Set([...defined.keys()].toSorted(compareText)),
    edges: sorted,
    members: [...new Set(sorted.map((edge) => edge.member).filter((member) => !member.startsWith('role:')))],
    isDefined: (role, domain) => defined.get(domain)?.has(role) === true,
    rolesIn: (domain) => [...(defined.get(domain) ?? [])].toSorted(compareText),
    rolesOf: (subject, domain) => new Set(pathsOf(subject, domain).keys()),
    path: (subject, role, domain) =>
      role === subject ? [subject] : (pathsOf(subject, domain).get(role) ?? null),
  };
}

const NO_PARENTS: Parents = new Map();

/** Roles by domain. */
type Defined = ReadonlyMap<string, ReadonlySet<string>>;

function definedIn(sources: readonly ReadFile<RolesDocument>[]): Defined {
  const defined = new Map<string, Set<string>>();
  for (const { document } of sources) {
    const roles = defined.get(document.domain) ?? new Set();
    defined.set(document.domain, roles);
    for (const role of rolesIn(document)) roles.add(role);
  }
  return defined;
}

function rolesIn({ members = {}, inherits = {} }: RolesDocument): readonly string[] {
  return [...new Set([...Object.keys(members), ...Object.keys(inherits)])];
}

/** Each as often as the file says it. */
function edgesOf(
  { source, document: { domain, members = {}, inherits = {} } }: ReadFile<RolesDocument>,
  defined: Defined,
  problems: Problems,
): readonly RoleEdge[] {
  const here = defined.get(domain) ?? new Set();
  return Object.entries({ members, inherits }).flatMap(([field, lists]) =>
    Object.entries(lists).flatMap(([key, values]) => {
      const pointer = `/${field}${pointerSegment(key)}`;
      if (key === ANY_ROLE) {
        problems.add(source.file, source.keyPlace(pointer), 'role:any is everybody and takes no entries');
        return [];
      }
      return values.flatMap((value, index): RoleEdge[] => {
        const wrong = (message: string, hint?: () => string): [] => {
          problems.add(source.file, source.place(pointer + pointerSegment(index)), message, hint);
          return [];
        };
        const alike = lookAlikeProblem(value);
        if (alike !== null) return wrong(`member ${escaped(value)} ${alike}`);
        if (field === 'members') return [{ member: value, role: key, domain }];
        if (here.has(value)) return [{ member: key, role: value, domain }];
        const asMembers = `give it members in a roles file of domain ${domain}, even an empty list`;
        return wrong(`unknown role "${value}"`, () => nearest(value, here) ?? asMembers);
      });
    }),
  );
}

function checkChains(
  { source, document }: ReadFile<RolesDocument>,
  parents: Parents,
  problems: Problems,
): void {
  for (const role of rolesIn(document)) {
    const trouble = chainProblem(role, parents);
    if (trouble === null) continue;
    const field = Object.hasOwn(document.inherits ?? {}, role) ? 'inherits' : 'members';
    problems.add(source.file, source.keyPlace(`/${field}${pointerSegment(role)}`), trouble);
  }
}

function parentsOf(edges: readonly RoleEdge[], domain: string): Parents {
  const parents = new Map<string, string[]>();
  for (const edge of edges) {
    if (edge.domain !== domain) continue;
    const list = parents.get(edge.member);
    if (list === undefined) parents.set(edge.member, [edge.role]);
    else list.push(edge.role);
  }
  return parents;
}

/** Breadth first: each reachable role with a shortest chain to it, both ends included. */
function walk(subject: string, parents: Parents): Paths {
  const paths = new Map<string, readonly string[]>();
  let frontier: (readonly string[])[] = [[subject]];
  while (frontier.length > 0) {
    const next: (readonly string[])[] = [];
    for (const path of frontier) {
      for (const role of parents.get(path.at(-1) ?? subject) ?? []) {
        if (role === subject || paths.has(role)) continue;
        const longer = Object.freeze([...path, role]);
        paths.set(role, longer);
        next.push(longer);
      }
    }
    frontier = next;
  }
  return paths;
}

/** Levels of ancestors above `role`, counting distinct ways; a member's own edge is one more. */
function chainProblem(role: string, parents: Parents): string | null {
  let level = new Map([[role, 1]]);
  let ways = 0;
  for (let depth = 1; level.size > 0; depth += 1) {
    if (depth > MAX_ROLE_DEPTH) {
      return isCyclic(role, parents)
        ? `role ${role} inherits in a circle`
        : `chain from a member of ${role} is deeper than ${MAX_ROLE_DEPTH} edges`;
    }
    const next = new Map<string, number>();
    for (const [node, count] of level) {
      ways += count;
      for (const parent of parents.get(node) ?? []) next.set(parent, (next.get(parent) ?? 0) + count);
    }
    if (ways > MAX_ROLE_PATHS && !isCyclic(role, parents))
      return `role ${role} reaches its ancestors in more than ${MAX_ROLE_PATHS} ways`;
    level = next;
  }
  return null;
}

/** Whether a circle can be reached from `role`, itself included. */
function isCyclic(role: string, parents: Parents): boolean {
  return [role, ...walk(role, parents).keys()].some((node) =>
    [node, ...walk(node, parents).keys()].some((ancestor) => (parents.get(ancestor) ?? []).includes(node)),
  );
}
