"""Checks of the admin client."""

import time

from confluent_kafka import (
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    ElectionType,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from kit import Member, admin, create_topic, producer, send, send_numbers, settle
from report import BOOTSTRAP, check, same, unique, until


def code_of(future):
    """The code of the error that a future ends with; None if it ends well."""
    try:
        future.result(15)
    except KafkaException as error:
        return error.args[0].code()


def cluster(closers):
    described = admin.describe_cluster(include_authorized_operations=True).result(10)
    [node] = described.nodes
    same(f"{node.host}:{node.port}", BOOTSTRAP)
    same(described.controller.id, node.id)
    same(len(described.cluster_id), 22)
    listed = admin.list_topics(timeout=10)
    same(listed.cluster_id, described.cluster_id)


def topics(closers):
    topic = unique("topics")
    same(code_of(admin.create_topics([NewTopic(topic, 2, 1)], validate_only=True)[topic]), None)
    same(topic in admin.list_topics(timeout=10).topics, False, "only validated")
    create_topic(topic, 2, {"retention.ms": "123456"})
    same(code_of(admin.create_topics([NewTopic(topic, 2, 1)])[topic]), KafkaError.TOPIC_ALREADY_EXISTS)
    described = admin.describe_topics(TopicCollection([topic]))[topic].result(10)
    same(described.name, topic)
    leader = described.partitions[0].leader.id
    found = [(one.id, one.leader.id, len(one.replicas), len(one.isr)) for one in described.partitions]
    same(found, [(i, leader, 1, 1) for i in range(2)])
    same(str(described.topic_id) != "AAAAAAAAAAAAAAAAAAAAAA", True)
    same(code_of(admin.create_partitions([NewPartitions(topic, 5)])[topic]), None)
    until("five partitions", lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 5)
    same(code_of(admin.create_partitions([NewPartitions(topic, 2)])[topic]), KafkaError.INVALID_PARTITIONS)
    same(code_of(admin.delete_topics([topic])[topic]), None)
    until("the topic to go", lambda: topic not in admin.list_topics(timeout=10).topics)
    same(code_of(admin.delete_topics([topic])[topic]), KafkaError.UNKNOWN_TOPIC_OR_PART)


def mixed_topics(closers):
    good, replicas, config, spaces = (unique(name) for name in ("good", "replicas", "bad-config", "bad name"))
    futures = admin.create_topics(
        [
            NewTopic(good, 1, 1),
            NewTopic(replicas, 1, 5),
            NewTopic(config, 1, 1, config={"cleanup.policy": "burn"}),
            NewTopic(spaces, 1, 1),
        ]
    )
    same(
        [code_of(futures[topic]) for topic in (good, replicas, config, spaces)],
        [None, KafkaError.INVALID_REPLICATION_FACTOR, KafkaError.INVALID_CONFIG, KafkaError.TOPIC_EXCEPTION],
    )
    default = unique("defaults")
    same(code_of(admin.create_topics([NewTopic(default, -1, -1)])[default]), None)
    until("it", lambda: default in admin.list_topics(timeout=10).topics)


def configs(closers):
    topic = unique("configs")
    create_topic(topic, config={"retention.ms": "1000000"})

    def resource(*entries):
        return ConfigResource(ResourceType.TOPIC, topic, incremental_configs=list(entries))

    def alter(name, value, operation):
        wanted = resource(ConfigEntry(name, value, incremental_operation=operation))
        return code_of(admin.incremental_alter_configs([wanted])[wanted])

    def described():
        wanted = resource()
        return admin.describe_configs([wanted])[wanted].result(10)

    same(alter("cleanup.policy", "compact", AlterConfigOpType.APPEND), None)
    same(alter("segment.bytes", "2000000", AlterConfigOpType.SET), None)
    until("the append", lambda: described()["cleanup.policy"].value == "delete,compact")
    found = described()
    same((found["segment.bytes"].value, found["retention.ms"].value), ("2000000", "1000000"))
    same(ConfigSource(found["segment.bytes"].source), ConfigSource.DYNAMIC_TOPIC_CONFIG)
    same(ConfigSource(found["max.message.bytes"].source), ConfigSource.DEFAULT_CONFIG)
    same(found["segment.bytes"].synonyms["log.segment.bytes"].value, "1073741824")
    same(alter("cleanup.policy", "compact", AlterConfigOpType.SUBTRACT), None)
    same(alter("segment.bytes", None, AlterConfigOpType.DELETE), None)
    until("the removal", lambda: described()["segment.bytes"].value == "1073741824")
    same(described()["cleanup.policy"].value, "delete")
    same(alter("retention.ms", "soon", AlterConfigOpType.SET), KafkaError.INVALID_CONFIG)
    same(alter("no.such.config", "1", AlterConfigOpType.SET), KafkaError.INVALID_CONFIG)


def broker_configs(closers):
    [node] = admin.describe_cluster().result(10).nodes

    def resource(*entries):
        return ConfigResource(ResourceType.BROKER, str(node.id), incremental_configs=list(entries))

    def value():
        wanted = resource()
        return admin.describe_configs([wanted])[wanted].result(10)["message.max.bytes"]

    def alter(entry):
        wanted = resource(entry)
        return code_of(admin.incremental_alter_configs([wanted])[wanted])

    same(value().value, "1048588")
    same(alter(ConfigEntry("message.max.bytes", "1500000", incremental_operation=AlterConfigOpType.SET)), None)
    until("the new value", lambda: value().value == "1500000")
    same(ConfigSource(value().source), ConfigSource.DYNAMIC_BROKER_CONFIG)
    same(alter(ConfigEntry("message.max.bytes", None, incremental_operation=AlterConfigOpType.DELETE)), None)
    until("the old value", lambda: value().value == "1048588")
    read_only = ConfigEntry("node.id", "9", incremental_operation=AlterConfigOpType.SET)
    same(alter(read_only), KafkaError.INVALID_REQUEST)


def offsets(closers):
    topic = unique("offsets")
    create_topic(topic)
    first = int(time.time() * 1000) - 100_000
    stamps = [0, 5, 3]  # the latest timestamp is not that of the last record
    send(producer(), topic, [{"value": str(i), "timestamp": first + i * 1000} for i in stamps])
    partition = TopicPartition(topic, 0)

    def offset_of(spec):
        found = admin.list_offsets({partition: spec})[partition].result(10)
        return (found.offset, found.timestamp)

    same(offset_of(OffsetSpec.earliest())[0], 0)
    same(offset_of(OffsetSpec.latest())[0], 3)
    same(offset_of(OffsetSpec.max_timestamp()), (1, first + 5000))
    same(offset_of(OffsetSpec.for_timestamp(first + 1000)), (1, first + 5000))
    same(offset_of(OffsetSpec.for_timestamp(first + 1_000_000))[0], -1)


def deletes_records(closers):
    topic = unique("delete-records")
    create_topic(topic)
    send_numbers(topic, range(10))
    partition = TopicPartition(topic, 0, 6)
    same(admin.delete_records([partition])[partition].result(10).low_watermark, 6)
    member = Member(closers, unique("delete-records-group"), topic)
    member.read(4)
    same(member.values(), ["6", "7", "8", "9"])
    beyond = TopicPartition(topic, 0, 100)
    same(code_of(admin.delete_records([beyond])[beyond]), KafkaError.OFFSET_OUT_OF_RANGE)


def groups(closers):
    topic = unique("groups")
    group = unique("groups-group")
    create_topic(topic)
    send_numbers(topic, range(10))
    member = Member(closers, group, topic, client_id=unique("groups-client"))
    member.read(10)
    stable = admin.list_consumer_groups(states={ConsumerGroupState.STABLE}).result(10).valid
    listed = {one.group_id: one for one in stable}
    same((listed[group].state, listed[group].is_simple_consumer_group), (ConsumerGroupState.STABLE, False))
    described = admin.describe_consumer_groups([group])[group].result(10)
    same([one.client_id for one in described.members], [unique("groups-client")])
    same(f"{described.coordinator.host}:{described.coordinator.port}", BOOTSTRAP)
    same(code_of(admin.delete_consumer_groups([group])[group]), KafkaError.NON_EMPTY_GROUP)
    member.close()
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 4)])
    admin.alter_consumer_group_offsets([wanted])[group].result(10)
    every = ConsumerGroupTopicPartitions(group)
    [stored] = admin.list_consumer_group_offsets([every])[group].result(10).topic_partitions
    same((stored.topic, stored.partition, stored.offset), (topic, 0, 4))
    again = Member(closers, group, topic)
    again.read(6)
    same(again.values()[0], "4")
    again.close()
    same(code_of(admin.delete_consumer_groups([group])[group]), None)
    same(code_of(admin.delete_consumer_groups([group])[group]), KafkaError.GROUP_ID_NOT_FOUND)
    gone = admin.list_consumer_groups().result(10).valid
    same([one.group_id for one in gone if one.group_id == group], [])


def election(closers):
    topic = unique("election")
    create_topic(topic)
    partition = TopicPartition(topic, 0)
    error = admin.elect_leaders(ElectionType.PREFERRED, [partition]).result(10)[partition]
    same(error.code(), KafkaError.ELECTION_NOT_NEEDED)


def run():
    check("describes the cluster", cluster)
    check("creates, describes, widens and deletes a topic", topics)
    check("creates good topics beside bad ones, each with its own error", mixed_topics)
    check("sets, appends to, subtracts from and deletes configs of a topic", configs)
    check("alters a config of the broker while it runs", broker_configs)
    check("lists offsets: earliest, latest, of the latest timestamp, by time", offsets)
    check("deletes records", deletes_records)
    check("lists and describes a group, alters its offsets and deletes it", groups)
    check("asks for an election that is not needed", election)
