// One line per promise: kept, or not and what to do. Starts nothing that runs a guest.
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
  const { policyHash } = guard.policy();
  checks.push({ name: 'policies', ok: true, detail: `snapshot ${policyHash.slice(0, 12)}`, hint: null });
  for (const driver of Object.values(guard.callables.drivers)) {
    const { ok, problems } = await driver.preflight();
    const detail = ok ? `${driver.kind} ready` : problems.join('; ');
    checks.push({
      name: `sandbox ${driver.kind}`,
      ok,
      detail,
      hint: ok ? null : 'steps that need it are refused (exit 6)',
    });
  }
  const modules = await guard.callables.modules.names();
  checks.push({ name: 'modules', ok: modules.length > 0, detail: modules.join(', '), hint: null });
  return checks;
}
