// One line per promise: kept, or not and what to do. Starts nothing that runs a guest.
import { WritError } from '../errors.js';
import { isObject, type JsonObject } from '../json.js';
import type { Guard } from './guard-parts.js';
import type { LogDirectory, SandboxDriver } from './ports.js';
import type { DoctorCheck } from './writ.js';

export async function doctor(guard: Guard, directory: LogDirectory): Promise<readonly DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  const log = await guard.store.log();
  checks.push({ name: 'store', ok: true, detail: `log of ${log.size} entries`, hint: null });
  const checkpoint = await directory.get('checkpoint');
  const behind = log.size - log.publishedSize;
  checks.push({
    name: 'audit log',
    ok: checkpoint !== null && behind === 0n,
    detail:
      checkpoint === null ? 'no checkpoint on disk' : `${behind} entries not yet in the published checkpoint`,
    hint:
      checkpoint !== null && behind === 0n ? null : 'any run publishes them; verify with: writ audit verify',
  });
  const due = (await guard.store.unscrubbed()).length;
  checks.push({
    name: 'erased data',
    ok: due === 0,
    detail:
      due === 0 ? 'in no file of the store' : `${due} erased payloads may still be in the store's files`,
    hint: due === 0 ? null : 'close programs that have the store open, then run any writ command',
  });
  const { policyHash } = guard.policy();
  checks.push({ name: 'policies', ok: true, detail: `snapshot ${policyHash.slice(0, 12)}`, hint: null });
  for (const driver of Object.values(guard.callables.drivers)) {
    const name = `sandbox ${driver.kind}`;
    const { ok, problems, evidence } = await driver.preflight();
    const hint = ok ? null : 'steps that need it are refused (exit 6)';
    if (!ok && !isWanted(guard, driver.kind)) {
      const detail = `not used here: no docker.yaml names an image; and ${problems.join('; ')}`;
      checks.push({ name, ok: true, detail, hint: null });
      continue;
    }
    checks.push({ name, ok, detail: ok ? `${driver.kind} ready` : problems.join('; '), hint });
    // Which promise is kept, and by what on this machine; then what this machine lacks.
    for (const [promise, by] of promises(evidence))
      checks.push({ name: `  ${promise}`, ok, detail: by, hint: null });
    if (ok && driver.kind === 'docker') checks.push(...(await imageChecks(guard, driver)));
    if (ok) for (const lack of problems) checks.push({ name: '  lacks', ok, detail: lack, hint: null });
  }
  const modules = await guard.callables.modules.names();
  checks.push({ name: 'modules', ok: modules.length > 0, detail: modules.join(', '), hint: null });
  return checks;
}

/** Whether the engine has each image that the operator has named, as its digest says. */
async function imageChecks({ callables }: Guard, driver: SandboxDriver): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  const { images } = callables;
  for (const image of images?.names() ?? []) {
    const program = images?.image(image) ?? null;
    if (program === null) continue;
    const name = `  image ${image}`;
    const request = { argv: ['true'], env: {}, stdin: new Uint8Array(0), program, limits: driver.defaults };
    try {
      await driver.prepare(request);
      checks.push({ name, ok: true, detail: program.digest, hint: null });
    } catch (error) {
      if (!(error instanceof WritError)) throw error;
      checks.push({ name, ok: false, detail: error.message, hint: error.hint ?? null });
    }
  }
  return checks;
}

/** A machine without Docker lacks nothing that nobody has asked for. */
function isWanted({ callables }: Guard, kind: 'wasm' | 'docker'): boolean {
  if (kind !== 'docker') return true;
  try {
    return (callables.images?.names() ?? []).length > 0;
  } catch {
    return true; // the file that names them has errors: preflight tells them
  }
}

function promises(evidence: JsonObject): [string, string][] {
  const { keptBy = {}, ...facts } = evidence;
  const all = { ...facts, ...(isObject(keptBy) ? keptBy : {}) };
  return Object.entries(all).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
}
