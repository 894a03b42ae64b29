"""librdkafka under faults, through confluent-kafka: producers of every kind, a group of two members that commit what they
have read, and an admin.

Says what it does and what it is told as events of the history (../history.ts), an object a line, until a line on standard
input says `stop`; then it settles what is under way and ends.

A client of librdkafka may lose its way for ever, whatever the cluster does: from 2.10 on it drops all brokers that a
Metadata response does not name, those it was configured with too, and does not always come back to these (its issue
5301: Apache Kafka names none for a moment while all of its nodes stop); and its threads may hold each other up (its issue
5476). Then nothing that it was asked ever ends. Such a client is replaced by a new one, and that is said. Its own
statistics tell: see `Client`.
"""

import itertools
import json
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

BOOTSTRAP = os.environ["CHAOS_BOOTSTRAP"]
TOPIC = os.environ["CHAOS_TOPIC"]
ADMIN_INTERVAL_S = float(os.environ.get("CHAOS_ADMIN_INTERVAL_MS", "1500")) / 1000
NAME = "librdkafka"
GROUP = "librdkafka-group"
PAUSE_S = 0.005
SETTLE_S = 60
SURE_S = 3
WAITING_MAX = 200
STATISTICS_MS = 1000
# A client is lost that was connected to no broker, and tried none, for so long,
LOST_S = 10
# or whose statistics do not come while it is polled.
SILENT_S = 30
TAKE_BACK_S = 5
COMMIT_POLL_S = 0.01
CALLBACKS = ("error_cb", "stats_cb", "on_commit")

over = threading.Event()
lock = threading.Lock()


def say(event):
    line = json.dumps(event, separators=(",", ":")) + "\n"
    with lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def now():
    return round(time.monotonic() * 1000)


def settings(name, **more):
    return {
        "bootstrap.servers": BOOTSTRAP,
        "client.id": f"librdkafka-{name}",
        "socket.timeout.ms": 5000,
        "socket.connection.setup.timeout.ms": 1500,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 300,
        "retry.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 5000,
        "statistics.interval.ms": STATISTICS_MS,
        "log_level": 0,
        **{key if key in CALLBACKS else key.replace("_", "."): value for key, value in more.items()},
    }


class Client:
    """A client of the library, and what it says of itself in its statistics.

    It is lost when it knows no broker to ask any more, or those that it knows are dead to it: a client that lives has a
    connection, or is after one. What brokers answer, and whether they do, has no part in that.
    """

    def __init__(self, make):
        # Why it is of no use any more.
        self.lost = None
        self.alone_since = None
        self.is_connected = False
        self.heard_at = time.monotonic()
        self.is_closing = False
        self.handle = make(self)

    def heard(self, text):
        self.heard_at = time.monotonic()
        brokers = [one for one in json.loads(text)["brokers"].values() if one["source"] in ("configured", "learned")]
        self.is_connected = any(one["state"] == "UP" for one in brokers)
        idle = [one for one in brokers if one["state"] in ("INIT", "DOWN") and one["stateage"] > LOST_S * 1_000_000]
        if len(idle) < len(brokers):
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = self.heard_at

    def judge(self):
        at = time.monotonic()
        if self.alone_since is not None and at - self.alone_since > LOST_S:
            self.lost = "it has dropped all of its brokers"
        elif not self.is_closing and at - self.heard_at > SILENT_S:
            self.lost = f"it has given no statistics for {SILENT_S} s"
        return self.lost is not None


# Nobody lets go of what is lost: to destroy it may never end.
lost_ones = []


def keep(name, make, work):
    """Lets `work` go on with a client, and with a new one whenever the library has lost its way."""
    while True:
        client = Client(make)
        worker = threading.Thread(target=guarded, args=(name, work, client), daemon=True)
        worker.start()
        while worker.is_alive() and not client.judge():
            worker.join(0.2)
        if client.lost is None:
            return
        lost_ones.append(client)
        say({"e": "replaced", "client": name, "why": client.lost})
        # A writer takes back what it has not sent, before others come in its place.
        worker.join(TAKE_BACK_S)
        if over.is_set():
            return


