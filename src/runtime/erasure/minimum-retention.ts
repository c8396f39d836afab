// How long payloads stay at least. A file of its own: who reads the setting need not load what changes it.

/** EU AI Act, article 19: logs are kept for at least six months. */
export const MINIMUM_RETENTION_DAYS = 183;
