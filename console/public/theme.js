/* Before the first paint, so that nothing flashes: the theme that was chosen, else the system's. */
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const show = () => {
    let choice = null
    try { choice = localStorage.getItem('agentrunner.theme') } catch { /* a browser that keeps nothing */ }
    const isChosen = choice === 'light' || choice === 'dark'
    document.documentElement.dataset.theme = isChosen ? choice : system.matches ? 'dark' : 'light'
  }
  show()
  system.addEventListener('change', show)
  addEventListener('agentrunner.theme', show)
  addEventListener('storage', show)
})()
