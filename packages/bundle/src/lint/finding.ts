/** How bad a finding is: an error breaks people, a warning may. */
export type Severity = 'error' | 'warning';

/** Something that a bundle should not have. */
export interface Finding {
  /** Name of the rule: `image-digest`. */
  rule: string;
  severity: Severity;
  /** Path inside the bundle. */
  file: string;
  /** Number of the YAML document in the file, from 1. */
  document?: number;
  /** Line in the file, from 1, where it can be told. */
  line?: number;
  /** Path of the field in the document. */
  path?: string;
  /** What is wrong. No value that might be a secret. */
  message: string;
  /** What would be right. */
  fix: string;
}

/** A finding as a rule makes it. */
export interface Raw {
  rule: string;
  severity: Severity;
  /** `line` where it is known; else it is looked up by the path. */
  at: { file: string; document?: number | undefined; line?: number | undefined };
  path?: readonly PropertyKey[];
  message: string;
  fix: string;
}
