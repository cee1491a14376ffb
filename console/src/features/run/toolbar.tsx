/** The line of tools above a view. */
export function Toolbar({ children }: { readonly children: React.ReactNode }) {
  return <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-x-1 gap-y-1 border-b border-line-soft px-2 py-1">{children}</div>
}
