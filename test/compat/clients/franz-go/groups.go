package main

import (
	"errors"
	"fmt"
	"sort"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func shares(name string, balancer kgo.GroupBalancer) {
	check(fmt.Sprintf("shares partitions among one, two and three members by %s", name), func(s *scope) {
		topic, group := unique("shares-"+name), unique("shares-"+name+"-group")
		createTopic(s, topic, 6, nil)
		members := []*member{}
		for _, sizes := range [][]int{{6}, {3, 3}, {2, 2, 2}} {
			members = append(members,
				startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer)))
			settle(members, sizes...)
		}
		records := numbers(topic, 0, 60)
		for i, record := range records {
			record.Partition = int32(i % 6)
		}
		send(s, records)
		read := func() []*kgo.Record {
			found := []*kgo.Record{}
			for _, one := range members {
				found = append(found, one.seen()...)
			}
			return found
		}
		until(func() string { return fmt.Sprintf("%d of 60 records", len(read())) }, func() bool { return len(read()) >= 60 })
		found := values(read())
		sort.Slice(found, func(i, j int) bool { return fmt.Sprintf("%3s", found[i]) < fmt.Sprintf("%3s", found[j]) })
		same(found, texts(0, 60))
		described := need(admin(s).DescribeGroups(everything, group))[group]
		must(described.Err)
		same([]string{described.State, described.ProtocolType, described.Protocol},
			[]string{"Stable", "consumer", balancer.ProtocolName()})
		owned := map[string]int{}
		for _, one := range described.Members {
			assignment, _ := one.Assigned.AsConsumer()
			for _, assigned := range assignment.Topics {
				owned[fmt.Sprint(assigned.Partitions)]++
			}
		}
		for _, one := range members {
			same(owned[fmt.Sprint(one.partitions())], 1, "the description has what each member owns")
		}
		members[0].stop()
		settle(members[1:], 3, 3)
		members[1].stop()
		settle(members[2:], 6)
	})
}

func checkGroups() {
	shares("range", kgo.RangeBalancer())
	shares("roundrobin", kgo.RoundRobinBalancer())
	shares("sticky", kgo.StickyBalancer())
	shares("cooperative-sticky", kgo.CooperativeStickyBalancer())

	check("members with different preferences agree on what both know", func(s *scope) {
		topic, group := unique("agree"), unique("agree-group")
		createTopic(s, topic, 2, nil)
		join := func(balancers ...kgo.GroupBalancer) *member {
			return startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancers...))
		}
		first := join(kgo.StickyBalancer(), kgo.RangeBalancer())
		settle([]*member{first}, 2)
		settle([]*member{first, join(kgo.RoundRobinBalancer(), kgo.RangeBalancer())}, 1, 1)
		same(need(admin(s).DescribeGroups(everything, group))[group].Protocol, "range")
		stranger := join(kgo.RoundRobinBalancer())
		until(func() string { return fmt.Sprint("a refusal, not ", stranger.problems()) }, func() bool {
			for _, err := range stranger.problems() {
				if errors.Is(err, kerr.InconsistentGroupProtocol) {
					return true
				}
			}
			return false
		})
	})

	check("a static member that comes back takes its partitions without a rebalance", func(s *scope) {
		topic, group := unique("static"), unique("static-group")
		createTopic(s, topic, 2, nil)
		join := func(instance string) *member {
			return startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.InstanceID(instance),
				kgo.Balancers(kgo.RangeBalancer()))
		}
		first, second := join("first"), join("second")
		settle([]*member{first, second}, 1, 1)
		owned, assignments := first.partitions(), second.times()
		first.stop() // a static member does not leave the group when it closes
		returned := join("first")
		until(func() string { return fmt.Sprint(owned, ", not ", returned.partitions()) }, func() bool {
			return fmt.Sprint(returned.partitions()) == fmt.Sprint(owned)
		})
		same(second.times(), assignments, "the other member does not notice")
		described := need(admin(s).DescribeGroups(everything, group))[group]
		instances := []string{}
		for _, one := range described.Members {
			instances = append(instances, *one.InstanceID)
		}
		sort.Strings(instances)
		same(instances, []string{"first", "second"})
		left := need(admin(s).LeaveGroup(everything, kadm.LeaveGroup(group).InstanceIDs("first").Reason("is removed")))
		must(left["first"].Err)
		settle([]*member{second}, 2)
	})

	check("a second member with the same instance id fences the first", func(s *scope) {
		topic, group := unique("fenced"), unique("fenced-group")
		createTopic(s, topic, 1, nil)
		join := func() *member {
			return startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.InstanceID("only"))
		}
		first := join()
		settle([]*member{first}, 1)
		second := join()
		settle([]*member{second}, 1)
		until(func() string { return fmt.Sprint("the first to be fenced, not ", first.problems()) }, func() bool {
			for _, err := range first.problems() {
				if errors.Is(err, kerr.FencedInstanceID) {
					return true
				}
			}
			return false
		})
	})

	check("goes on where the group committed", func(s *scope) {
		topic, group := unique("resume"), unique("resume-group")
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 0, 10))
		join := func() *member { return startMember(s, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic)) }
		first := join()
		same(values(first.atLeast(10)), texts(0, 10))
		first.stop()
		send(s, numbers(topic, 10, 15))
		same(values(join().atLeast(5)), texts(10, 15))
	})

	check("starts at the start or the end, or fails, when nothing is committed", func(s *scope) {
		topic := unique("reset")
		createTopic(s, topic, 1, nil)
		send(s, numbers(topic, 0, 3))
		start := func(name string, offset kgo.Offset) *member {
			one := startMember(s, kgo.ConsumerGroup(unique("reset-"+name)), kgo.ConsumeTopics(topic),
				kgo.ConsumeStartOffset(offset))
			settle([]*member{one}, 1)
			return one
		}
		same(values(start("start", kgo.NewOffset().AtStart()).atLeast(3)), texts(0, 3))
		end := start("end", kgo.NewOffset().AtEnd())
		// Nothing says when the position at the end is taken: write until something is read.
		written := 3
		until(func() string { return "a record" }, func() bool {
			send(s, numbers(topic, written, written+1))
			written++
			return len(end.seen()) > 0
		})
		same(end.seen()[0].Offset >= 3, true, end.seen()[0].Offset)
		same(start("exact", kgo.NewOffset().AtCommitted()).problems() != nil, true)
	})

	check("subscribes to a pattern and finds a topic that comes later", func(s *scope) {
		createTopic(s, unique("pattern-a"), 1, nil)
		one := startMember(s, kgo.ConsumerGroup(unique("pattern-group")), kgo.ConsumeRegex(),
			kgo.ConsumeTopics("^"+unique("pattern-")+".*"), kgo.MetadataMaxAge(500_000_000))
		send(s, numbers(unique("pattern-a"), 0, 1))
		one.atLeast(1)
		createTopic(s, unique("pattern-b"), 1, nil)
		send(s, numbers(unique("pattern-b"), 1, 2))
		same(values(one.atLeast(2)), texts(0, 2))
	})
}
