// The tables of the embedded store. The log's tables are those of audit/FORMAT.md; the others hold what runs need.
// A column exists where a statement filters or compares on it, JSON text where a value is only read whole.
// Every table is STRICT. `user_version` counts schemas; a newer one than this code knows is refused, never guessed at.
import type { Database } from 'better-sqlite3';
import { WritError } from '../../../errors.js';

const SCHEMA_VERSION = 10;
/** "Writ" in ASCII: tells a store from any other SQLite file. */
const APPLICATION_ID = 0x57726974;

const TABLES = `
CREATE TABLE log_state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  size INTEGER NOT NULL,
  compact_range BLOB NOT NULL, -- popcount(size) hashes of 32 bytes, largest subtree first
  last_time_ms INTEGER NOT NULL,
  published_size INTEGER NOT NULL
) STRICT;
INSERT INTO log_state VALUES (1, 0, x'', 0, 0);
CREATE TABLE log_entry (
  idx INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  run TEXT NOT NULL, -- '' for the log's own chain
  run_seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  UNIQUE (run, run_seq)
) STRICT;
CREATE TABLE log_subtree ( -- roots of full 256-wide tiles only
  level INTEGER,
  idx INTEGER,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_checkpoint (
  size INTEGER PRIMARY KEY,
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL,
  cosigned_at INTEGER
) STRICT;
CREATE TABLE payload ( -- salt and bytes NULL after erasure
  commitment BLOB PRIMARY KEY CHECK (length(commitment) = 32),
  label TEXT NOT NULL,
  salt BLOB,
  bytes BLOB,
  media_type TEXT,
  run TEXT NOT NULL,
  entry_idx INTEGER NOT NULL,
  erased_by INTEGER REFERENCES log_entry(idx)
) STRICT;
CREATE TABLE workflow (
  id TEXT NOT NULL,
  hash TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  file TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (id, hash),
  UNIQUE (id, version)
) STRICT;
CREATE TABLE run (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  workflow_id TEXT NOT NULL,
  workflow_hash TEXT NOT NULL,
  policy_hash TEXT NOT NULL,
  initiator TEXT NOT NULL,
  status TEXT NOT NULL,
  plan TEXT NOT NULL,        -- JSON, never updated
  state TEXT NOT NULL,       -- JSON
  waiting_for TEXT NOT NULL, -- JSON
  wake_at_ms INTEGER,
  agents TEXT NOT NULL,      -- JSON
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  exit_code INTEGER,
  version INTEGER NOT NULL
) STRICT;
CREATE INDEX run_unfinished ON run (created_at_ms) WHERE status NOT IN ('completed', 'failed', 'cancelled');
CREATE INDEX run_by_workflow ON run (workflow_id, created_at_ms);
CREATE TABLE attempt (
  position INTEGER PRIMARY KEY, -- order of first appearance
  run TEXT NOT NULL REFERENCES run(id),
  step_path TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  status TEXT NOT NULL,
  function_id TEXT NOT NULL,
  principal TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  input TEXT,
  output TEXT,
  approval_id TEXT,
  error TEXT,                -- JSON
  started_at_ms INTEGER,
  finished_at_ms INTEGER,
  intent_idx INTEGER REFERENCES log_entry(idx),
  UNIQUE (run, step_path, attempt)
) STRICT;
CREATE TABLE approval (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES run(id),
  step_path TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  subject_digest TEXT NOT NULL,
  subject TEXT NOT NULL,
  mode TEXT NOT NULL,
  quorum TEXT NOT NULL,      -- JSON
  separation_of_duties INTEGER NOT NULL,
  reason_required INTEGER NOT NULL,
  requester TEXT NOT NULL,
  initiator TEXT NOT NULL,
  function_id TEXT NOT NULL,
  demanded_by TEXT NOT NULL, -- JSON
  policy_hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  votes TEXT NOT NULL,       -- JSON
  version INTEGER NOT NULL
) STRICT;
CREATE INDEX approval_by_run ON approval (run, created_at_ms);
CREATE INDEX approval_by_state ON approval (state, created_at_ms);
`;

/** What version 2 adds to version 1. */
const ADDED_IN_2 = `
CREATE INDEX log_entry_own ON log_entry (type, idx) WHERE run = '';
CREATE TABLE handed_out ( -- files with payload data, outside this store
  path TEXT PRIMARY KEY,
  run TEXT,
  made_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE unscrubbed ( -- erased payloads whose bytes may still be in the files of this store, or in copies
  commitment BLOB PRIMARY KEY CHECK (length(commitment) = 32)
) STRICT, WITHOUT ROWID;
`;

/** What version 3 adds to version 2. */
const ADDED_IN_3 = `
CREATE TABLE run_part ( -- what an active run is, in parts; gone when it has ended
  run TEXT NOT NULL REFERENCES run(id),
  key TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON
  PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE meter ( -- how much of a budget is used
  layer TEXT NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL, -- a run, or a day
  budget TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (scope, layer, name, budget)
) STRICT, WITHOUT ROWID;
ALTER TABLE attempt ADD COLUMN iteration INTEGER;
ALTER TABLE attempt ADD COLUMN item INTEGER;
ALTER TABLE attempt ADD COLUMN turn INTEGER;
ALTER TABLE attempt ADD COLUMN converged INTEGER;
`;

