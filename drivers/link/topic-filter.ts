/**
 * Whether an MQTT topic matches a subscription filter: `+` stands for one level, `#` at the end for all that
 * follow, itself included (MQTT 3.1.1, 4.7). Topics that begin with `$` are the broker's own and match no
 * wildcard in the first level.
 */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false
  }
  return wanted.length === levels.length
}
