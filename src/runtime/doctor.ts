// One line per promise: kept, or not and what to do. Starts nothing that runs a guest.
import { isObject, type JsonObject } from '../json.js';
import type { Guard } from './judge.js';
import type { LogDirectory } from './ports.js';
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
    checks.push({ name, ok, detail: ok ? `${driver.kind} ready` : problems.join('; '), hint });
    // Which promise is kept, and by what on this machine; then what this machine lacks.
    for (const [promise, by] of promises(evidence))
      checks.push({ name: `  ${promise}`, ok, detail: by, hint: null });
    if (ok) for (const lack of problems) checks.push({ name: '  lacks', ok, detail: lack, hint: null });
  }
  const modules = await guard.callables.modules.names();
  checks.push({ name: 'modules', ok: modules.length > 0, detail: modules.join(', '), hint: null });
  return checks;
}

function promises(evidence: JsonObject): [string, string][] {
  const { keptBy = {}, ...facts } = evidence;
  const all = { ...facts, ...(isObject(keptBy) ? keptBy : {}) };
  return Object.entries(all).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
}