def writer(name, partition, idempotent, acks, once):
    say({"e": "writer", "w": name, "topic": TOPIC, "p": partition, "idempotent": idempotent, "acks": acks, "once": once})

    def on_error(error):
        if error.fatal():
            say({"e": "wrong", "what": f"{name} can go on no more: {error.str()}"})

    def make(client):
        retries = {"retries": 0} if once else {}
        return Producer(
            settings(
                name,
                enable_idempotence=idempotent,
                acks=acks,
                linger_ms=5,
                message_timeout_ms=3000 if once else 300000,
                error_cb=on_error,
                stats_cb=client.heard,
                **retries,
            )
        )

    numbers = itertools.count()

    def work(client):
        waiting = set()

        def give_up(number, why):
            waiting.discard(number)
            say({"e": "gaveUp", "w": name, "from": number, "count": 1, "why": why})

        def delivered(number):
            def report(error, message):
                if number not in waiting:
                    return
                if error is not None:
                    give_up(number, error.str())
                    return
                waiting.discard(number)
                if acks != 0:
                    offset = message.offset() if message.offset() is not None else -1
                    say({"e": "ack", "w": name, "from": number, "count": 1, "offset": offset, "at": now()})

            return report

        producer = client.handle
        while not over.is_set() and client.lost is None:
            if len(waiting) < WAITING_MAX:
                number = next(numbers)
                say({"e": "send", "w": name, "n": number, "at": now()})
                waiting.add(number)
                producer.produce(
                    TOPIC, key=name, value=f"{name}:{number}", partition=partition, on_delivery=delivered(number)
                )
            producer.poll(PAUSE_S)
            time.sleep(PAUSE_S)
        deadline = time.monotonic() + SETTLE_S
        while waiting and client.lost is None and time.monotonic() < deadline:
            producer.flush(1)
        if client.lost is not None:
            # What it has not sent it must never send: the next one goes on with what comes after.
            producer.purge()
            producer.flush(1)
            for number in sorted(waiting):
                give_up(number, client.lost)
        elif waiting and acks != 0:
            what = f"{name}: {len(waiting)} records were not delivered in {SETTLE_S} s without faults"
            say({"e": "wrong", "what": what})

    keep(name, make, work)


def member(index):
    name = f"{NAME}-member-{index}"
    commits = itertools.count()

    def make(client):
        # To the one commit that is under way.
        client.answers = []

        def on_commit(error, offsets):
            client.answers.append(error is None and all(one.error is None for one in offsets))

        return Consumer(
            settings(
                name,
                group_id=GROUP,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                session_timeout_ms=6000,
                heartbeat_interval_ms=500,
                fetch_wait_max_ms=100,
                stats_cb=client.heard,
                on_commit=on_commit,
            )
        )

    keep(name, make, lambda client: Member(name, client, commits).run())


class Member:
    """Commits what it reads, one partition after the other, and polls while it waits for the answer."""

    def __init__(self, name, client, commits):
        self.name = name
        self.client = client
        self.commits = commits
        # Grows with every loss of partitions: what was read before may be another member's by now.
        self.era = 0
        # Read while a commit was under way.
        self.held = []

    def run(self):
        consumer = self.client.handle
        consumer.subscribe([TOPIC], on_revoke=self.lose, on_lost=self.lose)
        while not over.is_set() and self.client.lost is None:
            self.poll(0.2)
            messages, self.held = self.held, []
            self.take(messages)
        # One that has dropped its brokers would never come back from close.
        while not self.client.is_connected and self.client.lost is None:
            self.poll(0.2)
        if self.client.lost is None:
            self.client.is_closing = True
            consumer.close()

    def lose(self, consumer, partitions):
        self.era += 1

    def poll(self, seconds):
        era = self.era
        try:
            messages = [one for one in self.client.handle.consume(100, seconds) if one.error() is None]
        except KafkaException:
            messages = []
        self.held = self.held + messages if self.era == era else messages

    def take(self, messages):
        runs = []
        for message in messages:
            last = runs[-1] if runs else None
            if last and last["p"] == message.partition() and last["offset"] + len(last["values"]) == message.offset():
                last["values"].append(message.value().decode())
            else:
                start = {"p": message.partition(), "offset": message.offset(), "values": [message.value().decode()]}
                runs.append(start)
        ends = {}
        for run in runs:
            say({"e": "read", "r": self.name, "group": GROUP, "topic": TOPIC, **run})
            ends[run["p"]] = run["offset"] + len(run["values"])
        era = self.era
        for partition, offset in ends.items():
            if self.era != era or self.client.lost is not None:
                return
            self.commit(partition, offset)

    def commit(self, partition, offset):
        answers = self.client.answers
        answers.clear()
        identity = f"{self.name}-{next(self.commits)}"
        say({"e": "commit", "id": identity, "group": GROUP, "topic": TOPIC, "p": partition, "offset": offset})
        try:
            self.client.handle.commit(offsets=[TopicPartition(TOPIC, partition, offset)], asynchronous=True)
        except KafkaException:
            return
        while not answers:
            if self.client.lost is not None:
                return
            self.poll(COMMIT_POLL_S)
        if answers[0]:
            say({"e": "committed", "id": identity})


