// Keys as a terminal delivers them, and time as a value: what every screen of this folder reads.
import { useStdin } from 'ink';
import { useEffect, useRef } from 'react';
import { createKeyDecoder, type Key } from './keys.js';

/** Time as values, so that a test can hold it. */
export interface PromptClock {
  nowMs(): number;
  /** Calls `tick` every `ms` until the returned function is called. */
  every(ms: number, tick: () => void): () => void;
}

/** Chunks as the terminal delivered them: Ink's own useInput hides where one ends, and so hides a paste. */
export function useKeys(onKey: (key: Key) => void): void {
  const { stdin, setRawMode } = useStdin();
  const handler = useRef(onKey);
  handler.current = onKey;
  useEffect(() => {
    const decoder = createKeyDecoder();
    const onData = (chunk: unknown): void => {
      for (const key of decoder.push(String(chunk))) handler.current(key);
    };
    setRawMode(true);
    stdin.on('data', onData);
    return () => {
      stdin.off('data', onData);
      setRawMode(false);
    };
  }, [stdin, setRawMode]);
}
