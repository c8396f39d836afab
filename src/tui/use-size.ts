// How large the terminal is, now and after each change of it.
import { useStdout } from 'ink';
import { useEffect, useState } from 'react';

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** 80 by 24 where the terminal does not say. */
export function useTerminalSize(): TerminalSize {
  const { stdout } = useStdout();
  const [size, setSize] = useState(() => sizeOf(stdout));
  useEffect(() => {
    const onResize = (): void => {
      setSize(sizeOf(stdout));
    };
    stdout.on('resize', onResize);
    return () => {
      stdout.off('resize', onResize);
    };
  }, [stdout]);
  return size;
}

function sizeOf({ columns, rows }: NodeJS.WriteStream): TerminalSize {
  return {
    columns: columns > 0 ? columns : DEFAULT_COLUMNS,
    rows: rows > 0 ? rows : DEFAULT_ROWS,
  };
}
