// The inbox: every request that waits, and which of them is opened next. Rules: nothing is
// approved or denied here; a list that changes keeps the selection by id; words, never colour alone; 80x24 is enough;
// with a screen reader linear text that changes only after a key.
import { Box, Static, Text } from 'ink';
import { useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from 'react';
import { revealHidden } from '../approval/display.js';
import type { ApprovalKey, ApprovalRecord } from '../runtime/ports.js';
import { useKeys, type PromptClock } from './use-keys.js';
import { useTerminalSize } from './use-size.js';
import { batchKey, QUEUE_HEAD, queueRow } from './queue-row.js';
import {
  openQueueState,
  reduceQueue,
  topOf,
  type QueueAnswer,
  type QueueItem,
  type QueueState,
} from './queue-state.js';

const REFRESH_MS = 1_000;
/** Around the list. One more stays free: Ink clears all of the terminal when a frame is as high. */
const FRAME_ROWS = 9;
/** Of a message; a longer one is cut, it is all there when the request is opened. */
const MESSAGE_ROWS = 3;
const MARGIN = 4;

export interface ApprovalQueueProps {
  readonly keys: readonly ApprovalKey[];
  /** Of the rows that are shown first. */
  readonly records: readonly ApprovalRecord[];
  /** Those of these requests that are there: only what is on the screen is read whole. */
  readonly read: (ids: readonly string[]) => Promise<readonly ApprovalRecord[]>;
  readonly approver: string;
  readonly clock: PromptClock;
  /** What waits now; null = nothing has changed. */
  readonly refresh: () => Promise<readonly ApprovalKey[] | null>;
  /** What to say first, and which request to stand on. */
  readonly message: string | null;
  readonly selected: string | null;
  readonly color: boolean;
  readonly screenReader: boolean;
  /** Called exactly once. */
  readonly onAnswer: (answer: QueueAnswer) => void;
}

export function ApprovalQueue(props: ApprovalQueueProps): ReactNode {
  const { approver, clock, screenReader, onAnswer } = props;
  const { columns, rows } = useTerminalSize();
  const height = Math.max(3, rows - FRAME_ROWS);
  const [keys, setKeys] = useState(props.keys);
  const [known, setKnown] = useState(() => byId(props.records));
  const items = useMemo(() => keys.map(itemOf), [keys]);
  const [state, dispatch] = useReducer(reduceQueue, null, () =>
    openQueueState({ items, height, message: props.message, selected: props.selected }),
  );
  const [nowMs, setNowMs] = useState(() => clock.nowMs());
  useEffect(() => {
    dispatch({ type: 'listed', items });
  }, [items]);
  useEffect(() => {
    dispatch({ type: 'laid-out', height });
  }, [height]);
  useKeys((key) => {
    dispatch({ type: 'key', key });
  });
  useRefresh(props, { onTick: setNowMs, onListed: setKeys });
  const { answer } = state;
  useEffect(() => {
    if (answer !== null) onAnswer(answer);
  }, [answer, onAnswer]);

  const top = topOf(state);
  const shown = useMemo(() => keys.slice(top, top + height), [keys, top, height]);
  useShown(props, { keys, shown, onRead: setKnown });
  const list = { state, keys, top, shown, known, approver, nowMs, columns };
  return screenReader ? <LinearQueue {...list} /> : <QueueFrame {...list} color={props.color} />;
}

/** What is on the screen, and by what. */
interface ListShown {
  readonly state: QueueState;
  readonly keys: readonly ApprovalKey[];
  readonly top: number;
  readonly shown: readonly ApprovalKey[];
  readonly known: ReadonlyMap<string, ApprovalRecord>;
  readonly approver: string;
  readonly nowMs: number;
  readonly columns: number;
}

function QueueFrame({ color, ...list }: ListShown & { readonly color: boolean }): ReactNode {
  const { columns, shown, state } = list;
  return (
    <Box flexDirection="column">
      <Text bold={color} wrap="truncate">
        {titleOf(list)}
      </Text>
      <Text wrap="truncate">{`    ${QUEUE_HEAD}`}</Text>
      <Text>{'-'.repeat(columns)}</Text>
      {shown.map((key) => (
        <Text key={key.id} bold={color && key.id === state.selected} wrap="truncate">
          {rowOf(key, list)}
        </Text>
      ))}
      <Text wrap="truncate">{footOf(list).padEnd(columns, '-')}</Text>
      <Text>{noteOf(list).slice(0, MESSAGE_ROWS * columns)}</Text>
      <Text wrap="truncate">{columns < KEYS.length ? SHORT_KEYS : KEYS}</Text>
    </Box>
  );
}

/** The list in one pass; afterwards only what is below it changes, and only after a key. */
function LinearQueue(list: ListShown): ReactNode {
  const { state, keys, shown } = list;
  // What is read out has no width: nothing of it is cut.
  const whole = { ...list, columns: Infinity };
  const note = noteOf(list);
  const index = keys.findIndex((key) => key.id === state.selected);
  const at = keys[index];
  const selection = at === undefined ? null : `selected ${index + 1} of ${keys.length}: ${rowOf(at, whole)}`;
  const lines = [titleOf(list), ...shown.map((key) => rowOf(key, whole)), footOf(list)];
  return (
    <>
      <Static items={lines}>{(line, key) => <Text key={key}>{line}</Text>}</Static>
      {note !== ' ' && <Text>{note}</Text>}
      {selection !== null && <Text>{selection}</Text>}
      <Text>{KEYS}</Text>
    </>
  );
}

function titleOf({ keys, approver }: ListShown): string {
  const count = keys.length === 1 ? '1 request waits' : `${keys.length} requests wait`;
  return `${count}; you are ${revealHidden(approver)}`;
}

function rowOf(key: ApprovalKey, { state, known, approver, nowMs, columns }: ListShown): string {
  const mark = state.marked.includes(key.id) ? '*' : ' ';
  const here = key.id === state.selected ? '>' : ' ';
  const record = known.get(key.id);
  const text =
    record === undefined ? 'is being read' : queueRow(record, { approver, nowMs, columns: columns - MARGIN });
  return `${here} ${mark} ${text}`;
}

function footOf({ state, keys, top, shown }: ListShown): string {
  const more = keys.length - top - shown.length;
  const place =
    keys.length === 0 ? 'nothing waits for a decision' : `${top + 1}-${top + shown.length} of ${keys.length}`;
  const marked = state.marked.length === 0 ? '' : `, ${state.marked.length} marked with *`;
  return `${place}${more > 0 ? `, ${more} more` : ''}${marked} `;
}

function noteOf({ state, known }: ListShown): string {
  const selected = state.selected === null ? undefined : known.get(state.selected);
  return (state.why ? whyOf(selected) : state.message) ?? (state.help ? HELP : ' ');
}

/** At most 80 characters. */
const KEYS = 'j/k move   Enter open   Space mark for a batch   w why   ? help   q leave';
/** At most 60. */
const SHORT_KEYS = 'j/k move  Enter open  Space mark  w why  ? help  q leave';
const HELP = 'Enter shows a request, or all marked ones; only what was read is decided';

/** Of 10,000 only the few that are marked are asked for their batch. */
function itemOf(key: ApprovalKey): QueueItem {
  return {
    id: key.id,
    get batch() {
      return batchKey(key);
    },
  };
}

function whyOf(record: ApprovalRecord | undefined): string | null {
  return record === undefined ? null : `why: ${record.demandedBy.map(revealHidden).join('; ')}`;
}

function byId(records: readonly ApprovalRecord[]): ReadonlyMap<string, ApprovalRecord> {
  return new Map(records.map((record) => [record.id, record]));
}

/** Ticks, and reads again what waits. */
function useRefresh(
  { clock, refresh, screenReader }: Pick<ApprovalQueueProps, 'clock' | 'refresh' | 'screenReader'>,
  on: {
    readonly onTick: (nowMs: number) => void;
    readonly onListed: (keys: readonly ApprovalKey[]) => void;
  },
): void {
  const latest = useRef({ on, refresh });
  latest.current = { on, refresh };
  useEffect(() => {
    let reading = false;
    let over = false;
    const read = async (): Promise<void> => {
      reading = true;
      try {
        const next = await latest.current.refresh();
        if (next !== null && !over) latest.current.on.onListed(next);
      } finally {
        reading = false;
      }
    };
    const stop = clock.every(REFRESH_MS, () => {
      if (!screenReader) latest.current.on.onTick(clock.nowMs());
      // A list that can't be read again stays as it is; opening one of it reads it again.
      if (!reading) read().catch(() => undefined);
    });
    return () => {
      over = true;
      stop();
    };
  }, [clock, screenReader]);
}

/** Reads what comes into view, and all in view again when the list has changed. */
function useShown(
  { read, records }: Pick<ApprovalQueueProps, 'read' | 'records'>,
  {
    keys,
    shown,
    onRead,
  }: Pick<ListShown, 'keys' | 'shown'> & {
    readonly onRead: (known: ReadonlyMap<string, ApprovalRecord>) => void;
  },
): void {
  const had = useRef({ keys, ids: new Set(records.map((record) => record.id)) });
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    if (had.current.keys === keys && shown.every((key) => had.current.ids.has(key.id))) return undefined;
    let over = false;
    const ids = shown.map((key) => key.id);
    latest.current(ids).then(
      (found) => {
        if (over) return;
        had.current = { keys, ids: new Set(ids) };
        onRead(byId(found));
      },
      // Rows stay unread; opening one reads it again and says what is wrong.
      () => undefined,
    );
    return () => {
      over = true;
    };
  }, [keys, shown, onRead]);
}
