"""Checks of consumer groups, by the classic protocol."""

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from kit import Member, admin, create_topic, producer, send, send_numbers, settle
from report import check, same, unique, until


def shares(strategy):
    def body(closers):
        topic = unique(f"shares-{strategy[:5]}")
        group = unique(f"shares-{strategy[:5]}-group")
        create_topic(topic, 6)
        members = []
        for sizes in ([6], [3, 3], [2, 2, 2]):
            members.append(Member(closers, group, topic, partition_assignment_strategy=strategy))
            settle(members, sizes)
        send(producer(), topic, [{"value": str(i), "partition": i % 6} for i in range(60)])

        def all_read():
            for member in members:
                member.poll()
            return sum(len(member.records) for member in members) >= 60

        until("60 records", all_read)
        same(sorted(int(value) for member in members for value in member.values()), list(range(60)))
        for member in members:
            same({message.partition() for message in member.records}, set(member.assigned))
        described = admin.describe_consumer_groups([group])[group].result(10)
        same(described.state.name, "STABLE")
        same(described.partition_assignor, strategy)
        owned = [sorted(one.partition for one in member.assignment.topic_partitions) for member in described.members]
        same(sorted(owned), sorted(member.assigned for member in members))
        members.pop(0).close()
        settle(members, [3, 3])
        members.pop(0).close()
        settle(members, [6])

    return body


def static_return(closers):
    topic = unique("static")
    group = unique("static-group")
    create_topic(topic, 2)
    first = Member(closers, group, topic, group_instance_id="first")
    second = Member(closers, group, topic, group_instance_id="second")
    settle([first, second], [1, 1])
    owned, assignments = first.assigned, second.assignments
    first.close()  # a static member does not leave the group when it closes
    described = admin.describe_consumer_groups([group])[group].result(10)
    same(sorted(member.group_instance_id for member in described.members), ["first", "second"])
    returned = Member(closers, group, topic, group_instance_id="first")

    def owns_again():
        returned.poll()
        second.poll()
        return returned.assigned == owned

    until("its partition again", owns_again)
    send(producer(), topic, [{"value": "after", "partition": owned[0]}])
    returned.read(1)
    second.poll()
    same(second.assignments, assignments, "the other member does not notice")


def static_fenced(closers):
    topic = unique("fenced")
    group = unique("fenced-group")
    create_topic(topic)
    first = Member(closers, group, topic, group_instance_id="only")
    settle([first], [1])
    second = Member(closers, group, topic, group_instance_id="only")

    def fenced():
        second.poll()
        try:
            first.poll()
        except KafkaException as error:
            first.errors.append(error.args[0])
        return any(error.code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID) for error in first.errors)

    until("the one that was there before to be fenced", fenced)
    settle([second], [1])


def resumes(closers):
    topic = unique("resume")
    group = unique("resume-group")
    create_topic(topic)
    send_numbers(topic, range(10))
    first = Member(closers, group, topic, enable_auto_commit=False)
    first.read(10)
    first.consumer.commit(offsets=[TopicPartition(topic, 0, 7, metadata="a note")], asynchronous=False)
    [noted] = first.consumer.committed([TopicPartition(topic, 0)], timeout=10)
    same((noted.offset, noted.metadata), (7, "a note"))
    first.close()
    second = Member(closers, group, topic, enable_auto_commit=True)
    second.read(3)
    same(second.values(), ["7", "8", "9"])
    second.close()
    third = Member(closers, group, topic)
    same(third.committed(topic), 10, "committed when it was closed")
    send_numbers(topic, [10])
    third.read(1)
    same(third.values(), ["10"])


def resets(closers):
    topic = unique("reset")
    create_topic(topic)
    send_numbers(topic, range(3))
    latest = Member(closers, unique("reset-latest"), topic, auto_offset_reset="latest", enable_partition_eof=True)

    def at_end():
        latest.poll()
        return any(error.code() == KafkaError._PARTITION_EOF for error in latest.errors)

    until("the end", at_end)
    send_numbers(topic, [3])
    latest.read(1)
    same(latest.values(), ["3"])
    earliest = Member(closers, unique("reset-earliest"), topic)
    earliest.read(4)
    same(earliest.values(), ["0", "1", "2", "3"])
    failing = Member(closers, unique("reset-error"), topic, auto_offset_reset="error")

    def failed():
        failing.poll()
        return [error for error in failing.errors if error.code() == KafkaError._AUTO_OFFSET_RESET]

    until("an error, for there is no commit", failed)


def pattern(closers):
    for name in ("pattern-a", "pattern-b"):
        create_topic(unique(name))
        send_numbers(unique(name), [name[-1]])
    member = Member(
        closers, unique("pattern-group"), f"^{unique('pattern-')}.*", topic_metadata_refresh_interval_ms=500
    )
    member.read(2)
    create_topic(unique("pattern-c"))
    send_numbers(unique("pattern-c"), ["c"])
    member.read(3)
    same(sorted(member.values()), ["a", "b", "c"])


def run():
    for strategy in ("range", "roundrobin", "cooperative-sticky"):
        check(f"shares partitions among one, two and three members by {strategy}", shares(strategy))
    check("a static member that comes back takes its partitions without a rebalance", static_return)
    check("a second member with the same instance id fences the first", static_fenced)
    check("goes on where the group committed, with its metadata", resumes)
    check("starts at the earliest or latest record, or fails, when nothing is committed", resets)
    check("subscribes to a pattern and finds a topic that comes later", pattern)
