import {
  ANY_LIST,
  atLeast,
  between,
  boolean,
  className,
  double,
  int,
  list,
  long,
  oneOfIgnoringCase,
  password,
  short,
  string,
} from './option.js'

/** Broker options of SASL logins, OAuth and delegation tokens. */
export const oauthOptions = {
  'sasl.login.refresh.window.factor': double(0.8, "Share of a login's life after which it is refreshed.", {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.login.refresh.window.jitter': double(0.05, 'Random share of the refresh time of a login.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.login.refresh.min.period.seconds': short(60, 'Shortest time between two refreshes of a login.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.login.refresh.buffer.seconds': short(300, 'Time before expiry at which a login is refreshed at the latest.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.login.connect.timeout.ms': int(null, 'Time limit for connecting to the authentication provider.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.login.read.timeout.ms': int(null, 'Time limit for reading from the authentication provider.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.login.retry.backoff.max.ms': long(10_000, 'Largest pause before a login is tried again.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.login.retry.backoff.ms': long(100, 'First pause before a login is tried again.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.jwt.retriever.class': className(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
    'Class that obtains OAuth tokens.',
    { importance: 'MEDIUM', acts: false },
  ),
  'sasl.oauthbearer.jwt.validator.class': className(
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
    'Class that checks OAuth tokens.',
    { importance: 'MEDIUM', acts: false },
  ),
  'sasl.oauthbearer.scope': string(null, 'Scope asked for with a token.', { importance: 'MEDIUM', acts: false }),
  'sasl.oauthbearer.client.credentials.client.id': string(null, 'Client id at the OAuth provider.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.client.credentials.client.secret': password('Client secret at the OAuth provider.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.algorithm': string('RS256', 'Algorithm that signs a client assertion.', {
    rule: oneOfIgnoringCase(['ES256', 'RS256']),
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.claim.aud': string(null, 'Audience claim of a client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.claim.exp.seconds': int(300, 'Lifetime of a client assertion.', {
    rule: between(0, 86_400),
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.claim.iss': string(null, 'Issuer claim of a client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.claim.jti.include': boolean(
    false,
    'Whether a client assertion carries an id of its own.',
    { importance: 'MEDIUM', acts: false },
  ),
  'sasl.oauthbearer.assertion.claim.nbf.seconds': int(
    60,
    'How far the not-before claim of a client assertion lies in the past.',
    { rule: between(0, 3600), importance: 'LOW', acts: false },
  ),
  'sasl.oauthbearer.assertion.claim.sub': string(null, 'Subject claim of a client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.file': string(null, 'File with a ready client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.private.key.file': string(null, 'File with the key that signs a client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.private.key.passphrase': password('Passphrase of that key.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.assertion.template.file': string(null, 'File with headers and claims for a client assertion.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.scope.claim.name': string('scope', 'Claim of a token that holds its scope.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.sub.claim.name': string('sub', 'Claim of a token that holds its subject.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.token.endpoint.url': string(null, 'Where OAuth tokens are obtained.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.jwks.endpoint.url': string(null, "Where the provider's keys are found.", {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': long(3_600_000, "Pause between two reads of the provider's keys.", {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': long(
    100,
    "First pause before the provider's keys are read again.",
    { importance: 'LOW', acts: false },
  ),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': long(
    10_000,
    "Largest pause before the provider's keys are read again.",
    { importance: 'LOW', acts: false },
  ),
  'sasl.oauthbearer.clock.skew.seconds': int(30, 'Difference of clocks that is tolerated in a token.', {
    importance: 'LOW',
    acts: false,
  }),
  'sasl.oauthbearer.allow.unverified.audience': boolean(false, 'Accepts tokens whose audience is not checked.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.expected.audience': list('', 'Audiences of which a token must name one.', {
    rule: ANY_LIST,
    importance: 'HIGH',
    acts: false,
  }),
  'sasl.oauthbearer.allow.unverified.issuer': boolean(false, 'Accepts tokens whose issuer is not checked.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.oauthbearer.expected.issuer': string(null, 'Issuer that a token must name.', {
    importance: 'HIGH',
    acts: false,
  }),
  'delegation.token.secret.key': password('Secret that signs delegation tokens; without it there are none.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'delegation.token.max.lifetime.ms': long(604_800_000, 'Longest life of a delegation token with renewals.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'delegation.token.expiry.time.ms': long(86_400_000, 'Life of a delegation token until it must be renewed.', {
    rule: atLeast(1),
    importance: 'MEDIUM',
    acts: false,
  }),
  'delegation.token.expiry.check.interval.ms': long(
    3_600_000,
    'Pause between two searches for expired delegation tokens.',
    { rule: atLeast(1), importance: 'LOW', acts: false },
  ),
  'add.partitions.to.txn.retry.backoff.max.ms': int(
    100,
    'Largest pause before a partition is verified with the transaction coordinator again.',
    { rule: atLeast(0), importance: 'HIGH', acts: false },
  ),
  'add.partitions.to.txn.retry.backoff.ms': int(
    20,
    'First pause before a partition is verified with the transaction coordinator again.',
    { rule: atLeast(1), importance: 'HIGH', acts: false },
  ),
}
