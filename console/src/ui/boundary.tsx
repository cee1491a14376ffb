/** Keeps a mistake in one pane from taking the whole page: says so, and can try again. */
import { Component, type ReactNode } from 'react'
import { Button } from './button'
import { CopyButton } from './copy'

interface BoundaryProps {
  /** What is shown; another one begins anew. */
  readonly resetKey?: string
  readonly children: ReactNode
}

interface BoundaryState {
  readonly error: Error | null
  readonly resetKey: string | undefined
}

export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { error: null, resetKey: this.props.resetKey }

  static getDerivedStateFromError(error: unknown): Partial<BoundaryState> {
    return { error: error instanceof Error ? error : new Error(String(error)) }
  }

  static getDerivedStateFromProps(props: BoundaryProps, state: BoundaryState): BoundaryState {
    return props.resetKey === state.resetKey ? state : { error: null, resetKey: props.resetKey }
  }

  override render(): ReactNode {
    const { error } = this.state
    return error ? <Broken error={error} onRetry={() => this.setState({ error: null })} /> : this.props.children
  }
}

/** A mistake of the console itself, with what its makers need to find it. */
export function Broken({ error: found, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) {
  const error = found instanceof Error ? found : new Error(String(found))
  const diagnostics = `${error.name}: ${error.message}\n${error.stack ?? ''}\n${location.href}\n${navigator.userAgent}`
  return (
    <section role="alert" className="mx-auto max-w-prose p-8 text-center">
      <h2 className="text-base font-semibold">This part of the console broke</h2>
      <p className="mt-2 text-muted">Runs are not touched by it. {error.message}</p>
      <div className="mt-4 flex items-center justify-center gap-2">
        <Button onClick={onRetry}>Try again</Button>
        <CopyButton text={diagnostics} label="Copy diagnostics" />
      </div>
    </section>
  )
}
