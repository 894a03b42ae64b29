import { ANY_LIST, boolean, className, double, int, list, long, oneOf, password, string } from './option.js'

/** Broker options of TLS, SASL and principals. */
export const securityOptions = {
  'connections.max.reauth.ms': long(0, 'Age at which a SASL connection must authenticate anew; 0 means never.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.server.max.receive.size': int(524_288, 'Largest message accepted before authentication.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'security.providers': string(null, 'Classes that provide security algorithms.', { importance: 'LOW', acts: false }),
  'principal.builder.class': className(
    'org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder',
    'Class that turns a connection into a principal.',
    { importance: 'MEDIUM', mode: 'per-broker', acts: false },
  ),
  'ssl.client.auth': string('none', 'Whether clients must, may or need not show a certificate.', {
    rule: oneOf(['required', 'requested', 'none']),
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.principal.mapping.rules': string('DEFAULT', 'Rules that shorten the distinguished name of a certificate.', {
    importance: 'LOW',
    acts: false,
  }),
  'ssl.allow.dn.changes': boolean(false, 'Whether a replaced certificate may change its distinguished name.', {
    importance: 'LOW',
    acts: false,
  }),
  'ssl.allow.san.changes': boolean(false, 'Whether a replaced certificate may drop alternative names.', {
    importance: 'LOW',
    acts: false,
  }),
  'ssl.protocol': string('TLSv1.3', 'TLS version for new contexts.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.provider': string(null, 'Security provider for TLS.', { importance: 'MEDIUM', mode: 'per-broker', acts: false }),
  'ssl.enabled.protocols': list('TLSv1.2,TLSv1.3', 'TLS versions that are accepted.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.keystore.type': string('JKS', 'File format of the key store.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.keystore.location': string(null, "File with the broker's key and certificate.", {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.keystore.password': password('Password of the key store.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.key.password': password('Password of the private key.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.keystore.key': password('Private key as PEM text.', { importance: 'MEDIUM', mode: 'per-broker', acts: false }),
  'ssl.keystore.certificate.chain': password('Certificate chain as PEM text.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.truststore.type': string('JKS', 'File format of the trust store.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.truststore.location': string(null, 'File with the trusted certificates.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.truststore.password': password('Password of the trust store.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.truststore.certificates': password('Trusted certificates as PEM text.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.keymanager.algorithm': string('SunX509', 'Algorithm of the key manager.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.trustmanager.algorithm': string('PKIX', 'Algorithm of the trust manager.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.endpoint.identification.algorithm': string(
    'https',
    'How the host name of a peer is checked against its certificate; empty skips the check.',
    { importance: 'LOW', mode: 'per-broker', acts: false },
  ),
  'ssl.secure.random.implementation': string(null, 'Random number generator for TLS.', {
    importance: 'LOW',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.cipher.suites': list('', 'Cipher suites that are accepted; empty allows every one.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'ssl.engine.factory.class': className(null, 'Class that makes TLS engines.', {
    importance: 'LOW',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.mechanism.inter.broker.protocol': string('GSSAPI', 'SASL mechanism between brokers.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.enabled.mechanisms': list('GSSAPI', 'SASL mechanisms that clients may use.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.server.callback.handler.class': className(null, 'Class that checks SASL credentials.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.kerberos.principal.to.local.rules': list('DEFAULT', 'Rules that shorten Kerberos principals.', {
    rule: ANY_LIST,
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.jaas.config': password('Login module and credentials for SASL.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.client.callback.handler.class': className(null, 'Class that supplies SASL credentials.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.login.class': className(null, 'Class that performs the SASL login.', { importance: 'MEDIUM', acts: false }),
  'sasl.login.callback.handler.class': className(null, 'Class that supplies login credentials.', {
    importance: 'MEDIUM',
    acts: false,
  }),
  'sasl.kerberos.service.name': string(null, 'Kerberos name under which the brokers run.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.kerberos.kinit.cmd': string('/usr/bin/kinit', 'Path of the kinit command.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.kerberos.ticket.renew.window.factor': double(0.8, "Share of a ticket's life after which it is renewed.", {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.kerberos.ticket.renew.jitter': double(0.05, 'Random share of the renewal time of a ticket.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
  'sasl.kerberos.min.time.before.relogin': long(60_000, 'Shortest time between two logins.', {
    importance: 'MEDIUM',
    mode: 'per-broker',
    acts: false,
  }),
}
