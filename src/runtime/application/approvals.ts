// What people are asked: approvals and tasks. A decision is published before it is answered, where that takes no longer.
import { mayReadApproval } from '../approval/access.js';
import { openOutbox } from '../approval/outbox.js';
import { approvalStatistics } from '../approval/statistics.js';
import { decideApproval } from '../approval/decide.js';
import { editApproval } from '../approval/edit.js';
import { previousSubject } from '../approval/previous-subject.js';
import { keepRefused } from '../approval/refused-message.js';
import { reviewApproval } from '../approval/review.js';
import { answerTask, requireMayAnswer } from '../task/answer.js';
import { mayReadTask, taskView } from '../task/view.js';
import { approvalView } from '../view/approval-view.js';
import type { Approvals, Tasks } from '../writ.js';
import type { Core } from './core.js';

export function taskCalls({ guard, live, cadence }: Core): Tasks {
  const { store } = guard;
  return {
    tasks: (filter) => store.tasks(filter),
    task: (id) => taskView(guard, id),
    mayReadTask: (record, { id }) => mayReadTask(live.current(), record, id),
    requireMayAnswer: (id, by) => requireMayAnswer(guard, id, by),
    async answerTask(which, reply, by) {
      const record = await answerTask(guard, { which, reply, by });
      await cadence.settle();
      return record;
    },
  };
}

export function approvalCalls({ guard, live, cadence }: Core): Approvals {
  const { store, clock } = guard;
  return {
    approvals: (filter) => store.approvals(filter),
    approvalKeys: (filter) => store.approvalKeys(filter),
    decidedRuns: () => store.decidedRuns(),
    approvalRecord: (id) => store.approval(id),
    approval: (id) => approvalView(guard, id),
    mayRead: (record, principal) => mayReadApproval(live.current(), record, principal, clock.nowMs()),
    receipt: (source, id) => store.receipt(source, id),
    keepRefused: (message) => keepRefused(guard, message),
    outbox: openOutbox(store),
    async editApproval(id, edit, editor) {
      const record = await editApproval(guard, { id, edit, editor });
      await cadence.settle();
      return record;
    },
    async reviewApproval(id, reason, reviewer) {
      const record = await reviewApproval(guard, { id, reason, reviewer });
      await cadence.settle();
      return record;
    },
    previousSubject: (record) => previousSubject(store, record),
    approvalStatistics: () => approvalStatistics(store),
    async decide(id, vote, approver) {
      const record = await decideApproval(guard, { id, vote, approver });
      await cadence.settle();
      return record;
    },
  };
}
