/** The small language in which services write what their names look like; see `services.ts` for its grammar. */
import type { Question } from '../../wire/index.ts';

const LETTER = 1;
const DIGIT = 2;
const HEX = 4;
const DASH = 8;
const UNDERSCORE = 16;
const OTHER = 32;

const CLASS_OF_OCTET = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet >= 48 && octet <= 57) return DIGIT | HEX;
  if (octet >= 97 && octet <= 102) return LETTER | HEX;
  if (octet >= 103 && octet <= 122) return LETTER;
  if (octet === 45) return DASH;
  if (octet === 95) return UNDERSCORE;
  return OTHER;
});

const CLASSES: Readonly<Record<string, number>> = {
  x: HEX,
  d: DIGIT,
  a: LETTER,
  b: LETTER | DIGIT,
  n: LETTER | DIGIT | DASH,
  h: LETTER | DIGIT | DASH | UNDERSCORE,
  o: LETTER | DIGIT | DASH | UNDERSCORE | OTHER,
};

interface LabelShape {
  readonly classes: number;
  readonly min: number;
  readonly max: number;
  readonly repeats: boolean;
  readonly literal: Uint8Array | null;
}

export class Shapes {
  readonly #shapes: readonly (readonly LabelShape[])[];

  constructor(shapes: readonly (readonly LabelShape[])[]) {
    this.#shapes = shapes;
  }

  /** Whether the first `labels` labels of the question have one of the shapes. The zone's own name always has. */
  match(question: Question, labels: number): boolean {
    if (labels === 0) return true;
    for (let i = 0; i < this.#shapes.length; i++) if (matches(this.#shapes[i], question, labels)) return true;
    return false;
  }
}

/** Throws when a shape cannot be read; shapes are part of the program, not input. */
export function compileShapes(shapes: readonly string[]): Shapes {
  return new Shapes(shapes.map((shape) => shape.split(' ').flatMap(labelShapes)));
}

function labelShapes(text: string): LabelShape[] {
  if (text === 'ip4')
    return Array.from({ length: 4 }, () => ({
      classes: DIGIT,
      min: 1,
      max: 3,
      repeats: false,
      literal: null,
    }));
  if (text.startsWith("'")) {
    const literal = Buffer.from(text.slice(1, -1), 'latin1');
    return [{ classes: 0, min: literal.length, max: literal.length, repeats: false, literal }];
  }
  const parts = /^(\+?)([xdabnho]):(\d+)(?:-(\d+))?$/.exec(text);
  if (parts === null)
    throw new Error(`the shape "${text}" is not one of: x d a b n h o with ":length", ip4, or a quoted word`);
  const min = Number(parts[3]);
  return [
    {
      classes: CLASSES[parts[2]],
      min,
      max: Number(parts[4] ?? min),
      repeats: parts[1] === '+',
      literal: null,
    },
  ];
}

/** Matches from the zone towards the leaf; only the leftmost shape may repeat, so no way has to be tried twice. */
function matches(shape: readonly LabelShape[], question: Question, labels: number): boolean {
  let at = shape.length - 1;
  for (let label = labels - 1; label >= 0; label--) {
    if (at < 0 || !hasShape(shape[at], question, label)) return false;
    if (!(at === 0 && shape[0].repeats)) at--;
  }
  return at < 0 || (at === 0 && shape[0].repeats);
}

function hasShape(shape: LabelShape, question: Question, label: number): boolean {
  const { name } = question;
  const at = question.labelAt[label];
  const length = name[at];
  if (length < shape.min || length > shape.max) return false;
  const { literal, classes } = shape;
  for (let i = 0; i < length; i++) {
    const octet = name[at + 1 + i];
    if (literal !== null ? literal[i] !== octet : (CLASS_OF_OCTET[octet] & classes) === 0) return false;
  }
  return true;
}
