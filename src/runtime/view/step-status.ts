// The words by which a step's state is told outside the runtime (AgentOS page).
import type { AttemptStatus } from '../ports.js';

export type StepStatus =
  'pending' | 'waiting' | 'running' | 'completed' | 'failed' | 'skipped' | 'cancelled' | 'indeterminate';

export function stepStatus(status: AttemptStatus | 'pending'): StepStatus {
  switch (status) {
    case 'suspended':
      return 'waiting';
    case 'pending':
    case 'waiting':
    case 'cancelled':
    case 'indeterminate':
    case 'skipped':
    case 'failed':
      return status;
    case 'intended':
    case 'asked':
      return 'running';
    case 'succeeded':
      return 'completed';
    case 'refused':
    case 'timed-out':
      return 'failed';
  }
}
