package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// sampleRecords are sixty records with what brokers and clients get wrong; timestamps are not those of arrival.
func sampleRecords(topic string) []*kgo.Record {
	first := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := []*kgo.Record{}
	for i := range 60 {
		records = append(records, &kgo.Record{
			Topic: topic,
			Key:   fmt.Appendf(nil, "key-%d", i%7),
			Value: fmt.Appendf(nil, "value %d %s", i, strings.Repeat("lorem ipsum ", i)),
			Headers: []kgo.RecordHeader{
				{Key: "number", Value: fmt.Append(nil, i)},
				{Key: "bytes", Value: []byte{0, 255, 128, byte(i)}},
			},
			Timestamp: first.Add(time.Duration(i) * time.Second),
		})
	}
	records[3].Key = nil
	records[4].Value = nil
	records[5].Key = []byte{}
	records[6].Value = []byte{}
	records[7].Key = []byte("клюк-鍵-🗝")
	records[7].Headers = nil
	records[8].Headers = []kgo.RecordHeader{{Key: "empty", Value: []byte{}}, {Key: "null"}}
	records[9].Value = bytes.Repeat([]byte{1, 2, 3, 5, 8, 13, 21, 34, 55, 89}, 15_000)
	records[10].Headers = []kgo.RecordHeader{{Key: "twice", Value: []byte("one")}, {Key: "twice", Value: []byte("two")}}
	return records
}

// describe tells nil from empty.
func describe(record *kgo.Record) string {
	text := func(bytes []byte) string {
		if bytes == nil {
			return "null"
		}
		return fmt.Sprintf("%x", bytes)
	}
	line := fmt.Sprintf("%s %s %d", text(record.Key), text(record.Value), record.Timestamp.UnixMilli())
	for _, header := range record.Headers {
		line += fmt.Sprintf(" %s=%s", header.Key, text(header.Value))
	}
	return line
}

func carries(number uint8, name string, codec kgo.CompressionCodec) {
	check(fmt.Sprintf("carries %s records: key, value, headers, timestamp, order", name), func(s *scope) {
		topic := unique("codec-" + name)
		createTopic(s, topic, 1, nil)
		written := sampleRecords(topic)
		send(s, written, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(100*time.Millisecond))
		read := startMember(s, kgo.ConsumeTopics(topic)).atLeast(60)
		for i, record := range read {
			same(record.Offset, int64(i), "offset")
			same(describe(record), describe(written[i]), "record ", i)
			same(record.Attrs.CompressionType(), number, "codec")
			same(record.LeaderEpoch, int32(0), "leader epoch")
		}
		expectCodec(topic, name)
	})
}

