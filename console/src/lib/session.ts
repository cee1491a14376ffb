/** The session is a cookie that no script can read; programs that hold a token give a place of their own. */
import type { TokenPlace } from './http'

export const BY_COOKIE: TokenPlace = { get: () => null }
