package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"stele/clients/checks"
)

var consumeChecks = []checks.Check{
	{Claim: "a_response_keeps_its_limits_but_for_the_first_batch", Shows: limitsHold},
	{Claim: "a_fetch_that_waits_ends_with_its_topic", Shows: waitEndsWithTopic},
	{Claim: "consuming_starts_at_any_offset", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			start := map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(42)}}
			fill := func(client *kgo.Client) error { return produce(ctx, client, topic, numbered(100)...) }
			if err := withClient(fill); err != nil {
				return err
			}
			return withClient(func(client *kgo.Client) error {
				found, err := poll(ctx, client, 58)
				if err != nil {
					return err
				}
				return checks.Equal(found[0].Offset, int64(42))
			}, kgo.ConsumePartitions(start))
		})
	}},
	{Claim: "a_group_goes_on_from_what_it_committed", Shows: commitAndResume},
	{Claim: "two_members_share_the_partitions_and_one_takes_over", Shows: func(ctx context.Context) error {
		return sharedByTwo(ctx, kgo.CooperativeStickyBalancer())
	}},
	{Claim: "eager_members_share_the_partitions_too", Shows: func(ctx context.Context) error {
		return sharedByTwo(ctx, kgo.RangeBalancer())
	}},
	{Claim: "static_members_keep_their_partition_across_a_restart", Shows: staticMember},
}

func commitAndResume(ctx context.Context) error {
	group := checks.Unique("group")
	return withTopic(ctx, 1, func(topic string) error {
		member := func(do func(*kgo.Client) error) error {
			return withClient(do, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
		}
		err := member(func(client *kgo.Client) error {
			if err := produce(ctx, client, topic, numbered(10)...); err != nil {
				return err
			}
			found, err := poll(ctx, client, 10)
			if err != nil {
				return err
			}
			return client.CommitRecords(ctx, found[4])
		})
		if err != nil {
			return err
		}
		return member(func(client *kgo.Client) error {
			found, err := poll(ctx, client, 5)
			if err != nil {
				return err
			}
			return checks.Equal(found[0].Offset, int64(5))
		})
	})
}

// member is a group member that records its assignments.
type member struct {
	client   *kgo.Client
	assigned chan map[int32]bool
	stop     context.CancelFunc
}

func join(ctx context.Context, group, topic string, options ...kgo.Opt) (*member, error) {
	joined := &member{assigned: make(chan map[int32]bool, 1)}
	joined.assigned <- map[int32]bool{}
	change := func(present bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			held := <-joined.assigned
			for _, partition := range changed[topic] {
				if present {
					held[partition] = true
				} else {
					delete(held, partition)
				}
			}
			joined.assigned <- held
		}
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.SessionTimeout(10 * time.Second), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	}, options...)...)
	if err != nil {
		return nil, err
	}
	joined.client = client
	polling, stop := context.WithCancel(ctx)
	joined.stop = stop
	go func() {
		for polling.Err() == nil {
			client.PollFetches(polling)
		}
	}()
	return joined, nil
}

func (m *member) leave() {
	m.stop()
	m.client.Close()
}

func (m *member) held() []int32 {
	held := <-m.assigned
	var partitions []int32
	for partition := range held {
		partitions = append(partitions, partition)
	}
	m.assigned <- held
	return partitions
}

func (m *member) holds(count int) func() (bool, error) {
	return func() (bool, error) { return len(m.held()) == count, nil }
}

func sharedByTwo(ctx context.Context, balancer kgo.GroupBalancer) error {
	return withTopic(ctx, 2, func(topic string) error {
		group := checks.Unique("group")
		first, err := join(ctx, group, topic, kgo.Balancers(balancer))
		if err != nil {
			return err
		}
		defer first.leave()
		if err := checks.Eventually(ctx, first.holds(2)); err != nil {
			return err
		}
		second, err := join(ctx, group, topic, kgo.Balancers(balancer))
		if err != nil {
			return err
		}
		both := func() (bool, error) { return len(first.held()) == 1 && len(second.held()) == 1, nil }
		if err := checks.Eventually(ctx, both); err != nil {
			second.leave()
			return err
		}
		if first.held()[0] == second.held()[0] {
			return fmt.Errorf("both hold partition %d", first.held()[0])
		}
		second.leave()
		return checks.Eventually(ctx, first.holds(2))
	})
}

