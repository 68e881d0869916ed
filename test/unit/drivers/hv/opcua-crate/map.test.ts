// The SY4527 map names the nodes and reads the bits of the golden list.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { nodeId } from '../../../../../drivers/hv/opcua-crate/crate-map.ts'
import { decodeStatus } from '../../../../../drivers/hv/opcua-crate/status.ts'
import { SY4527 } from '../../../../../drivers/hv/opcua-crate/sy4527.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../../../golden/opcua-crate/sy4527.json', import.meta.url), 'utf8')
) as {
  crate: string
  channel: string
  nodes: Record<string, string>
  status: { word: number; state: string; blocking: string[]; inhibits: string[] }[]
}

it('names the nodes of the golden list', () => {
  const named = Object.entries(SY4527.nodes).map(([meaning, pattern]) => [
    meaning,
    nodeId(pattern ?? '', golden.crate, golden.channel)
  ])
  expect(Object.fromEntries(named)).toEqual(golden.nodes)
})

it('reads the status words of the golden list', () => {
  for (const { word, ...expected } of golden.status)
    expect(decodeStatus(word, SY4527), `${word}`).toMatchObject(expected)
})

it('holds no trip against a channel that a person has forgiven, nor forgives an interlock', () => {
  expect(decodeStatus(512, SY4527, true)).toMatchObject({ state: 'off', blocking: [] })
  expect(decodeStatus(256, SY4527, true)).toMatchObject({
    state: 'inhibited',
    inhibits: ['external-disable']
  })
})
