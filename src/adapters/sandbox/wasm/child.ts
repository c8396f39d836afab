// One guest's process: boots the engine, warms it up while nothing is asked of it, runs one module once, reports, and
// waits to be killed.
// Everything here may be under a guest's influence; the driver trusts only what it enforces from outside.
// The runner's death is end of file on fd 0: the process ends at once, spinning guest or not.
import { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { Input } from './child-input.js';
import { isWebAssembly, openEngine, WORKSPACE, type StartGuest } from './guest-engine.js';
import { handOut, runGuest, type Outlet, type RunOrder } from './guest-run.js';
import type { Order, Ready, Report, Take, WarmUp } from './protocol.js';
import { warmUpModule } from './warm-up.js';

/** How long after the driver's deadline the child ends itself. */
const OWN_DEADLINE_GRACE_MS = 2_000;
/** After a run the engine takes its worker back; what is run sooner starts another one, the dearest part of a step (measured). */
const REST_MS = 25;
/** Without an order for so long, there is time for warming up a module, and for a large one. */
const SMALL_QUIET_MS = 5;
const QUIET_MS = 250;
/** What warm-ups read: with it they go through all that a step goes through. */
const WARM_UP_INPUT = new TextEncoder().encode('{}\n');
const WARM_UP: RunOrder = { outputBytes: 64 * 1024, diskBytes: 64 * 1024, lists: true };
const LARGE_BYTES = 100 * 1024;

const reports = pipe(3);
const outputs = pipe(6);
const sinks = { stdout: pipe(4), stderr: pipe(5) };

/** To the driver. */
const driver: Outlet = { write: (stream, bytes) => write(sinks[stream], bytes), report };
/** What warm-ups say is nobody's business. */
const nowhere: Outlet = { write: () => Promise.resolve(), report: () => Promise.resolve() };

async function main(sdkUrl: string): Promise<void> {
  const input = new Input(process.stdin, end);
  const start = await openEngine(sdkUrl);
  await warmUp(input, start);
  await carryOut(input, start);
}

/** An order that is there at once is its own warm-up. A later one waits for one of them at most, and not for a large one. */
async function warmUp(input: Input, start: StartGuest): Promise<void> {
  const { moduleBytes } = (await input.line()) as unknown as WarmUp;
  const modules: Uint8Array[] = [];
  for (const length of moduleBytes) modules.push(await input.take(length));
  await report(ready());
  let isProbed = false;
  for (const module of [warmUpModule(), ...modules]) {
    if (!(await input.isQuiet(module.length > LARGE_BYTES ? QUIET_MS : SMALL_QUIET_MS))) break;
    const started = await start({ module });
    if (started === null) throw new Error('a warm-up module did not load');
    await runGuest(started, WARM_UP_INPUT, WARM_UP, nowhere);
    await pause(REST_MS);
    if (!isProbed) await report({ t: 'warm' });
    isProbed = true;
  }
  if (!isProbed) await report({ t: 'warm' });
}

async function carryOut(input: Input, start: StartGuest): Promise<void> {
  const order = (await input.line()) as unknown as Order;
  const module = await input.take(order.moduleBytes);
  const stdin = await input.take(order.stdinBytes);
  const files: Record<string, Uint8Array> = {};
  for (const { path, size } of order.files) files[`${WORKSPACE}/${path}`] = await input.take(size);
  setTimeout(end, order.timeoutMs + OWN_DEADLINE_GRACE_MS);
  const { args, env } = order;
  const started = await start({ module, args, env, files });
  if (started === null) return report({ t: 'load-failed', isValid: isWebAssembly(module) });
  if (!(await runGuest(started, stdin, order, driver))) return;
  const take = (await input.line()) as unknown as Take;
  await report({ t: 'taken', ok: await handOut(started.box, take, (bytes) => write(outputs, bytes)) });
}

function ready(): Ready {
  // Types of the permission model are younger than Node 20's.
  const permission = (process as unknown as { permission?: { has(scope: string, path?: string): boolean } })
    .permission;
  const interfaces = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
  return {
    t: 'ready',
    uid: process.getuid?.() ?? -1,
    filesDenied:
      permission !== undefined && !permission.has('fs.read', '/') && !permission.has('fs.write', '/'),
    spawnDenied: permission !== undefined && !permission.has('child'),
    interfaces: interfaces.length,
    envNames: Object.keys(process.env).length,
  };
}

function pipe(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

function report(message: Report): Promise<void> {
  return write(reports, Buffer.from(`${JSON.stringify(message)}\n`));
}

/** Resolves when the bytes are with the kernel. */
function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

function end(): never {
  process.exit(1);
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : 'the engine failed'}\n`);
  process.exit(70);
});
