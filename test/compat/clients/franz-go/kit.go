package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var everything = context.Background()

// client makes a client that is closed when the check is over.
func client(s *scope, options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.MetadataMinAge(20 * time.Millisecond),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.RetryTimeout(15 * time.Second),
	}, options...)
	made := need(kgo.NewClient(all...))
	s.after(made.Close)
	return made
}

func admin(s *scope) *kadm.Client { return kadm.NewClient(client(s)) }

// createTopic creates a topic and returns when its partitions have leaders.
func createTopic(s *scope, topic string, partitions int32, configs map[string]string) {
	given := map[string]*string{}
	for name, value := range configs {
		given[name] = kadm.StringPtr(value)
	}
	created := need(admin(s).CreateTopic(everything, partitions, 1, given, topic))
	same(created.NumPartitions, partitions, "partitions in the answer of CreateTopics")
	until(func() string { return "topic " + topic }, func() bool {
		found, err := admin(s).Metadata(everything, topic)
		if err != nil || found.Topics[topic].Err != nil || len(found.Topics[topic].Partitions) != int(partitions) {
			return false
		}
		for _, partition := range found.Topics[topic].Partitions {
			if partition.Err != nil || partition.Leader < 0 {
				return false
			}
		}
		return true
	})
}

// send writes records and returns when all of them are acknowledged.
func send(s *scope, records []*kgo.Record, options ...kgo.Opt) {
	options = append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)
	must(client(s, options...).ProduceSync(everything, records...).FirstErr(), "produce")
}

func numbers(topic string, from, to int) []*kgo.Record {
	records := []*kgo.Record{}
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))})
	}
	return records
}

func values(records []*kgo.Record) []string {
	found := []string{}
	for _, record := range records {
		found = append(found, string(record.Value))
	}
	return found
}

func texts(from, to int) []string { return values(numbers("", from, to)) }

// member is a consumer that reads by itself until it is stopped, in a group or without one.
type member struct {
	client      *kgo.Client
	lock        sync.Mutex
	owned       map[int32]bool
	assignments int
	records     []*kgo.Record
	errors      []error
	stopped     chan struct{}
	once        sync.Once
}

func startMember(s *scope, options ...kgo.Opt) *member {
	m := &member{owned: map[int32]bool{}, stopped: make(chan struct{})}
	take := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			m.lock.Lock()
			defer m.lock.Unlock()
			if owned {
				m.assignments++
			}
			for _, partitions := range topics {
				for _, partition := range partitions {
					if owned {
						m.owned[partition] = true
					} else {
						delete(m.owned, partition)
					}
				}
			}
		}
	}
	all := append([]kgo.Opt{kgo.ConsumeStartOffset(kgo.NewOffset().AtStart())}, options...)
	m.client = client(&scope{}, append(all, groupOptions(options, take)...)...)
	s.after(m.stop)
	go m.read()
	return m
}

// groupOptions are those of every member of a group; a client without a group refuses them.
func groupOptions(options []kgo.Opt, take func(bool) func(context.Context, *kgo.Client, map[string][]int32)) []kgo.Opt {
	for _, option := range options {
		if _, isGroup := option.(kgo.GroupOpt); isGroup {
			return []kgo.Opt{
				kgo.SessionTimeout(10 * time.Second),
				kgo.RebalanceTimeout(10 * time.Second),
				kgo.HeartbeatInterval(200 * time.Millisecond),
				kgo.OnPartitionsAssigned(take(true)),
				kgo.OnPartitionsRevoked(take(false)),
				kgo.OnPartitionsLost(take(false)),
			}
		}
	}
	return nil
}

func (m *member) read() {
	defer close(m.stopped)
	for {
		fetches := m.client.PollFetches(everything)
		if fetches.IsClientClosed() {
			return
		}
		m.lock.Lock()
		m.records = append(m.records, fetches.Records()...)
		fetches.EachError(func(_ string, _ int32, err error) { m.errors = append(m.errors, err) })
		m.lock.Unlock()
	}
}

// stop leaves the group and commits what was read.
func (m *member) stop() {
	m.once.Do(func() {
		_ = m.client.CommitUncommittedOffsets(everything)
		m.client.Close()
		<-m.stopped
	})
}

func (m *member) partitions() []int32 {
	m.lock.Lock()
	defer m.lock.Unlock()
	found := []int32{}
	for partition := range m.owned {
		found = append(found, partition)
	}
	sort.Slice(found, func(i, j int) bool { return found[i] < found[j] })
	return found
}

func (m *member) seen() []*kgo.Record {
	m.lock.Lock()
	defer m.lock.Unlock()
	return append([]*kgo.Record{}, m.records...)
}

func (m *member) problems() []error {
	m.lock.Lock()
	defer m.lock.Unlock()
	return append([]error{}, m.errors...)
}

func (m *member) times() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.assignments
}

// atLeast waits for so many records and returns all that have come.
func (m *member) atLeast(count int) []*kgo.Record {
	until(
		func() string { return fmt.Sprintf("%d of %d records, errors %v", len(m.seen()), count, m.problems()) },
		func() bool { return len(m.seen()) >= count },
	)
	return m.seen()
}

// settle waits until the members own shares of these sizes, with every partition once.
func settle(members []*member, shares ...int) {
	sort.Ints(shares)
	var sizes []int
	var owned []int32
	until(
		func() string { return fmt.Sprintf("shares %v, not %v of %v", shares, sizes, owned) },
		func() bool {
			sizes, owned = nil, nil
			for _, one := range members {
				partitions := one.partitions()
				sizes, owned = append(sizes, len(partitions)), append(owned, partitions...)
			}
			sort.Ints(sizes)
			sort.Slice(owned, func(i, j int) bool { return owned[i] < owned[j] })
			if fmt.Sprint(sizes) != fmt.Sprint(shares) {
				return false
			}
			for i, partition := range owned {
				if partition != int32(i) {
					return false
				}
			}
			return true
		},
	)
}
