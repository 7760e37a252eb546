package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"stele/clients/checks"
)

var adminChecks = []checks.Check{
	{Claim: "the_cluster_describes_itself", Shows: func(ctx context.Context) error {
		return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
			found, err := admin.BrokerMetadata(ctx)
			if err != nil {
				return err
			}
			if found.Cluster == "" || len(found.Brokers) != 1 {
				return fmt.Errorf("found %+v", found)
			}
			broker := found.Brokers[0]
			return checks.Equal(fmt.Sprintf("%s:%d", broker.Host, broker.Port), address)
		})
	}},
	{Claim: "versions_are_announced_for_every_request_the_client_sends", Shows: func(ctx context.Context) error {
		return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
			found, err := admin.ApiVersions(ctx)
			if err != nil {
				return err
			}
			for _, broker := range found.Sorted() {
				for _, key := range []int16{0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 22, 32} {
					if _, known := broker.KeyMaxVersion(key); !known {
						return fmt.Errorf("request %d is not announced", key)
					}
				}
			}
			return nil
		})
	}},
	{Claim: "a_topic_made_twice_or_deleted_twice_is_refused", Shows: func(ctx context.Context) error {
		return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
			topic := checks.Unique("topic")
			if _, err := admin.CreateTopic(ctx, 2, -1, nil, topic); err != nil {
				return err
			}
			if _, err := admin.CreateTopic(ctx, 2, -1, nil, topic); !errors.Is(err, kerr.TopicAlreadyExists) {
				return fmt.Errorf("made twice: %v", err)
			}
			if _, err := admin.DeleteTopic(ctx, topic); err != nil {
				return err
			}
			if _, err := admin.DeleteTopic(ctx, topic); !errors.Is(err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("deleted twice: %v", err)
			}
			return nil
		})
	}},
	{Claim: "offsets_are_listed_by_place_and_by_time", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			return withAdmin(func(admin *kadm.Client, client *kgo.Client) error {
				if err := produce(ctx, client, topic, numbered(5)...); err != nil {
					return err
				}
				starts, err := admin.ListStartOffsets(ctx, topic)
				if err != nil {
					return err
				}
				ends, err := admin.ListEndOffsets(ctx, topic)
				if err != nil {
					return err
				}
				early, err := admin.ListOffsetsAfterMilli(ctx, 1, topic)
				if err != nil {
					return err
				}
				found := []int64{starts[topic][0].Offset, ends[topic][0].Offset, early[topic][0].Offset}
				return checks.Equal(found, []int64{0, 5, 0})
			})
		})
	}},
	{Claim: "the_lag_of_a_group_is_told", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			return withAdmin(func(admin *kadm.Client, client *kgo.Client) error {
				if err := produce(ctx, client, topic, numbered(5)...); err != nil {
					return err
				}
				group, offsets := checks.Unique("group"), kadm.Offsets{}
				offsets.AddOffset(topic, 0, 2, -1)
				if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
					return err
				}
				lags, err := admin.Lag(ctx, group)
				if err != nil {
					return err
				}
				if err := lags.Error(); err != nil {
					return err
				}
				return checks.Equal(lags[group].Lag.Total(), int64(3))
			})
		})
	}},
	{Claim: "the_sizes_of_partitions_are_told", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			return withAdmin(func(admin *kadm.Client, client *kgo.Client) error {
				if err := produce(ctx, client, topic, numbered(5)...); err != nil {
					return err
				}
				directories, err := admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{topic: {0: {}}})
				if err != nil {
					return err
				}
				var sizes []int64
				directories.Each(func(directory kadm.DescribedLogDir) {
					if found, known := directory.Topics.Lookup(topic, 0); known {
						sizes = append(sizes, found.Size)
					}
				})
				if len(sizes) != 1 || sizes[0] < 5*int64(len("value 0")) {
					return fmt.Errorf("found %v", sizes)
				}
				return nil
			})
		})
	}},
	{Claim: "the_producers_of_a_partition_are_told_and_no_transaction_is_open", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			return withAdmin(func(admin *kadm.Client, client *kgo.Client) error {
				if err := produce(ctx, client, topic, numbered(5)...); err != nil {
					return err
				}
				described, err := admin.DescribeProducers(ctx, kadm.TopicsSet{topic: {0: {}}})
				if err != nil {
					return err
				}
				var last []int32
				described.EachProducer(func(found kadm.DescribedProducer) { last = append(last, found.LastSequence) })
				if err := checks.Equal(last, []int32{4}); err != nil {
					return err
				}
				open, err := admin.ListTransactions(ctx, nil, []string{"Ongoing"})
				if err != nil {
					return err
				}
				return checks.Equal(len(open), 0)
			})
		})
	}},
	{Claim: "a_partition_is_moved_to_where_it_is_alone", Shows: func(ctx context.Context) error {
		return withTopic(ctx, 1, func(topic string) error {
			return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
				var here, elsewhere kadm.AlterPartitionAssignmentsReq
				here.Assign(topic, 0, []int32{1})
				elsewhere.Assign(topic, 0, []int32{2})
				moved, err := admin.AlterPartitionAssignments(ctx, here)
				if err != nil || moved.Error() != nil {
					return fmt.Errorf("to where it is: %v %v", err, moved.Error())
				}
				moved, err = admin.AlterPartitionAssignments(ctx, elsewhere)
				if err != nil || !errors.Is(moved.Error(), kerr.InvalidReplicaAssignment) {
					return fmt.Errorf("to nobody: %v %v", err, moved.Error())
				}
				return nil
			})
		})
	}},
	{Claim: "the_broker_tells_its_configuration_with_where_it_comes_from", Shows: func(ctx context.Context) error {
		return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
			found, err := admin.DescribeBrokerConfigs(ctx, 1)
			if err != nil {
				return err
			}
			for _, config := range found[0].Configs {
				if config.Key == "advertised.listeners" {
					return checks.Equal(*config.Value, "PLAINTEXT://"+address)
				}
			}
			return errors.New("no advertised.listeners")
		})
	}},
}

// A Kafka cluster would need that many brokers.
var adminChecksOfStele = []checks.Check{
	{Claim: "a_replication_factor_over_one_is_taken_and_told_as_one", Shows: func(ctx context.Context) error {
		return withAdmin(func(admin *kadm.Client, _ *kgo.Client) error {
			topic := checks.Unique("topic")
			made, err := admin.CreateTopic(ctx, 1, 3, nil, topic)
			if err != nil {
				return err
			}
			if err := checks.Equal(made.ReplicationFactor, int16(1)); err != nil {
				return err
			}
			_, err = admin.DeleteTopic(ctx, topic)
			return err
		})
	}},
}

func withAdmin(do func(*kadm.Client, *kgo.Client) error) error {
	return withClient(func(client *kgo.Client) error { return do(kadm.NewClient(client), client) })
}
