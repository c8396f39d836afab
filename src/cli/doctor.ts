// `writ doctor`: what this machine can and can't do. Each check says what was found, and what to do when it fails.
import { existsSync } from 'node:fs';
import type { DoctorCheck } from '../runtime/writ.js';
import { withWrit, type Context } from './context.js';
import { asWritError } from './failure.js';
import { printable } from './output.js';

/** `engines` of package.json. */
const NODE_MAJOR = 20;
const NODE_MINOR = 19;

/** Exit 0 when every check passed, else 6. A directory that is not initialised yet is not a failure. */
export async function doctor(context: Context): Promise<number> {
  const { output } = context;
  const checks = [nodeCheck(process.versions.node), ...(await dataChecks(context))];
  const ok = checks.every((check) => check.ok);
  if (output.json) {
    output.value({ ok, checks });
    return ok ? 0 : 6;
  }
  const { renderTable } = await import('./table.js');
  const { colors } = output;
  const rows = checks.map((check) => [
    { styled: check.ok ? colors.green('ok') : colors.red('FAILED') },
    check.name,
    check.detail,
  ]);
  output.line(renderTable(colors, ['', 'check', 'found'], rows));
  for (const check of checks.filter((one) => !one.ok && one.hint !== null)) {
    output.line(`${printable(check.name)}: hint: ${printable(check.hint ?? '')}`);
  }
  return ok ? 0 : 6;
}

function nodeCheck(version: string): DoctorCheck {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const ok = major > NODE_MAJOR || (major === NODE_MAJOR && minor >= NODE_MINOR);
  return {
    name: 'node',
    ok,
    detail: version,
    hint: ok ? null : `writ needs Node ${NODE_MAJOR}.${NODE_MINOR} or later`,
  };
}

async function dataChecks(context: Context): Promise<readonly DoctorCheck[]> {
  const { data } = context;
  if (!existsSync(data)) return [notInitialised(data)];
  try {
    return await withWrit(context, (writ) => writ.doctor());
  } catch (thrown) {
    const error = asWritError(thrown);
    if (error.code === 'NOT_INITIALISED') return [notInitialised(data)];
    return [{ name: 'open', ok: false, detail: `${error.code}: ${error.message}`, hint: error.hint ?? null }];
  }
}

function notInitialised(data: string): DoctorCheck {
  return {
    name: 'data',
    ok: true,
    detail: `${data} is not initialised yet; writ init makes it, and the other checks need it`,
    hint: null,
  };
}
