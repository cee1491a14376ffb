/** Says whether the end is followed, and takes one back to it with the count of what is new. */
import { ArrowDown } from 'lucide-react'
import { count } from '@/lib/format'
import type { Following } from './part'

export function FollowButton({ following, isLive, isAtEnd }: { readonly following: Following; readonly isLive: boolean; readonly isAtEnd: boolean }) {
  const { isFollowing, fresh, onFollow } = following
  if (isFollowing || (!isLive && isAtEnd && fresh === 0)) return null
  return (
    <button
      type="button" onClick={() => onFollow(true)}
      className="absolute right-4 bottom-3 z-10 flex min-h-8 items-center gap-1.5 rounded-full border border-line bg-surface px-3 font-medium text-accent shadow-lg hover:bg-hover"
    >
      <ArrowDown aria-hidden="true" className="size-3.5" />
      {fresh > 0 ? `${count(fresh)} new` : isLive ? 'Follow' : 'To the end'}
    </button>
  )
}
