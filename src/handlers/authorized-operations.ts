/**
 * Bit fields of what the client may do, by AclOperation code (bit n is operation n). Without an authorizer that is all
 * that there is for a kind of resource.
 */

/** The client did not ask. */
export const NOT_ASKED = -2147483648
/** CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE. */
export const CLUSTER_OPERATIONS = 8096
/** READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS. */
export const TOPIC_OPERATIONS = 3576
