// A runner with a step that has a way out, to be killed: `node egress-runner.mjs HOME PYTHON NODE SECCOMP`.
import { readFileSync } from 'node:fs';
import { openEgressProxies } from '../../../dist/adapters/egress/index.js';
import { openDockerDriver } from '../../../dist/adapters/sandbox/docker/index.js';
import { openLocks } from '../../../dist/adapters/store/locks.js';

const [home, python, node, seccomp] = process.argv.slice(2);
const driver = openDockerDriver({
  locks: openLocks(home),
  installation: home,
  seccomp: () => Promise.resolve(readFileSync(seccomp, 'utf8')),
  egress: {
    relay: () => ({ kind: 'image', digest: node, repository: null }),
    proxies: openEgressProxies({
      resolve: () => Promise.resolve([]),
      secret: () => null,
      declared: new Map(),
      redact: (bytes) => bytes,
    }),
  },
});
await driver.run(
  {
    argv: ['/usr/bin/python3', '-c', 'print("up", flush=True); import time; time.sleep(60)'],
    env: {},
    stdin: new Uint8Array(0),
    program: { kind: 'image', digest: python, repository: null },
    limits: driver.defaults,
    egress: {
      hosts: ['api.test:80'],
      credentials: [],
      bytes: 1,
      requests: 1,
      record: () => Promise.resolve(),
    },
    onOutput: () => process.stdout.write('running\n'),
  },
  new AbortController().signal,
);
