import type { Wires } from './connection.ts'

/** The connection's wires in a browser. Addresses are relative to the page, so a proxy's prefix is kept. */
export const browserWires: Wires = {
  openSocket(on) {
    const url = new URL('api/live', location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new WebSocket(url)
    socket.onmessage = (event) => {
      if (typeof event.data === 'string') on.message(event.data)
    }
    socket.onclose = () => {
      on.closed()
    }
    return {
      close: () => {
        socket.close()
      }
    }
  },
  async fetchSnapshot(limitMs) {
    const response = await fetch('api/snapshot', {
      cache: 'no-store',
      signal: AbortSignal.timeout(limitMs)
    })
    return response.ok ? ((await response.json()) as unknown) : undefined
  },
  now: () => Date.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms)
    return () => {
      clearTimeout(timer)
    }
  }
}
