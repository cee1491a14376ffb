/** Rules of the house; the layers are lib -> ui -> features -> routes, and each imports only what stands before it. */
import hooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

const layers = ['lib', 'ui', 'features', 'routes']

const forbidden = (layer) => {
  const above = layers.slice(layers.indexOf(layer) + 1)
  const groups = above.flatMap((each) => [`@/${each}`, `@/${each}/**`, `**/../${each}/**`, `**/../${each}`])
  const patterns = groups.length ? [{ group: groups, message: `\`${layer}\` stands below it.` }] : []
  if (layer === 'lib')
    patterns.push({ group: ['react', 'react-dom', 'react-dom/**', 'react/**', '@tanstack/react-*', 'lucide-react'], message: '`lib` knows no React.' })
  return patterns
}

const layerRules = layers.map((layer) => ({
  files: [`src/${layer}/**/*.{ts,tsx}`],
  rules: { 'no-restricted-imports': ['error', { patterns: forbidden(layer) }] },
}))

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'src/lib/schema.d.ts'] },
  ...tseslint.configs.strict.map((config) => ({ ...config, files: ['src/**/*.{ts,tsx}', 'vite.config.ts'] })),
  {
    files: ['src/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      complexity: ['error', 14],
      'max-depth': ['error', 3],
      'max-lines': ['error', 400],
      'max-params': ['error', 5],
      'no-eval': 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Text nodes only: Trusted Types refuse markup.' },
        { property: 'outerHTML', message: 'Text nodes only: Trusted Types refuse markup.' },
        { property: 'insertAdjacentHTML', message: 'Text nodes only: Trusted Types refuse markup.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Text nodes only.' },
      ],
    },
  },
  ...layerRules,
)
