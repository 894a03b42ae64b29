"""Checks of writing and reading."""

import time

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from kit import Member, admin, create_topic, producer, send, send_numbers
from report import check, expect_codec, same, unique, until


def sample_records():
    """Sixty records with what brokers and clients get wrong; timestamps are not those of arrival."""
    first = int(time.time() * 1000) - 3_600_000
    records = [
        {
            "key": f"key-{i % 7}".encode(),
            "value": f"value {i} {'lorem ipsum ' * i}".encode(),
            "headers": [("number", str(i).encode()), ("bytes", bytes([0, 255, 128, i]))],
            "timestamp": first + i * 1000,
        }
        for i in range(60)
    ]
    records[3]["key"] = None
    records[4]["value"] = None
    records[5]["key"] = b""
    records[6]["value"] = b""
    records[7].update(key="клюк-鍵-🗝".encode(), headers=[])
    records[8]["headers"] = [("empty", b""), ("null", None)]
    records[9]["value"] = bytes(i * i & 255 for i in range(150_000))
    records[10]["headers"] = [("twice", b"one"), ("twice", b"two")]
    return records


def carries(codec):
    def body(closers):
        topic = unique(f"codec-{codec}")
        create_topic(topic)
        written = sample_records()
        delivered = send(
            producer(compression_type=codec, linger_ms=100), topic, [{**record, "partition": 0} for record in written]
        )
        same(delivered, [(0, i) for i in range(60)], "delivery reports")
        read = Member(closers, unique(f"codec-{codec}-group"), topic).read(60)
        same([message.offset() for message in read], list(range(60)))
        for i, (message, record) in enumerate(zip(read, written)):
            found = {
                "key": message.key(),
                "value": message.value(),
                "headers": message.headers() or [],
                "timestamp": message.timestamp()[1],
            }
            same(found, record, f"record {i}")
        expect_codec(topic, 0, codec)

    return body


def acks(closers):
    topic = unique("acks")
    create_topic(topic)
    for setting in (0, 1, "all"):
        send(producer(acks=setting), topic, [{"value": f"acks {setting}"}])
    member = Member(closers, unique("acks-group"), topic)
    member.read(3)
    same(member.values(), ["acks 0", "acks 1", "acks all"])


def idempotent(closers):
    topic = unique("idempotent")
    create_topic(topic)
    values = [f"once {i}" for i in range(2000)]
    to = producer(enable_idempotence=True, batch_num_messages=20, linger_ms=1)
    same(send(to, topic, [{"value": value} for value in values]), [(0, i) for i in range(2000)])
    member = Member(closers, unique("idempotent-group"), topic)
    member.read(2000)
    same(member.values(), values)


