/** Marks of provenance: where a number comes from. docs/physics/provenance.md explains them. */

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