func staticMember(ctx context.Context) error {
	return withTopic(ctx, 2, func(topic string) error {
		group := checks.Unique("group")
		other, err := join(ctx, group, topic, kgo.InstanceID("other"))
		if err != nil {
			return err
		}
		defer other.leave()
		mine, err := join(ctx, group, topic, kgo.InstanceID("mine"))
		if err != nil {
			return err
		}
		both := func() (bool, error) { return len(other.held()) == 1 && len(mine.held()) == 1, nil }
		if err := checks.Eventually(ctx, both); err != nil {
			mine.leave()
			return err
		}
		before := mine.held()[0]
		mine.leave()
		again, err := join(ctx, group, topic, kgo.InstanceID("mine"))
		if err != nil {
			return err
		}
		defer again.leave()
		if err := checks.Eventually(ctx, again.holds(1)); err != nil {
			return err
		}
		if err := checks.Equal(again.held()[0], before); err != nil {
			return err
		}
		described, err := kadm.NewClient(other.client).DescribeGroups(ctx, group)
		if err != nil {
			return err
		}
		return checks.Equal(len(described[group].Members), 2)
	})
}

// Otherwise a client with a strict limit on responses would drop the connection.
func limitsHold(ctx context.Context) error {
	const partitions, size = 10, 900_000
	return withTopic(ctx, partitions, func(topic string) error {
		return withClient(func(client *kgo.Client) error {
			records := make([]*kgo.Record, partitions)
			for partition := range records {
				records[partition] = &kgo.Record{Topic: topic, Partition: int32(partition), Value: make([]byte, size)}
			}
			if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
				return err
			}
			for _, limits := range [][2]int32{{1_000_000, 10_000_000}, {50_000_000, 1_000}} {
				found, err := fetchedBytes(ctx, client, topic, partitions, limits[0], limits[1])
				if err != nil {
					return err
				}
				if found < size || found > 1_010_000 {
					return fmt.Errorf("%d bytes came within %v", found, limits)
				}
			}
			return nil
		}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	})
}

// fetchedBytes fetches all partitions once from their beginning, and counts the bytes of records.
func fetchedBytes(ctx context.Context, client *kgo.Client, topic string, partitions int, bytesMax, partitionBytesMax int32) (int, error) {
	request, err := fetchRequest(ctx, client, topic, partitions, partitionBytesMax)
	if err != nil {
		return 0, err
	}
	request.MaxBytes = bytesMax
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return 0, err
	}
	found := 0
	for _, topic := range response.Topics {
		for _, partition := range topic.Partitions {
			found += len(partition.RecordBatches)
		}
	}
	return found, nil
}

// fetchRequest makes a request for partitions from their beginning.
func fetchRequest(ctx context.Context, client *kgo.Client, topic string, partitions int, partitionBytesMax int32) (*kmsg.FetchRequest, error) {
	details, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	asked := kmsg.NewFetchRequestTopic()
	asked.Topic, asked.TopicID = topic, details[topic].ID
	for partition := range partitions {
		one := kmsg.NewFetchRequestTopicPartition()
		one.Partition, one.PartitionMaxBytes = int32(partition), partitionBytesMax
		asked.Partitions = append(asked.Partitions, one)
	}
	request := kmsg.NewPtrFetchRequest()
	request.MinBytes, request.MaxBytes, request.MaxWaitMillis = 1, 1_000_000, 1
	request.Topics = append(request.Topics, asked)
	return request, nil
}

func waitEndsWithTopic(ctx context.Context) error {
	return withClient(func(client *kgo.Client) error {
		admin, topic := kadm.NewClient(client), checks.Unique("topic")
		if _, err := admin.CreateTopic(ctx, 2, 1, nil, topic); err != nil {
			return err
		}
		request, err := fetchRequest(ctx, client, topic, 2, 1_000)
		if err != nil {
			return err
		}
		// The first one opens the connection.
		if _, err := request.RequestWith(ctx, client); err != nil {
			return err
		}
		request.MaxWaitMillis = 100_000
		ended := make(chan error, 1)
		go func() {
			response, err := request.RequestWith(ctx, client)
			if err == nil {
				err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
			}
			ended <- err
		}()
		// Once these are answered the broker has received the earlier fetch.
		for range 100 {
			if _, err := admin.ListEndOffsets(ctx, topic); err != nil {
				return err
			}
		}
		if _, err := admin.DeleteTopics(ctx, topic); err != nil {
			return err
		}
		select {
		case err := <-ended:
			if !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.UnknownTopicID) {
				return fmt.Errorf("the fetch ended with %v", err)
			}
			return nil
		case <-time.After(50 * time.Second):
			return fmt.Errorf("the fetch still waits")
		}
	})
}
