/** One query of a log, whatever its format. */
export interface HuntRecord {
  /** Milliseconds since 1970, with a fraction. */
  readonly atMs: number;
  readonly client: string;
  /** Presentation form as the log has it. */
  readonly name: string;
  readonly type: number;
  /** −1 when the log saw no answer. */
  readonly rcode: number;
  /** Octets of the response; 0 when unknown. */
  readonly octets: number;
  readonly distinctAnswers: number;
  /** Line of the file (from 1), or number of the frame. */
  readonly line: number;
  readonly file: string;
  /** The record is an answer alone: its question was a record of its own. */
  readonly isAnswer?: boolean;
  /** Our audit has redacted the name: `redacted` stands for what is not known. */
  readonly isRedacted?: boolean;
}
