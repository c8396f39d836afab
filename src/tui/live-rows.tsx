// A few rows of a terminal that are drawn anew while something goes on, and taken off again when it is over. What they
// say is the caller's; here is how they are drawn: only what changed, never as high as the screen (Ink would clear it),
// and the terminal as it was before when it is over, whatever ends it.
import { Box, render, Text, useStdin } from 'ink';
import { createElement, useEffect, useReducer, type ReactNode } from 'react';
import { createKeyDecoder } from './keys.js';
import { useErasedWhenNarrower } from './use-erased-when-narrower.js';
import { useTerminalSize } from './use-size.js';

/** How often rows with a time in them are drawn anew. */
const TICK_MS = 1_000;

export interface Size {
  readonly columns: number;
  /** Rows that may be drawn: one stays free. */
  readonly rows: number;
}

export interface LiveRowsOptions {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** What is to be seen now; a row that is too long is cut. Hidden characters are already written out. */
  readonly rows: (size: Size) => readonly string[];
  /** Ctrl+C: the terminal gives it as a key while rows are drawn, where stdin is one. */
  readonly onInterrupt: () => void;
}

export interface LiveRows {
  /** Something has changed. */
  redraw(): void;
  /** Takes the rows off; resolves when the terminal is as it was. */
  close(): Promise<void>;
}

/** `stdout` must be a terminal. */
export function openLiveRows({ stdin, stdout, rows, onInterrupt }: LiveRowsOptions): LiveRows {
  let redraw: () => void = () => undefined;
  // Before anything is drawn: who sees the rows may type, and what is typed is not to stand between them.
  if (stdin.isTTY) stdin.setRawMode(true);
  const instance = render(
    createElement(Rows, {
      rows,
      keys: stdin.isTTY,
      onInterrupt,
      onReady: (draw) => {
        redraw = draw;
      },
    }),
    { stdin, stdout, exitOnCtrlC: false, patchConsole: false, isScreenReaderEnabled: false },
  );
  return {
    redraw: () => redraw(),
    async close() {
      instance.clear();
      instance.unmount();
      await instance.waitUntilExit();
    },
  };
}

interface RowsProps extends Pick<LiveRowsOptions, 'rows' | 'onInterrupt'> {
  readonly keys: boolean;
  readonly onReady: (redraw: () => void) => void;
}

function Rows({ rows, keys, onInterrupt, onReady }: RowsProps): ReactNode {
  const { columns, rows: most } = useTerminalSize();
  const size = { columns, rows: Math.max(1, most - 1) };
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    onReady(redraw);
    const timer = setInterval(redraw, TICK_MS);
    return () => {
      clearInterval(timer);
      onReady(() => undefined);
    };
  }, [onReady]);
  useInterrupt(keys, onInterrupt);
  const drawn = useErasedWhenNarrower();
  return (
    // Each row as wide as its text, for whoever asks how many rows a narrower terminal makes of it.
    <Box flexDirection="column" alignItems="flex-start">
      {rows(size)
        .slice(0, size.rows)
        .map((row, at) => (
          <Box key={at} ref={drawn(at)}>
            <Text wrap="truncate-end">{row === '' ? ' ' : row}</Text>
          </Box>
        ))}
    </Box>
  );
}

/** Keys are taken so that what is typed does not stand between the rows; all but Ctrl+C mean nothing. */
function useInterrupt(keys: boolean, onInterrupt: () => void): void {
  const { stdin, setRawMode } = useStdin();
  useEffect(() => {
    if (!keys) return;
    const decoder = createKeyDecoder();
    const onData = (chunk: unknown): void => {
      if (decoder.push(String(chunk)).some((key) => key.kind === 'interrupt')) onInterrupt();
    };
    setRawMode(true);
    stdin.on('data', onData);
    return () => {
      stdin.off('data', onData);
      setRawMode(false);
    };
  }, [keys, onInterrupt, stdin, setRawMode]);
}
