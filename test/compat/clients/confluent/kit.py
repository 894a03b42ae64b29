"""Topics, producers and consumers as the checks use them."""

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from report import BOOTSTRAP, same, until

admin = AdminClient({"bootstrap.servers": BOOTSTRAP, "topic.metadata.propagation.max.ms": 5000})


def create_topic(topic, partitions=1, config=None):
    """Creates a topic and returns when its partitions have leaders."""
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(15)

    def has_leaders():
        found = admin.list_topics(topic, timeout=10).topics[topic]
        return len(found.partitions) == partitions and all(one.leader >= 0 for one in found.partitions.values())

    until(f"topic {topic}", has_leaders)


def dotted(settings):
    """Settings as they are called in Kafka: linger_ms is linger.ms."""
    return {name.replace("_", "."): value for name, value in settings.items()}


def producer(**settings):
    return Producer({"bootstrap.servers": BOOTSTRAP, **dotted(settings)})


def send(to, topic, records):
    """Writes records, each a dict of arguments of produce; returns what the delivery reports say, in their order."""
    reports = []
    for record in records:
        to.produce(topic, on_delivery=lambda error, message: reports.append((error, message)), **record)
    same(to.flush(30), 0, "records that were not delivered in time")
    for error, _ in reports:
        if error is not None:
            raise KafkaException(error)
    return [(message.partition(), message.offset()) for _, message in reports]


def send_numbers(topic, numbers, **record):
    return send(producer(), topic, [{"value": str(number), "partition": 0, **record} for number in numbers])


class Member:
    """A consumer of a group: what it owns, how often it was assigned, and what it has read."""

    def __init__(self, closers, group, topics, **settings):
        self.assigned = []
        self.assignments = 0
        self.records = []
        self.errors = []
        self.open = True
        self.consumer = Consumer(
            {
                "bootstrap.servers": BOOTSTRAP,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 10000,
                "heartbeat.interval.ms": 200,
                "fetch.wait.max.ms": 100,
                **dotted(settings),
            }
        )
        topics = [topics] if isinstance(topics, str) else topics
        self.consumer.subscribe(topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)
        closers.append(self.close)

    def _assign(self, _, partitions):
        self.assignments += 1
        self.assigned = sorted(self.assigned + [one.partition for one in partitions])

    def _revoke(self, _, partitions):
        gone = [one.partition for one in partitions]
        self.assigned = [one for one in self.assigned if one not in gone]

    def poll(self):
        """Takes what there is, without waiting for more."""
        for message in self.consumer.consume(500, timeout=0.02):
            if message.error() is None:
                self.records.append(message)
            else:
                self.errors.append(message.error())

    def read(self, count):
        """Polls until it has read so many records; returns all that it has read."""

        def enough():
            self.poll()
            return len(self.records) >= count

        until(lambda: f"{len(self.records)} of {count} records, errors {self.errors}", enough)
        return self.records

    def values(self):
        return [message.value().decode() for message in self.records]

    def committed(self, topic, partition=0):
        return self.consumer.committed([TopicPartition(topic, partition)], timeout=10)[0].offset

    def close(self):
        if self.open:
            self.open = False
            self.consumer.close()


def settle(members, shares):
    """Polls all members until they own shares of these sizes, with every partition once."""

    def settled():
        for member in members:
            member.poll()
        owned = sorted(partition for member in members for partition in member.assigned)
        sizes = sorted(len(member.assigned) for member in members)
        return sizes == sorted(shares) and owned == list(range(sum(shares)))

    until(lambda: f"shares {shares}, not {[member.assigned for member in members]}", settled)
