/** A step of the installation went wrong; `log` holds the last lines that it printed. */
export class StepFailed extends Error {
  readonly log: string[];
  constructor(message: string, log: string[] = [message]) {
    super(message);
    this.log = log;
  }
}
