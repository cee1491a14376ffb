/** How often the console asks where it cannot stream, and how much of a run it keeps: document settings of the server. */
import { useConfig } from '../access'
import { Part } from './part'

export function LivePart() {
  const config = useConfig()
  const knobs = [
    ['AGENTRUNNER_POLLING_INTERVAL_FAST', `${config.polling_interval_fast} ms`, 'between polls of a run that is active, where no stream gets through'],
    ['AGENTRUNNER_POLLING_MAX_BACKOFF', `${config.polling_max_backoff} ms`, 'the longest pause between polls after errors'],
    ['AGENTRUNNER_EVENT_MAX_BUFFER', `${config.event_max_buffer}`, 'events of a run that are kept here; older ones are read again when you scroll to them'],
  ] as const
  return (
    <Part id="live" lead="News come by one stream for all tabs; these count where it is not possible. They are set where the server is started.">
      <div className="overflow-x-auto">
        <table className="w-full border-collapse">
          <caption className="sr-only">Settings of live updates</caption>
          <thead><tr className="border-b border-line-soft text-left text-xs text-muted"><th scope="col" className="py-1.5 pr-4 font-medium">Variable</th><th scope="col" className="py-1.5 pr-4 text-right font-medium">Value</th><th scope="col" className="py-1.5 font-medium">Meaning</th></tr></thead>
          <tbody>
            {knobs.map(([name, value, meaning]) => (
              <tr key={name} className="border-b border-line-soft align-top">
                <th scope="row" className="py-2 pr-4 text-left font-mono text-xs font-normal break-all">{name}</th><td className="py-2 pr-4 text-right font-medium whitespace-nowrap">{value}</td><td className="py-2 text-muted">{meaning}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Part>
  )
}
