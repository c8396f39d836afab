// `writ init`: makes the data directory and, where there are none, the policies an operator then edits.
import { cp, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeDirectory } from '../adapters/store/durable-file.js';
import { WritError } from '../errors.js';
import type { Context } from './context.js';
import { printable } from './output.js';
import { commandLine } from './command-line.js';

export interface InitFlags {
  readonly origin?: string;
  readonly tenant: string;
}

export async function init(context: Context, flags: InitFlags): Promise<number> {
  const { output, data, policies } = context;
  const { initWrit, shippedPolicies } = await import('../open.js');
  const made = await initWrit({ data, origin: flags.origin ?? null, tenant: flags.tenant });
  const copied = await copyPolicies(shippedPolicies(), policies);
  if (output.json) {
    output.value({ ...made, policies, policiesCopied: copied });
    return 0;
  }
  output.line(`data       ${printable(made.data)}`);
  output.line(`origin     ${printable(made.origin)}`);
  output.line(`tenant     ${printable(made.tenant)}`);
  output.line(`vkey       ${printable(made.vkey)}`);
  output.line(`key        ${printable(made.keyFile)}`);
  output.line(
    `policies   ${printable(policies)}${copied ? ' (shipped policies copied here)' : ' (left as they are)'}`,
  );
  output.line();
  output.line('next:');
  output.line('  give the vkey to whoever will verify the log; they must not take it from this directory');
  output.line(`  ${commandLine(context, 'keys', 'create', 'NAME')}   make your approver key and enrol it`);
  output.line(`  ${commandLine(context, 'validate', 'FILE')}`);
  output.line(`  ${commandLine(context, 'run', 'FILE', '--input', '@input.json')}`);
  return 0;
}

/** True when they were copied; an existing directory is never touched. All or nothing: copied aside, then renamed. */
async function copyPolicies(shipped: string, target: string): Promise<boolean> {
  const folder = resolve(target);
  if (await exists(folder)) return false;
  const aside = join(dirname(folder), `.writ-policies-${process.pid}`);
  try {
    await makeDirectory(dirname(folder), 0o755);
    await cp(shipped, aside, { recursive: true, errorOnExist: true, force: false });
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw new WritError('STORE_IO', `the shipped policies could not be copied to ${folder}`, {
      hint: `copy ${shipped} there by hand`,
      cause: error,
    });
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
