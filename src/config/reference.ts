import type { AnyOption, OptionScope, Rule } from './option.js'
import { optionsOf } from './options.js'
import { topicOptions } from './topic-options.js'

const TITLES: readonly (readonly [OptionScope, string, string])[] = [
  ['broker', 'Broker options', 'Set in the properties file, with `--override`, or with `KAFKA_` variables.'],
  ['topic', 'Topic options', 'Set for one topic when it is created or later.'],
  ['group', 'Group options', 'Set for one group.'],
  ['client-metrics', 'Client metrics options', 'Set for one subscription.'],
]

/** The text of config/REFERENCE.md. */
export function renderReference(): string {
  const sections = TITLES.map(([scope, title, about]) => renderSection(scope, title, about))
  return `${INTRODUCTION}\n${sections.join('\n')}`
}

const INTRODUCTION = `# Options

Every option that Ottla knows. The names, types, defaults and checks are Apache Kafka's. This page is rendered from the
tables in \`src/config/\`; a test keeps it true.

Each line has the name, the type, the default, the values that are allowed, and for broker options when they may change:
_at start_ needs a restart; _broker_ may change for one running broker; _cluster_ may change for one running broker or
for all of them at a time. An option that does not act yet is checked, kept and shown; setting it to anything but its
default logs one warning.

A value of a LONG option that means "no limit" is 9223372036854775807. For one listener alone, an option of connections
is set as \`listener.name.<listener>.<option>\`.
`

const GROUPS: readonly (readonly [AnyOption['acts'], string])[] = [
  [true, 'These act'],
  ['partly', 'These act in part'],
  [false, 'These do not act yet'],
]

function renderSection(scope: OptionScope, title: string, about: string): string {
  const options = Object.entries(optionsOf(scope)).sort(([a], [b]) => (a < b ? -1 : 1))
  const groups = GROUPS.flatMap(([acts, heading]) => {
    const lines = options.filter(([, option]) => option.acts === acts).map(line => renderOption(scope, ...line))
    return lines.length === 0
      ? []
      : [`### ${title}: ${heading.toLowerCase()} (${lines.length})\n\n${lines.join('\n')}\n`]
  })
  return `## ${title}\n\n${about}\n\n${groups.join('\n')}`
}

function renderOption(scope: OptionScope, name: string, option: AnyOption): string {
  const facts = [option.type, defaultOf(option), validOf(option), scope === 'broker' ? changesOf(option) : '']
  return `- ${code(name)}: ${facts.filter(fact => fact !== '').join('; ')}. ${aboutOf(scope, name, option)}`
}

function code(text: string): string {
  return `\`${text}\``
}

function defaultOf(option: AnyOption): string {
  if (option.required) return '_must be set_'
  if (option.defaultText === null) return 'no default'
  return option.defaultText === '' ? 'default empty' : `default ${code(option.defaultText)}`
}

function changesOf(option: AnyOption): string {
  if (option.dynamicOnly) return '_cluster_, never at start'
  return { 'read-only': '_at start_', 'per-broker': '_broker_', 'cluster-wide': '_cluster_' }[option.mode]
}

function aboutOf(scope: OptionScope, name: string, option: AnyOption): string {
  const others = option.synonyms.filter(synonym => synonym !== name).map(code)
  const notes = [
    option.doc,
    ...(option.note === null ? [] : [`In part: ${option.note}.`]),
    ...(others.length === 0 ? [] : [`${scope === 'broker' ? 'See also' : 'Default from'}: ${others.join(', ')}.`]),
    ...topicsOf(scope, name),
    ...(option.type === 'PASSWORD' ? ['Secret.'] : []),
    ...(option.internal ? ['Internal.'] : []),
  ]
  return notes.join(' ')
}

/** The topic options of which a broker option is the default. */
function topicsOf(scope: OptionScope, name: string): readonly string[] {
  if (scope !== 'broker') return []
  const topics = Object.entries(topicOptions).filter(([, option]) => option.synonyms[0] === name)
  return topics.map(([topic]) => `Default of topics' ${code(topic)}.`)
}

function validOf(option: AnyOption): string {
  return option.rule === null ? validByType(option) : validByRule(option.rule)
}

function validByType(option: AnyOption): string {
  switch (option.type) {
    case 'BOOLEAN':
      return 'true, false'
    case 'CLASS':
      return 'a class of Kafka itself'
    default:
      return ''
  }
}

function validByRule(rule: Rule): string {
  switch (rule.rule) {
    case 'range':
      return rule.max === null ? `${rule.min} and more` : `${rule.min} to ${rule.max}`
    case 'one-of':
      return `${rule.values.join(', ')}${rule.ignoreCase ? ' (in any case)' : ''}`
    case 'non-empty':
      return 'not empty'
    case 'list':
      return [...(rule.of === null ? [] : [rule.of.join(', ')]), ...(rule.mayBeEmpty ? [] : ['not empty'])].join('; ')
    case 'gzip-level':
      return '1 to 9, or -1'
    case 'throttled-replicas':
      return '`partition:broker,...` or `*`'
    case 'voters':
      return '`id@host:port,...`'
    case 'bootstrap-servers':
      return '`host:port,...`'
    case 'share-offset-reset':
      return 'earliest, latest, `by_duration:PnDTnHnMn.nS`'
  }
}