def attempt(admin, before, after, request):
    """A request whose outcome is said.

    One that fails is in doubt, and so is one that took long: an attempt that was given up may still be under way to a
    node and come about later.
    """
    # Its statistics come so.
    admin.poll(0)
    say(before)
    begun = time.monotonic()
    try:
        for future in request().values():
            future.result(10)
        if time.monotonic() - begun > SURE_S:
            return False
        say(after)
        return True
    except Exception as error:
        if os.environ.get("CHAOS_CLIENT_LOG"):
            sys.stderr.write(f"{before} {error}\n")
        return False


def changes():
    numbers = itertools.count()

    def work(client):
        while not over.wait(ADMIN_INTERVAL_S) and client.lost is None:
            change(client.handle, next(numbers))

    def change(admin, number):
        timeouts = {"request_timeout": 5, "operation_timeout": 4}
        topic = f"{NAME}-made-{number}"
        made = {"topic": topic, "partitions": 2}
        create = lambda: admin.create_topics([NewTopic(topic, 2, 3)], **timeouts)
        if not attempt(admin, {"e": "creating", **made}, {"e": "created", **made}, create):
            return
        for value in (str(100001 + number), str(200001 + number)):
            entry = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
            resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
            configured = {"topic": topic, "name": "retention.ms", "value": value}
            alter = lambda: admin.incremental_alter_configs([resource], request_timeout=5)
            attempt(admin, {"e": "configuring", **configured}, {"e": "configured", **configured}, alter)
        grown = {"topic": topic, "partitions": 4}
        grow = lambda: admin.create_partitions([NewPartitions(topic, 4)], **timeouts)
        is_sure = attempt(admin, {"e": "creating", **grown}, {"e": "created", **grown}, grow)
        if is_sure and number % 2 == 1:
            remove = lambda: admin.delete_topics([topic], **timeouts)
            attempt(admin, {"e": "deleting", "topic": topic}, {"e": "deleted", "topic": topic}, remove)

    make = lambda client: AdminClient(settings("admin", stats_cb=client.heard))
    keep(f"{NAME}-admin", make, work)


def guarded(name, run, *args):
    """Nobody who works here may fall silent."""
    try:
        run(*args)
    except Exception as error:
        say({"e": "wrong", "what": f"{name} broke: {error}"})


threads = [
    threading.Thread(target=guarded, args=(NAME, run, *args), daemon=True)
    for run, args in [
        (writer, (f"{NAME}-idempotent", 0, True, -1, False)),
        (writer, (f"{NAME}-all", 1, False, -1, False)),
        (writer, (f"{NAME}-leader", 2, False, 1, True)),
        (writer, (f"{NAME}-none", 2, False, 0, True)),
        (member, (1,)),
        (member, (2,)),
        (changes, ()),
    ]
]
for thread in threads:
    thread.start()
for line in sys.stdin:
    if line.strip() == "stop":
        break
over.set()
deadline = time.monotonic() + SETTLE_S + 5
for thread in threads:
    thread.join(max(0.1, deadline - time.monotonic()))
    if thread.is_alive():
        say({"e": "wrong", "what": f"{NAME} does not settle within {SETTLE_S} s"})
        break
sys.stdout.write('{"e":"done"}\n')
sys.stdout.flush()
os._exit(0)
