/** Marks of provenance: where a number comes from. docs/physics/provenance.md explains them. */
import { z } from 'zod'

export const MARKS = {
  S: 'stated in the seed talk',
  F: 'read in a named public source',
  C: 'computed',
  'K-high': 'known from the literature, sure',
  'K-med': 'known from the literature, likely',
  'K-low': 'known from the literature, unsure',
  A: 'assumption',
  document: 'a document of the collaboration or of the maker'
} as const
export type Mark = keyof typeof MARKS

/**
 * Marks of one provenance text in the order of its clauses. Clauses are apart by semicolons and begin with a mark
 * and a colon; a clause without a mark belongs to the one before.
 */
export function marksOf(provenance: string): Mark[] {
  return provenance
    .split(';')
    .map((clause) => /^\s*([A-Za-z-]+)(:|$)/.exec(clause)?.[1])
    .filter((word): word is Mark => word !== undefined && Object.hasOwn(MARKS, word))
}

/** What a provenance text begins with. */
export const PROVENANCE_START = new RegExp(`^(${Object.keys(MARKS).join('|')})(:|$)`)

/** The field that every object with numbers of a detector or a device carries. */
export const provenanceText = z
  .string()
  .regex(
    PROVENANCE_START,
    'write a mark, a colon and words, clauses apart by semicolons: "K-high: cells; A: z"; marks are S, F, C, K-high, K-med, K-low, A, document'
  )
  .describe('where the numbers come from: "F: source; A: the others"; see docs/physics/provenance.md')
