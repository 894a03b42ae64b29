package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func expectError(found, expected error) {
	if !errors.Is(found, expected) {
		fail("%v, not %v", found, expected)
	}
}

// eventually is for what Apache Kafka's broker shows a moment after its controller has done it.
func eventually(what string, body func() bool) { until(func() string { return what }, body) }

func checkAdministration() {
	check("describes the cluster, its versions and its quorum", func(s *scope) {
		described := need(admin(s).BrokerMetadata(everything))
		same(len(described.Brokers), 1)
		same(fmt.Sprintf("%s:%d", described.Brokers[0].Host, described.Brokers[0].Port), bootstrap)
		same(described.Controller, described.Brokers[0].NodeID)
		same(len(described.Cluster), 22)
		cluster := need(kmsg.NewPtrDescribeClusterRequest().RequestWith(everything, client(s)))
		same(cluster.ClusterID, described.Cluster)
		same(len(cluster.Brokers), 1)
		versions := need(admin(s).ApiVersions(everything))
		for _, broker := range versions {
			must(broker.Err)
			latest, _ := broker.KeyMaxVersion(int16(kmsg.Produce))
			same(latest >= 11, true, "Produce ", latest)
		}
		quorum := kmsg.NewPtrDescribeQuorumRequest()
		topic := kmsg.NewDescribeQuorumRequestTopic()
		topic.Topic = "__cluster_metadata"
		topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
		quorum.Topics = append(quorum.Topics, topic)
		answer := need(quorum.RequestWith(everything, client(s)))
		same(answer.ErrorCode, int16(0))
		same(answer.Topics[0].Partitions[0].LeaderID, described.Controller)
		same(answer.Topics[0].Partitions[0].HighWatermark > 0, true)
	})

	check("creates, lists, describes, widens and deletes topics", func(s *scope) {
		topic, second := unique("topics"), unique("topics-second")
		must(need(admin(s).ValidateCreateTopics(everything, 2, 1, nil, topic)).Error())
		same(need(admin(s).ListTopics(everything)).Has(topic), false, "only validated")
		createTopic(s, topic, 2, map[string]string{"retention.ms": "123456"})
		created := need(admin(s).CreateTopics(everything, -1, -1, nil, topic, second, unique("bad name")))
		expectError(created[topic].Err, kerr.TopicAlreadyExists)
		expectError(created[unique("bad name")].Err, kerr.InvalidTopicException)
		must(created[second].Err)
		same(created[second].NumPartitions, int32(1))
		same(*created[second].Configs["cleanup.policy"].Value, "delete")
		listed := need(admin(s).ListTopics(everything))
		same(len(listed[topic].Partitions), 2)
		same(listed[topic].Partitions[1].ISR, listed[topic].Partitions[1].Replicas)
		must(need(admin(s).UpdatePartitions(everything, 5, topic)).Error())
		eventually("five partitions", func() bool {
			return len(need(admin(s).ListTopics(everything))[topic].Partitions) == 5
		})
		expectError(need(admin(s).UpdatePartitions(everything, 2, topic))[topic].Err, kerr.InvalidPartitions)
		same(need(admin(s).ListTopics(everything))[topic].ID, listed[topic].ID, "the id stays")
		must(need(admin(s).DeleteTopics(everything, topic, second)).Error())
		eventually("the topics to go", func() bool {
			left := need(admin(s).ListTopics(everything))
			return !left.Has(topic) && !left.Has(second)
		})
		expectError(need(admin(s).DeleteTopics(everything, topic))[topic].Err, kerr.UnknownTopicOrPartition)
	})

	check("alters configs of a topic step by step and as a whole", func(s *scope) {
		topic := unique("configs")
		createTopic(s, topic, 1, nil)
		describe := func() map[string]*kadm.Config {
			found := map[string]*kadm.Config{}
			described := need(need(admin(s).DescribeTopicConfigs(everything, topic)).On(topic, nil))
			must(described.Err)
			for _, config := range described.Configs {
				found[config.Key] = &config
			}
			return found
		}
		alter := func(op kadm.IncrementalOp, name string, value string) error {
			change := []kadm.AlterConfig{{Op: op, Name: name, Value: &value}}
			return need(admin(s).AlterTopicConfigs(everything, change, topic))[0].Err
		}
		must(alter(kadm.SetConfig, "retention.ms", "1000000"))
		must(alter(kadm.AppendConfig, "cleanup.policy", "compact"))
		eventually("the append", func() bool { return describe()["cleanup.policy"].MaybeValue() == "delete,compact" })
		same(describe()["retention.ms"].MaybeValue(), "1000000")
		same(describe()["retention.ms"].Source, kmsg.ConfigSourceDynamicTopicConfig)
		same(describe()["segment.bytes"].Source, kmsg.ConfigSourceDefaultConfig)
		must(alter(kadm.SubtractConfig, "cleanup.policy", "delete"))
		eventually("the subtraction", func() bool { return describe()["cleanup.policy"].MaybeValue() == "compact" })
		expectError(alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig)
		state := []kadm.AlterConfig{{Name: "segment.bytes", Value: kadm.StringPtr("2000000")}}
		whole := need(admin(s).AlterTopicConfigsState(everything, state, topic))
		must(whole[0].Err)
		eventually("the whole", func() bool { return describe()["segment.bytes"].MaybeValue() == "2000000" })
		same(describe()["retention.ms"].Source, kmsg.ConfigSourceDefaultConfig, "altering as a whole drops the rest")
	})

	check("alters a config of the broker and of the whole cluster", func(s *scope) {
		node := need(admin(s).BrokerMetadata(everything)).Brokers[0].NodeID
		value := func() *kadm.Config {
			described := need(admin(s).DescribeBrokerConfigs(everything, node))
			for _, config := range described[0].Configs {
				if config.Key == "log.cleaner.threads" {
					return &config
				}
			}
			fail("no log.cleaner.threads")
			return nil
		}
		alter := func(op kadm.IncrementalOp, to string, brokers ...int32) {
			change := []kadm.AlterConfig{{Op: op, Name: "log.cleaner.threads", Value: &to}}
			altered := need(admin(s).AlterBrokerConfigs(everything, change, brokers...))
			must(altered[0].Err, altered[0].ErrMessage)
		}
		same(value().MaybeValue(), "1")
		alter(kadm.SetConfig, "2")
		eventually("the value for all", func() bool { return value().MaybeValue() == "2" })
		same(value().Source, kmsg.ConfigSourceDynamicDefaultBrokerConfig)
		alter(kadm.SetConfig, "1", node)
		eventually("the value for one", func() bool { return value().MaybeValue() == "1" })
		same(value().Source, kmsg.ConfigSourceDynamicBrokerConfig)
		alter(kadm.DeleteConfig, "", node)
		alter(kadm.DeleteConfig, "")
		eventually("the default", func() bool { return value().Source == kmsg.ConfigSourceDefaultConfig })
	})

	check("lists offsets of every kind and the end of an epoch", func(s *scope) {
		topic := unique("offsets")
		createTopic(s, topic, 1, nil)
		first := time.Now().Add(-100 * time.Second).Truncate(time.Millisecond)
		records := numbers(topic, 0, 3)
		for i, second := range []int{0, 5, 3} {
			records[i].Timestamp = first.Add(time.Duration(second) * time.Second)
		}
		send(s, records)
		one := func(listed kadm.ListedOffsets, err error) []int64 {
			must(err)
			must(listed.Error())
			found, _ := listed.Lookup(topic, 0)
			return []int64{found.Offset, found.Timestamp}
		}
		latest := first.Add(5 * time.Second).UnixMilli()
		same(one(admin(s).ListStartOffsets(everything, topic)), []int64{0, -1})
		same(one(admin(s).ListEndOffsets(everything, topic)), []int64{3, -1})
		same(one(admin(s).ListCommittedOffsets(everything, topic)), []int64{3, -1})
		same(one(admin(s).ListLocalLogStartOffsets(everything, topic)), []int64{0, -1})
		same(one(admin(s).ListMaxTimestampOffsets(everything, topic)), []int64{1, latest})
		same(one(admin(s).ListOffsetsAfterMilli(everything, first.UnixMilli()+1, topic)), []int64{1, latest})
		var epochs kadm.OffsetForLeaderEpochRequest
		epochs.Add(topic, 0, 0)
		ends := need(admin(s).OffsetForLeaderEpoch(everything, epochs))
		same([]int64{int64(ends[topic][0].LeaderEpoch), ends[topic][0].EndOffset}, []int64{0, 3})
	})

	check("deletes records", func(s *scope) {
		topic := unique("delete-records")
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 0, 10))
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, 6, -1)
		deleted := need(admin(s).DeleteRecords(everything, offsets))
		same(deleted[topic][0].LowWatermark, int64(6))
		same(values(startMember(s, kgo.ConsumeTopics(topic)).atLeast(4)), texts(6, 10))
		beyond := kadm.Offsets{}
		beyond.AddOffset(topic, 0, 100, -1)
		expectError(need(admin(s).DeleteRecords(everything, beyond))[topic][0].Err, kerr.OffsetOutOfRange)
	})

	check("commits, fetches, alters and deletes offsets of a group, and tells its lag", func(s *scope) {
		topic, group := unique("commits"), unique("commits-group")
		createTopic(s, topic, 2, nil)
		send(s, numbers(topic, 0, 10))
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 4, LeaderEpoch: 0, Metadata: "a note"})
		offsets.AddOffset(topic, 1, 0, -1)
		must(admin(s).CommitAllOffsets(everything, group, offsets))
		fetched := need(admin(s).FetchOffsets(everything, group))
		found, _ := fetched.Lookup(topic, 0)
		same([]any{found.At, found.LeaderEpoch, found.Metadata}, []any{int64(4), int32(0), "a note"})
		many := admin(s).FetchManyOffsets(everything, group, unique("no-group"))
		must(many.Error())
		same(len(many[group].Fetched[topic]), 2)
		lags := need(admin(s).Lag(everything, group))
		same([]any{lags[group].State, lags[group].Lag[topic][0].Lag}, []any{"Empty", int64(6)})
		same(values(startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic)).atLeast(6)), texts(4, 10))
		set := kadm.TopicsSet{}
		set.Add(topic, 0)
		refused := need(admin(s).DeleteOffsets(everything, group, set))
		expectError(refused[topic][0], kerr.GroupSubscribedToTopic)
	})

	check("lists, describes and deletes groups", func(s *scope) {
		topic, group := unique("groups"), unique("groups-group")
		createTopic(s, topic, 1, nil)
		reader := startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID(unique("groups-client")))
		settle([]*member{reader}, 1)
		listed := need(admin(s).ListGroups(everything, "Stable"))
		same([]string{listed[group].ProtocolType, listed[group].State}, []string{"consumer", "Stable"})
		described := need(admin(s).DescribeGroups(everything, group, unique("no-group")))
		same(described[group].Members[0].ClientID, unique("groups-client"))
		same(strings.HasPrefix(described[group].Members[0].ClientHost, "/"), true, described[group].Members[0].ClientHost)
		same(described[unique("no-group")].State, "Dead")
		expectError(need(admin(s).DeleteGroups(everything, group))[group].Err, kerr.NonEmptyGroup)
		reader.stop()
		must(need(admin(s).DeleteGroups(everything, group))[group].Err)
		expectError(need(admin(s).DeleteGroups(everything, group))[group].Err, kerr.GroupIDNotFound)
		found := admin(s).FindGroupCoordinators(everything, group)
		same(fmt.Sprintf("%s:%d", found[group].Host, found[group].Port), bootstrap)
	})

	check("describes producers, log directories and reassignments", func(s *scope) {
		topic := unique("describes")
		createTopic(s, topic, 1, nil)
		producer := client(s)
		must(producer.ProduceSync(everything, numbers(topic, 0, 5)...).FirstErr())
		id, epoch, err := producer.ProducerID(everything)
		must(err)
		set := kadm.TopicsSet{}
		set.Add(topic, 0)
		described := need(admin(s).DescribeProducers(everything, set))
		active := described[topic].Partitions[0].ActiveProducers
		same(len(active), 1)
		for _, one := range active {
			same([]any{one.ProducerID, one.ProducerEpoch, one.LastSequence}, []any{id, epoch, int32(4)})
		}
		directories := need(admin(s).DescribeAllLogDirs(everything, set))
		directories.Each(func(one kadm.DescribedLogDir) {
			must(one.Err)
			same(strings.HasPrefix(one.Dir, "/"), true, one.Dir)
			same(one.Topics[topic][0].Size > 0, true)
			same(one.TotalBytes > one.UsableBytes && one.UsableBytes > 0, true)
		})
		same(len(directories), 1)
		reassignments := need(admin(s).ListPartitionReassignments(everything, set))
		same(len(reassignments[topic]), 0)
		elected := need(admin(s).ElectLeaders(everything, kadm.ElectPreferredReplica, set))
		expectError(elected[topic][0].Err, kerr.ElectionNotNeeded)
	})
}
