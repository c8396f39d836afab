// What people do with artifacts: they put files there for runs to read, and take away what runs have written. Policy is
// asked first, by name or digest, and its answer is durable in the log's own chain before anything is read or written.
import { WritError } from '../../errors.js';
import { isDigest, type Digest } from '../../json.js';
import { checkAccess } from '../../policy/rbac/access.js';
import { authorize } from '../authorize.js';
import { auditContext } from '../log/access.js';
import type { Guard } from '../guard-parts.js';
import { notFound } from '../not-found.js';
import { artifactNameProblem } from '../ports.js';
import { readDeclaration, requireKnownLabels } from '../run/data.js';
import type { ArtifactRoom, Principal } from '../writ.js';

/** Names that are looked through at most. */
const MAX_LISTED = 100_000;

interface Allowed {
  readonly action: 'artifact.read' | 'artifact.write';
  readonly resource: string;
  readonly digest: Digest | null;
}

export function artifactRoom(guard: Guard): ArtifactRoom {
  const allow = (principal: Principal, { digest, ...asked }: Allowed): Promise<void> =>
    authorize(guard, auditContext(guard, principal), {
      ...{ subject: principal.id, ...asked },
      about: { digest },
    });
  return {
    async put(given, name, principal, declared = {}) {
      if (name !== null) checkName(name);
      const data = readDeclaration(declared);
      requireKnownLabels(data, () => guard.policy().ceilings, 'INPUT_INVALID');
      const bytes = guard.redact.bytes(given);
      const digest = guard.artifacts.digestOf(bytes);
      await allow(principal, { action: 'artifact.write', resource: name ?? digest, digest });
      await guard.artifacts.put(bytes, name, data);
      return { digest, size: bytes.length, isRedacted: bytes !== given };
    },
    async get(which, principal) {
      if (!isDigest(which)) checkName(which);
      const may = { subject: principal.id, domain: guard.tenant, action: 'artifact.read', resource: which };
      const isAllowed = checkAccess(guard.policy(), may).allowed;
      // Whoever may not read it does not learn whether it is there.
      const found = !isAllowed || isDigest(which) ? null : await guard.artifacts.find(which);
      const digest = isDigest(which) ? which : (found?.digest ?? null);
      await allow(principal, { action: 'artifact.read', resource: which, digest });
      const bytes = digest === null ? null : await guard.artifacts.read(digest);
      if (digest === null || bytes === null) throw notFound('artifact', which);
      return { digest, bytes };
    },
    async list(prefix, principal) {
      if (prefix !== '') checkName(`${prefix.endsWith('/') ? `${prefix}x` : prefix}`);
      const found = await guard.artifacts.list(prefix, MAX_LISTED);
      const policy = guard.policy();
      const asked = { subject: principal.id, domain: guard.tenant, action: 'artifact.read' };
      return found.filter(({ name }) => checkAccess(policy, { ...asked, resource: name }).allowed);
    },
  };
}

function checkName(name: string): void {
  const problem = artifactNameProblem(name);
  if (problem === null) return;
  throw new WritError('USAGE', `${JSON.stringify(name.slice(0, 100))} names no artifact: ${problem}`, {
    hint: 'BUCKET/KEY, such as claims/2026/open.csv, or sha256: and 64 hex digits',
  });
}
