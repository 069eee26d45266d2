/** Exit codes of `shoto`. */
export const EXIT = {
  /** Something failed that the command was asked to do. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** There is no such thing. */
  notFound: 3,
  /** The server refused the input. */
  invalid: 4,
  /** Not logged in, or not allowed. */
  denied: 5,
  /** The server cannot be reached, or cannot serve now. */
  unavailable: 6,
  /** What was waited for did not come in time. */
  timeout: 7,
} as const;

/** An error that is told to the user as it is, without a stack. */
export class CliError extends Error {
  readonly exitCode: number;
  /** Status of the server's answer, where it was one. */
  readonly status: number | undefined;
  constructor(exitCode: number, message: string, status?: number) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.status = status;
  }
}