def log_append_time(closers):
    topic = unique("append-time")
    create_topic(topic, config={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    send(producer(), topic, [{"value": "now", "timestamp": before - 1_000_000}])
    [message] = Member(closers, unique("append-time-group"), topic).read(1)
    kind, timestamp = message.timestamp()
    same(kind, 2, "the kind of timestamp")
    same(before - 1000 <= timestamp <= int(time.time() * 1000) + 1000, True, f"{timestamp} is the time of arrival")


def refused(closers):
    topic = unique("refused")
    create_topic(topic, config={"max.message.bytes": "1000"})

    def error_of(to, topic, **record):
        try:
            send(to, topic, [record])
        except KafkaException as error:
            return error.args[0].code()

    same(error_of(producer(), topic, value="x" * 2000), KafkaError.MSG_SIZE_TOO_LARGE)
    same(error_of(producer(), topic, value="x" * 500), None)
    compacted = unique("compacted")
    create_topic(compacted, config={"cleanup.policy": "compact"})
    same(error_of(producer(), compacted, value="no key"), KafkaError.INVALID_RECORD)
    same(error_of(producer(), compacted, key="key", value=None), None)
    same(error_of(producer(allow_auto_create_topics=False), unique("no spaces"), value="x"), KafkaError.TOPIC_EXCEPTION)


def auto_create(closers):
    topic = unique("auto-created")
    send(producer(), topic, [{"value": "first"}])
    same(topic in admin.list_topics(timeout=10).topics, True)
    member = Member(closers, unique("auto-created-group"), topic)
    member.read(1)
    same(member.values(), ["first"])


def by_time(closers):
    topic = unique("by-time")
    create_topic(topic)
    first = int(time.time() * 1000) - 100_000
    send(producer(), topic, [{"value": str(i), "timestamp": first + i * 1000} for i in range(10)])
    member = Member(closers, unique("by-time-group"), topic)

    def offset_of(timestamp):
        return member.consumer.offsets_for_times([TopicPartition(topic, 0, timestamp)], timeout=10)[0].offset

    same(offset_of(first), 0)
    same(offset_of(first + 3500), 4)
    same(offset_of(first + 1_000_000), -1)
    same(member.consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 10))


def out_of_range(closers):
    topic = unique("out-of-range")
    create_topic(topic)
    send_numbers(topic, range(5))
    for reset, expected in (("earliest", ["0", "1", "2", "3", "4", "5"]), ("latest", ["5"])):
        group = unique(f"out-of-range-{reset}")
        member = Member(closers, group, topic, auto_offset_reset=reset, enable_partition_eof=True)
        member.consumer.unsubscribe()
        member.consumer.assign([TopicPartition(topic, 0, 100)])

        def at_end():
            member.poll()
            return any(error.code() == KafkaError._PARTITION_EOF for error in member.errors)

        until(f"the end after a reset to {reset}", at_end)
        if reset == "latest":
            send_numbers(topic, [5])
            member.read(1)
            same(member.values(), expected)
        else:
            same(member.values(), expected[:5])
    failing = Member(closers, unique("out-of-range-error"), topic, auto_offset_reset="error")
    failing.consumer.unsubscribe()
    failing.consumer.assign([TopicPartition(topic, 0, 100)])

    def failed():
        failing.poll()
        return [error for error in failing.errors if error.code() == KafkaError._AUTO_OFFSET_RESET]

    until("an error instead of a reset", failed)


def seeks(closers):
    topic = unique("seek")
    create_topic(topic)
    send_numbers(topic, range(10))
    member = Member(closers, unique("seek-group"), topic)
    member.read(10)
    member.records.clear()
    member.consumer.seek(TopicPartition(topic, 0, 7))
    member.read(3)
    same(member.values(), ["7", "8", "9"])
    member.consumer.pause([TopicPartition(topic, 0)])
    send_numbers(topic, [10])
    member.poll()
    member.consumer.resume([TopicPartition(topic, 0)])
    member.read(4)
    same(member.values(), ["7", "8", "9", "10"])


def small_fetches(closers):
    topic = unique("small-fetches")
    create_topic(topic, 3)
    values = [f"{i} " + "x" * 3000 for i in range(60)]
    to = producer(linger_ms=0, batch_num_messages=1)
    send(to, topic, [{"value": value, "partition": i % 3} for i, value in enumerate(values)])
    limits = {"fetch_max_bytes": 4000, "max_partition_fetch_bytes": 1000, "message_max_bytes": 4000}
    member = Member(closers, unique("small-fetches-group"), topic, **limits)
    member.read(60)
    same(sorted(member.values()), sorted(values), "a batch larger than what was asked for comes all the same")


def run():
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        check(f"carries {codec} records: key, value, headers, timestamp, order", carries(codec))
    check("writes with acks 0, 1 and all", acks)
    check("writes idempotently with five requests in flight, once each and in order", idempotent)
    check("reads the time of arrival when the topic wants it", log_append_time)
    check("is refused what is too large, has no key on a compacted topic, or has a bad topic", refused)
    check("creates a topic by writing to it", auto_create)
    check("finds offsets by time and the watermarks", by_time)
    check("resets an offset that is out of range to the earliest, the latest, or fails", out_of_range)
    check("seeks, pauses and resumes", seeks)
    check("reads with fetches smaller than a batch", small_fetches)
