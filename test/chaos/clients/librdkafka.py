"""librdkafka under faults, through confluent-kafka: producers of every kind, a group of two members that commit what they
have read, and an admin.

Says what it does and what it is told as events of the history (../history.ts), an object a line, until a line on standard
input says `stop`; then it settles what is under way and ends.
"""

import json
import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
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
        "log_level": 0,
        **{key if key == "error_cb" else key.replace("_", "."): value for key, value in more.items()},
    }


def writer(name, partition, idempotent, acks, once):
    say({"e": "writer", "w": name, "topic": TOPIC, "p": partition, "idempotent": idempotent, "acks": acks, "once": once})

    def on_error(error):
        if error.fatal():
            say({"e": "wrong", "what": f"{name} can go on no more: {error.str()}"})

    retries = {"retries": 0} if once else {}
    producer = Producer(
        settings(
            name,
            enable_idempotence=idempotent,
            acks=acks,
            linger_ms=5,
            message_timeout_ms=3000 if once else 300000,
            error_cb=on_error,
            **retries,
        )
    )
    waiting = [0]

    def delivered(number):
        def report(error, message):
            waiting[0] -= 1
            if error is not None:
                say({"e": "gaveUp", "w": name, "from": number, "count": 1, "why": error.str()})
            elif acks != 0:
                offset = message.offset() if message.offset() is not None else -1
                say({"e": "ack", "w": name, "from": number, "count": 1, "offset": offset, "at": now()})

        return report

    number = 0
    while not over.is_set():
        if waiting[0] < WAITING_MAX:
            say({"e": "send", "w": name, "n": number, "at": now()})
            producer.produce(TOPIC, key=name, value=f"{name}:{number}", partition=partition, on_delivery=delivered(number))
            waiting[0] += 1
            number += 1
        producer.poll(PAUSE_S)
        time.sleep(PAUSE_S)
    producer.flush(SETTLE_S)
    if waiting[0] > 0 and acks != 0:
        say({"e": "wrong", "what": f"{name}: {waiting[0]} records were not delivered in {SETTLE_S} s without faults"})


def member(index):
    name = f"{NAME}-member-{index}"
    commits = 0

    consumer = Consumer(
        settings(
            name,
            group_id=GROUP,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=500,
            fetch_wait_max_ms=100,
        )
    )
    consumer.subscribe([TOPIC])
    while not over.is_set():
        try:
            messages = [one for one in consumer.consume(100, 0.2) if one.error() is None]
        except KafkaException:
            continue
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
            say({"e": "read", "r": name, "group": GROUP, "topic": TOPIC, **run})
            ends[run["p"]] = run["offset"] + len(run["values"])
        for partition, offset in ends.items():
            identity = f"{name}-{commits}"
            commits += 1
            say({"e": "commit", "id": identity, "group": GROUP, "topic": TOPIC, "p": partition, "offset": offset})
            try:
                [answer] = consumer.commit(offsets=[TopicPartition(TOPIC, partition, offset)], asynchronous=False)
                if answer.error is None:
                    say({"e": "committed", "id": identity})
            except KafkaException:
                pass
    consumer.close()


def attempt(before, after, request):
    """A request whose outcome is said.

    One that fails is in doubt, and so is one that took long: an attempt that was given up may still be under way to a
    node and come about later.
    """
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
    admin = AdminClient(settings("admin"))
    timeouts = {"request_timeout": 5, "operation_timeout": 4}
    number = 0
    while not over.wait(ADMIN_INTERVAL_S):
        topic = f"{NAME}-made-{number}"
        made = {"topic": topic, "partitions": 2}
        create = lambda: admin.create_topics([NewTopic(topic, 2, 3)], **timeouts)
        number += 1
        if not attempt({"e": "creating", **made}, {"e": "created", **made}, create):
            continue
        for value in (str(100000 + number), str(200000 + number)):
            entry = ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)
            resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
            configured = {"topic": topic, "name": "retention.ms", "value": value}
            alter = lambda: admin.incremental_alter_configs([resource], request_timeout=5)
            attempt({"e": "configuring", **configured}, {"e": "configured", **configured}, alter)
        grown = {"topic": topic, "partitions": 4}
        grow = lambda: admin.create_partitions([NewPartitions(topic, 4)], **timeouts)
        is_sure = attempt({"e": "creating", **grown}, {"e": "created", **grown}, grow)
        if is_sure and number % 2 == 0:
            remove = lambda: admin.delete_topics([topic], **timeouts)
            attempt({"e": "deleting", "topic": topic}, {"e": "deleted", "topic": topic}, remove)


def guarded(run, args):
    """Nobody who works here may fall silent."""
    try:
        run(*args)
    except Exception as error:
        say({"e": "wrong", "what": f"{NAME} {run.__name__} {args[0] if args else ''} broke: {error}"})


threads = [
    threading.Thread(target=guarded, args=(run, args), daemon=True)
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
