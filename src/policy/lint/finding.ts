// What `policy lint` says of one place of a policy directory.

export interface LintFinding {
  readonly code:
    | 'rule-shadowed'
    | 'rule-redundant'
    | 'deny-without-effect'
    | 'rule-unused'
    | 'rule-untested'
    | 'allow-everything'
    | 'role-unused'
    | 'role-deep'
    | 'approver-without-key'
    | 'break-glass-unused'
    | 'quorum-unreachable'
    | 'ceiling-empty'
    | 'signer-unknown'
    | 'ceiling-expired';
  readonly severity: 'error' | 'warning';
  /** Relative to the directory; null = no single file. */
  readonly file: string | null;
  readonly line: number | null;
  /** A rule's id, a role, a person, a ceiling. */
  readonly about: string;
  readonly message: string;
  readonly hint: string;
}