func checkRecords() {
	carries(0, "none", kgo.NoCompression())
	carries(1, "gzip", kgo.GzipCompression())
	carries(2, "snappy", kgo.SnappyCompression())
	carries(3, "lz4", kgo.Lz4Compression())
	carries(4, "zstd", kgo.ZstdCompression())

	check("writes with acks 0, 1 and all", func(s *scope) {
		topic := unique("acks")
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 0, 1), kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
		send(s, numbers(topic, 1, 2), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
		send(s, numbers(topic, 2, 3), kgo.RequiredAcks(kgo.AllISRAcks()))
		same(values(startMember(s, kgo.ConsumeTopics(topic)).atLeast(3)), texts(0, 3))
	})

	check("writes idempotently over several partitions, once each and in order", func(s *scope) {
		topic := unique("idempotent")
		createTopic(s, topic, 3, nil)
		records := numbers(topic, 0, 3000)
		for i, record := range records {
			record.Partition = int32(i % 3)
		}
		send(s, records, kgo.ProducerBatchMaxBytes(1024))
		read := startMember(s, kgo.ConsumeTopics(topic)).atLeast(3000)
		same(len(read), 3000)
		next := [3]int64{}
		for _, record := range read {
			same(record.Offset, next[record.Partition], "offset")
			same(string(record.Value), fmt.Sprint(record.Offset*3+int64(record.Partition)), "value")
			next[record.Partition]++
		}
	})

	check("writes from sixteen clients at a time, each in its order", func(s *scope) {
		topic := unique("many-clients")
		createTopic(s, topic, 4, nil)
		var group sync.WaitGroup
		problems := make([]error, 16)
		for writer := range 16 {
			producer := client(s, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerBatchMaxBytes(2048))
			group.Go(func() {
				for round := range 50 {
					record := &kgo.Record{Topic: topic, Key: fmt.Append(nil, writer), Value: fmt.Append(nil, round)}
					if err := producer.ProduceSync(everything, record).FirstErr(); err != nil {
						problems[writer] = err
						return
					}
				}
			})
		}
		group.Wait()
		must(errors.Join(problems...))
		rounds := map[string]int{}
		for _, record := range startMember(s, kgo.ConsumeTopics(topic)).atLeast(800) {
			same(string(record.Value), fmt.Sprint(rounds[string(record.Key)]), "round of writer ", string(record.Key))
			rounds[string(record.Key)]++
		}
	})

	check("reads the time of arrival when the topic wants it", func(s *scope) {
		topic := unique("append-time")
		createTopic(s, topic, 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
		before := time.Now()
		send(s, []*kgo.Record{{Topic: topic, Value: []byte("now"), Timestamp: before.Add(-time.Hour)}})
		record := startMember(s, kgo.ConsumeTopics(topic)).atLeast(1)[0]
		same(record.Attrs.TimestampType(), int8(1))
		same(record.Timestamp.Sub(before).Abs() < 5*time.Second, true, record.Timestamp)
	})

	check("is refused what is too large, has no key on a compacted topic, or is too old", func(s *scope) {
		small, compacted, recent := unique("small"), unique("compacted"), unique("recent")
		createTopic(s, small, 1, map[string]string{"max.message.bytes": "1000"})
		createTopic(s, compacted, 1, map[string]string{"cleanup.policy": "compact"})
		createTopic(s, recent, 1, map[string]string{"message.timestamp.before.max.ms": "1000"})
		producer := client(s, kgo.ProducerBatchCompression(kgo.NoCompression()))
		errorOf := func(record *kgo.Record) error { return producer.ProduceSync(everything, record).FirstErr() }
		expect := func(record *kgo.Record, expected error) {
			if found := errorOf(record); !errors.Is(found, expected) {
				fail("%v, not %v", found, expected)
			}
		}
		expect(&kgo.Record{Topic: small, Value: make([]byte, 2000)}, kerr.MessageTooLarge)
		expect(&kgo.Record{Topic: small, Value: make([]byte, 500)}, nil)
		expect(&kgo.Record{Topic: compacted, Value: []byte("no key")}, kerr.InvalidRecord)
		expect(&kgo.Record{Topic: compacted, Key: []byte("key")}, nil)
		expect(&kgo.Record{Topic: recent, Timestamp: time.Now().Add(-time.Hour)}, kerr.InvalidTimestamp)
		expect(&kgo.Record{Topic: recent}, nil)
	})

	check("creates a topic by writing to it, if it may", func(s *scope) {
		topic := unique("auto-created")
		send(s, numbers(topic, 0, 1), kgo.AllowAutoTopicCreation())
		same(values(startMember(s, kgo.ConsumeTopics(topic)).atLeast(1)), texts(0, 1))
		strict := client(s, kgo.UnknownTopicRetries(1))
		err := strict.ProduceSync(everything, &kgo.Record{Topic: unique("never-created")}).FirstErr()
		same(errors.Is(err, kerr.UnknownTopicOrPartition), true, err)
	})

	check("reads from an offset, relative to the end, and after a time", func(s *scope) {
		topic := unique("positions")
		createTopic(s, topic, 1, nil)
		first := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
		records := numbers(topic, 0, 10)
		for i, record := range records {
			record.Timestamp = first.Add(time.Duration(i) * time.Second)
		}
		send(s, records)
		from := func(offset kgo.Offset, count int) []string {
			partitions := map[string]map[int32]kgo.Offset{topic: {0: offset}}
			return values(startMember(s, kgo.ConsumePartitions(partitions)).atLeast(count))
		}
		same(from(kgo.NewOffset().At(7), 3), texts(7, 10))
		same(from(kgo.NewOffset().AtEnd().Relative(-4), 4), texts(6, 10))
		same(from(kgo.NewOffset().AfterMilli(first.Add(3500*time.Millisecond).UnixMilli()), 6), texts(4, 10))
		same(from(kgo.NewOffset().At(1000), 10), texts(0, 10), "out of range, so the start")
	})

	check("reads many partitions through a fetch session, with and without one", func(s *scope) {
		topic := unique("sessions")
		createTopic(s, topic, 20, nil)
		with := startMember(s, kgo.ConsumeTopics(topic))
		without := startMember(s, kgo.ConsumeTopics(topic), kgo.DisableFetchSessions())
		small := startMember(s, kgo.ConsumeTopics(topic), kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1))
		producer := client(s, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for i := range 200 {
			record := &kgo.Record{Topic: topic, Partition: int32(i % 20), Value: fmt.Append(nil, i)}
			must(producer.ProduceSync(everything, record).FirstErr())
		}
		for _, reader := range []*member{with, without, small} {
			next := map[int32]int64{}
			for _, record := range reader.atLeast(200) {
				same(record.Offset, next[record.Partition], "offset")
				same(string(record.Value), fmt.Sprint(record.Offset*20+int64(record.Partition)), "value")
				next[record.Partition]++
			}
			same(len(reader.seen()), 200)
		}
	})

	check("reads on under the same name when the topic is deleted and created again", func(s *scope) {
		topic := unique("again")
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 0, 3))
		same(values(startMember(s, kgo.ConsumeTopics(topic)).atLeast(3)), texts(0, 3))
		need(admin(s).DeleteTopic(everything, topic))
		until(func() string { return "the topic to go" }, func() bool {
			return !need(admin(s).ListTopics(everything)).Has(topic)
		})
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 10, 12))
		same(values(startMember(s, kgo.ConsumeTopics(topic)).atLeast(2)), texts(10, 12))
	})
}