/** What version 4 adds to version 3. */
const ADDED_IN_4 = `
ALTER TABLE approval ADD COLUMN more TEXT NOT NULL DEFAULT '{}'; -- JSON: repository, editors, redriver, author, review
CREATE TABLE receipt ( -- messages from outside that count once
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,
  answer TEXT NOT NULL, -- JSON
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_until ON receipt (until_ms);
`;

/** What version 5 adds to version 4. */
const ADDED_IN_5 = `
CREATE TABLE task ( -- attempts that end by an answer from outside
  id TEXT PRIMARY KEY,
  run TEXT NOT NULL REFERENCES run(id),
  step_path TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  token_hash TEXT UNIQUE,    -- of the token; the token itself is nowhere
  state TEXT NOT NULL,
  alive_at_ms INTEGER NOT NULL,
  answer TEXT NOT NULL,      -- JSON
  facts TEXT NOT NULL,       -- JSON, never updated
  created_at_ms INTEGER NOT NULL,
  version INTEGER NOT NULL,
  UNIQUE (run, step_path, attempt)
) STRICT;
CREATE INDEX task_by_run ON task (run, state);
CREATE INDEX task_by_state ON task (state, created_at_ms);
`;

/** What version 6 adds to version 5. */
const ADDED_IN_6 = `
ALTER TABLE workflow ADD COLUMN author TEXT; -- who registered it first; NULL = not known
`;

/** What version 7 adds to version 6. */
const ADDED_IN_7 = `
CREATE TABLE policy_files ( -- policies that runs were started under
  policy_hash TEXT PRIMARY KEY,
  files TEXT NOT NULL -- JSON, [path, text] each
) STRICT;
`;

/** What version 8 adds to version 7. Bytes that are no JSON, which somebody has put there, belong to no approval. */
const ADDED_IN_8 = `
CREATE INDEX log_entry_approval ON log_entry (json_extract(CAST(bytes AS TEXT), '$.data.approvalId'), idx)
  WHERE type GLOB 'approval.*' AND json_valid(CAST(bytes AS TEXT));
`;

/** What version 9 adds to version 8: the same for tasks. */
const ADDED_IN_9 = `
CREATE INDEX log_entry_task ON log_entry (json_extract(CAST(bytes AS TEXT), '$.data.taskId'), idx)
  WHERE type GLOB 'task.*' AND json_valid(CAST(bytes AS TEXT));
`;

/**
 * What version 10 adds to version 9: when runs have to be looked at, as indexes that are read alone. Runs of before that
 * did not wait know no such time yet.
 */
const ADDED_IN_10 = `
CREATE INDEX run_wake ON run (wake_at_ms, id) WHERE wake_at_ms IS NOT NULL;
CREATE INDEX task_silence ON task (run, alive_at_ms + (facts ->> 'heartbeatMs'))
  WHERE state = 'open' AND (facts ->> 'heartbeatMs') IS NOT NULL;
UPDATE run AS one SET wake_at_ms = (SELECT MIN(end_ms) FROM (
    SELECT expires_at_ms AS end_ms FROM approval WHERE run = one.id AND state IN ('pending', 'approved')
    UNION ALL SELECT facts ->> 'expiresAtMs' FROM task WHERE run = one.id AND state = 'open'))
  WHERE wake_at_ms IS NULL AND status IN ('pending', 'running', 'waiting');
`;

/** By the version they lead to, from the one before. */
const ADDITIONS: readonly (readonly [version: number, sql: string])[] = [
  [2, ADDED_IN_2],
  [3, ADDED_IN_3],
  [4, ADDED_IN_4],
  [5, ADDED_IN_5],
  [6, ADDED_IN_6],
  [7, ADDED_IN_7],
  [8, ADDED_IN_8],
  [9, ADDED_IN_9],
  [10, ADDED_IN_10],
];

/**
 * Makes the tables of an empty file, and what is new since of a file of an older version. Two processes may do it at
 * once: the second finds them made.
 */
export function createSchema(db: Database, file: string): void {
  if (!isEmpty(db) && !isOlder(db)) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    if (isEmpty(db)) {
      db.exec(TABLES);
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma('user_version = 1');
    }
    for (const [version, sql] of ADDITIONS) {
      if (!isOurs(db) || versionOf(db) !== version - 1) continue;
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
  checkSchema(db, file);
}

/** Throws STORE_UNAVAILABLE for a file that is not a store, or whose schema this code doesn't know. */
export function checkSchema(db: Database, file: string): void {
  if (!isOurs(db)) {
    throw new WritError('STORE_UNAVAILABLE', `${file} is not a writ store`, {
      hint: 'point --data at a data directory made by writ init',
    });
  }
  const version = versionOf(db);
  if (version !== SCHEMA_VERSION) {
    throw new WritError(
      'STORE_UNAVAILABLE',
      `${file} has schema version ${version}, this writ knows version ${SCHEMA_VERSION}`,
      { hint: hintFor(version) },
    );
  }
}

function hintFor(version: number): string {
  if (version > SCHEMA_VERSION) return 'use the newer writ that wrote it';
  return version > 0
    ? 'open it once with a command that may write, such as writ doctor'
    : 'restore it from a backup';
}

function isOlder(db: Database): boolean {
  const version = versionOf(db);
  return isOurs(db) && version > 0 && version < SCHEMA_VERSION;
}

function isOurs(db: Database): boolean {
  return Number(db.pragma('application_id', { simple: true })) === APPLICATION_ID;
}

function versionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }));
}

function isEmpty(db: Database): boolean {
  return db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
}
