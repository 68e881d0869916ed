/** Finds what somebody meant to write. */

/** Edits (insert, delete, replace, swap of neighbours) from `a` to `b`. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) edits = Math.min(edits, before[j - 2]! + 1)
      row.push(edits)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}

/** The unit is the last word of a name: thresholdCounts, cycleLengthMs. */
const withoutUnit = (key: string): string => key.replace(/(?<=[a-z])[A-Z][A-Za-z]{0,6}$/, '')

/** Forgetting or mistaking the unit counts half an edit, so that `treshold` finds `thresholdCounts`. */
function misspelling(word: string, known: string): number {
  const a = word.toLowerCase()
  const b = known.toLowerCase()
  if (a.length >= 3 && b.startsWith(a)) return 0.5
  const bareA = withoutUnit(word).toLowerCase()
  const bareB = withoutUnit(known).toLowerCase()
  const edits = Math.min(editDistance(a, b), editDistance(a, bareB) + 0.5, editDistance(bareA, bareB) + 0.5)
  // The first letter is seldom wrong: of V0 and S1, V1 means V0.
  return a[0] === b[0] ? edits - 0.1 : edits
}

/** The known word that `word` most likely stands for; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 0.6
  for (const candidate of known) {
    const edits = misspelling(word, candidate)
    if (edits < least) {
      best = candidate
      least = edits
    }
  }
  return best
}

/** A sentence for somebody who wrote a word that is not known. */
export function hintFor(word: string, known: readonly string[], what: string): string {
  const best = nearest(word, known)
  if (best !== undefined) return `did you mean '${best}'?`
  return known.length === 0 ? `there are no ${what}` : `known ${what}: ${known.join(', ')}`
}
