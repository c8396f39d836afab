// Files of vectors: logs by name with edits and what is expected of them, or single files.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG, Log, base64 } from './log.mjs';

/** A file of vectors: logs by name, and what is done to them. */
export function group(name, about) {
  const [logs, tests] = [{}, []];
  const keep = (name, log) => {
    logs[name] = Object.fromEntries(
      [...log.files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, bytes]) => [path, base64(bytes)]),
    );
  };
  /** `edits` are applied in order; `given` is what the verifier is told; `expect` the first finding. */
  const test = (name, log, expect, given = {}, edits = []) => {
    if (log instanceof Log && !(name in logs)) keep(name, log);
    const { vkeys = [LOG.vkey], old = [], ...rest } = given;
    tests.push({
      name,
      log: log instanceof Log ? name : log,
      edits,
      given: { vkeys, old: old.map(base64), ...rest },
      expect,
    });
  };
  const write = () => {
    const head = { about, generator: 'test/audit/generate-vectors.mjs', logs, tests };
    // One log or test a line: long, and still a diff.
    const lines = (items) => items.join(',\n');
    const logLines = lines(
      Object.entries(logs).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`),
    );
    const testLines = lines(head.tests.map((value) => JSON.stringify(value)));
    const text = `{\n"about": ${JSON.stringify(about)},\n"logs": {\n${logLines}\n},\n"tests": [\n${testLines}\n]\n}\n`;
    writeFileSync(join(import.meta.dirname, '../../../audit/vectors', `${name}.json`), text);
  };
  return { keep, test, write };
}
export const put = (path, bytes) => ({ op: 'put', path, base64: base64(bytes) });
export const remove = (path) => ({ op: 'remove', path });
export const flip = (path, at, bit = 0) => ({ op: 'flip', path, at, bit });
export const copy = (from, path) => ({ op: 'copy', from, path });
/** The first occurrence of a text in a file, replaced by one of the same or another length. */
export const replace = (path, from, to) => ({ op: 'replace', path, from, to });
export const ok = { verdict: 'verified' };

/** A file of vectors that are one file each. */
export function single(name, about) {
  const tests = [];
  const test = (name, parts, expect, given = {}) => {
    const { vkeys = [LOG.vkey], old = [], ...rest } = given;
    const files = Object.fromEntries(Object.entries(parts).map(([key, bytes]) => [key, base64(bytes)]));
    tests.push({ name, ...files, given: { vkeys, old: old.map(base64), ...rest }, expect });
  };
  const write = () => {
    const lines = tests.map((value) => JSON.stringify(value)).join(',\n');
    const text = `{\n"about": ${JSON.stringify(about)},\n"tests": [\n${lines}\n]\n}\n`;
    writeFileSync(join(import.meta.dirname, '../../../audit/vectors', `${name}.json`), text);
  };
  return { test, write };
}
