/** Bounds of everything that could otherwise grow: loops over the outside world, queues, retries, buffers. */
export const limits = {
  /** bytes of one frame of the S-LINK bridge; an S-LINK block has at most 65535 words */
  slinkFrameBytesMax: 300_000,
  /** events of a spill that one event block holds */
  eventsPerBlock: 96,
  /** event blocks in flight between builder, worker and store */
  blocks: 40,
  /** bits of the event number within a spill (S-LINK and DATE) */
  eventInSpillMax: (1 << 20) - 1,
  /** bits of the spill number in S-LINK */
  spillNumberMax: (1 << 11) - 1,
  /** requests that wait for one device */
  requestQueueMax: 64,
  /** bytes that wait in a byte link for a far end that does not read */
  linkWriteBacklogBytesMax: 1 << 20,
  /** datagrams that wait in a UDP link while its receiver is paused */
  datagramsHeldMax: 256,
  /** bytes that a memory link holds while its receiver is paused; then the connection is lost */
  memoryLinkBacklogBytesMax: 64 << 20,
  /** what the taps of one session keep in memory, bytes */
  tapBytesMax: 64 << 20,
  /** IPbus: wait for one reply, and unanswered rounds before the target counts as gone */
  ipbusReplyMs: 200,
  ipbusRounds: 5,
  /** reconnection back-off */
  backoffFirstMs: 100,
  backoffLongestMs: 5_000,
  /** unanswered writes of one web socket before the client is cut off, bytes */
  socketBacklogBytesMax: 4 << 20
} as const
