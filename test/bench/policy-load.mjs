// What a process that has read nothing before takes to read, check, hash and index ten thousand rules: node policy-load.mjs
// json|block prints {ms, cpuMs}.
import { platformSha256 } from '../../dist/adapters/hash.js';
import { canonicalJson } from '../../dist/canonical-json.js';
import { buildSnapshot } from '../../dist/policy/index.js';
import { policies } from './many-rules.mjs';

const { files } = policies(process.argv[2]);
const cpu = process.cpuUsage();
const start = performance.now();
await buildSnapshot({ files, canonicalize: canonicalJson, sha256: platformSha256 });
const ms = performance.now() - start;
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1e3 }));
