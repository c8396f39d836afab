// Keys in the environment are secrets like those of the data directory.
import { describe, expect, it } from 'vitest';
import type { Secret, SecretSource } from '../../runtime/ports.js';
import { handleOf, openRedactor } from '../../runtime/redaction.js';
import { withEnvironmentSecrets } from './environment-secrets.js';

const secret = (name: string, value: string): Secret => ({ name, value: new TextEncoder().encode(value) });
const env = { KEY: 'sk-0123456789', SHORT: '1234567', EMPTY: '', OTHER: 'not-named-at-all' };

describe('keys of the environment', () => {
  it('are never shown, beside the secrets of the data directory', () => {
    const base = [secret('db', 'password-of-db')];
    const source = withEnvironmentSecrets({ current: () => base }, ['KEY', 'KEY', 'GONE'], env, handleOf);
    const text = openRedactor(source).text('sk-0123456789 password-of-db not-named-at-all');
    expect(text).toBe('«secret KEY» «secret db» not-named-at-all');
  });

  it('are the same list while nothing has changed, and another one when something has', () => {
    let base: readonly Secret[] = [];
    const source = withEnvironmentSecrets({ current: () => base }, ['KEY'], env, handleOf);
    const first = source.current();
    expect(source.current()).toBe(first);
    base = [secret('db', 'password-of-db')];
    expect(source.current().map(({ name }) => name)).toEqual(['db', 'KEY']);
  });

  it('shorter than 8 bytes are none, or they would be found everywhere', () => {
    const base: SecretSource = { current: () => [] };
    expect(withEnvironmentSecrets(base, ['SHORT', 'EMPTY', 'GONE'], env, handleOf)).toBe(base);
    expect(withEnvironmentSecrets(base, ['K'], { K: '12345678' }, handleOf).current()).toHaveLength(1);
  });

  it('that are a part of their own handle are refused', () => {
    const source = { current: () => [] };
    expect(() =>
      withEnvironmentSecrets(source, ['SOME_LONG_KEY'], { SOME_LONG_KEY: 'LONG_KEY' }, handleOf),
    ).toThrow('the value of SOME_LONG_KEY is a part of its own handle');
  });
});
