import { expect, it } from 'vitest';
import { notFound } from './not-found.js';

it('says in the same words what is not there and where to look, and shows a name that is empty or odd', () => {
  expect(notFound('run', '')).toMatchObject({
    code: 'NOT_FOUND',
    message: 'there is no run ""',
    hint: 'list them: writ workflow list --runs',
  });
  expect(notFound('task', 'a\nb').message).toBe('there is no task "a\\nb"');
});
