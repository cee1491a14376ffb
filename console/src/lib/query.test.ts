import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHOICES, FIELDS, format, MAX_LENGTH, MAX_TERMS, parse, QueryError, quoted, withField } from './query'
import vectors from './vectors/grammar.json'

function refusal(text: string): QueryError {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof QueryError) return error
  }
  throw new Error(`accepted: ${text}`)
}

describe("the server's own tables", () => {
  it('know the same words', () => {
    expect(FIELDS).toEqual(vectors.fields)
    expect(CHOICES.is).toEqual(vectors.kinds)
    expect(CHOICES.status).toEqual(vectors.statuses.map((each) => each.toLowerCase()))
    expect(CHOICES.phase).toEqual(vectors.phases)
    expect(CHOICES.hold).toEqual(vectors.holds)
    expect(CHOICES.reason).toEqual(Object.keys(vectors.reasons))
  })

  it.each(vectors.understood)('understand $text', ({ text, canonical, terms }) => {
    const found = parse(text)
    expect(format(found)).toBe(canonical)
    expect(found.map((each) => ({ field: each.field, negated: each.isNegated, values: each.values.length }))).toEqual(terms)
  })

  it.each(vectors.canonical)('write $text as $canonical', ({ text, canonical }) => {
    expect(format(parse(text))).toBe(canonical)
  })

  it.each(vectors.refused)('refuse $text in the same words', ({ text, position, detail }) => {
    const error = refusal(text)
    expect(error.message).toBe(detail)
    expect(error.position).toBe(position)
  })
})

describe('a query', () => {
  it('is bounded as typed, as written out and in terms', () => {
    expect(parse('a'.repeat(MAX_LENGTH))).toHaveLength(1)
    expect(refusal('a'.repeat(MAX_LENGTH + 1)).position).toBeNull()
    expect(refusal(Array(20).fill('since:2026-11-20T08Z').join(' ')).message).toContain('written out')
    expect(refusal(Array(MAX_TERMS + 1).fill('a').join(' ')).position).toBe(61)
  })

  it('counts characters as the server does, not UTF-16 units', () => {
    expect(refusal('😀😀 stauts:x').position).toBe(4)
  })

  it('either reads back to itself or is refused, whatever is typed', () => {
    const piece = fc.constantFrom('status:', 'failed', ',', '-', '"', '\\', ' ', 'since:', '2h', 'id:', '7', 'cost:>', '1.50', 'a:b', 'é')
    const typed = fc.oneof(fc.string({ unit: 'binary' }), fc.array(piece, { maxLength: 14 }).map((each) => each.join('')))
    fc.assert(
      fc.property(typed, (text) => {
        try {
          const terms = parse(text)
          expect(parse(format(terms))).toEqual(terms)
        } catch (error) {
          expect(error).toBeInstanceOf(QueryError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('looks for any text as it is, once quoted', () => {
    const text = fc.string({ minLength: 1, maxLength: 100 }).filter((each) => !each.includes('\0'))
    fc.assert(
      fc.property(text, (each) => {
        expect(parse(quoted(each))).toEqual([{ field: 'text', values: [each], isNegated: false }])
      }),
    )
  })

  it('takes the values of a facet', () => {
    const terms = withField(parse('status:failed login'), 'status', ['running', 'paused'])
    expect(format(terms)).toBe('login status:running,paused')
    expect(format(withField(terms, 'status', []))).toBe('login')
  })
})
