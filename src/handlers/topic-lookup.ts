/** What handlers ask of the cluster's metadata about topics. */
export interface TopicLookup {
  /** undefined if there is no topic of this name. */
  topicIdOf(name: string): string | undefined
  /** undefined if there is no topic of this id. */
  topicNameOf(topicId: string): string | undefined
  hasPartition(name: string, partition: number): boolean
}
