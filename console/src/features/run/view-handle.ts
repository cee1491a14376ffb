/** What the keyboard asks of the view that is shown. */
export interface ViewHandle {
  readonly move: (by: number) => void
  readonly start: () => void
  readonly end: () => void
  /** Follow the end, or stop. */
  readonly follow: () => void
  /** One reads: the end is no more followed. */
  readonly leave: () => void
  /** To the next problem, or the one before. */
  readonly problem: (isForward: boolean) => void
  /** To an event, wherever it is. */
  readonly go: (seq: number) => void
}
