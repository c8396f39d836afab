// What was named and is not there: the same words wherever it is asked for, and where to look.
import { WritError } from '../errors.js';

const LISTED = {
  run: 'writ workflow list --runs',
  workflow: 'writ workflow list',
  approval: 'writ approvals list',
  task: 'writ task list',
  artifact: 'writ artifact list',
  secret: 'writ secrets list',
} as const;

/** NOT_FOUND for a `kind` of this name. */
export function notFound(kind: keyof typeof LISTED, name: string): WritError {
  return new WritError('NOT_FOUND', `there is no ${kind} ${JSON.stringify(name)}`, {
    hint: `list them: ${LISTED[kind]}`,
  });
}
