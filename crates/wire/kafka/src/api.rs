//! The APIs whose requests this crate decodes, with the shape of each.
//!
//! The versions are those of Kafka 4.1, from which version 0.18 of `kafka-protocol` is generated,
//! or fewer if that crate supports fewer. The shapes follow the `...Request.json` schemas of
//! `clients/src/main/resources/common/message` in Kafka's repository.

use std::ops::RangeInclusive;

use kafka_protocol::{messages::ApiKey, protocol::VersionRange};

use crate::{
    Error,
    shape::{
        self, BLOB, BYTES, Field, INT8, INT16, INT32, INT64, INTS, LONGS, TEXT, TEXTS, UUID, list,
        nullable,
    },
};

/// One API.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// Its key on the wire.
    pub key: ApiKey,
    /// The lowest version.
    pub version_min: i16,
    /// The highest version.
    pub version_max: i16,
    request: &'static [Field],
}

impl Api {
    const fn new(key: ApiKey, versions: (i16, i16), request: &'static [Field]) -> Self {
        Self {
            key,
            version_min: versions.0,
            version_max: versions.1,
            request,
        }
    }

    /// The versions that can be decoded.
    pub fn versions(&self) -> RangeInclusive<i16> {
        self.version_min..=self.version_max
    }

    /// Whether `version` is a flexible one (KIP-482).
    pub fn is_flexible(&self, version: i16) -> bool {
        self.key.request_header_version(version) >= 2
    }

    /// Checks that every length in `body`, a request of `version`, is correct.
    pub(crate) fn check_shape(&self, version: i16, body: &[u8]) -> Result<(), Error> {
        shape::check(self.request, version, self.is_flexible(version), body)
    }
}

/// The API `key`, if this crate decodes it.
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key as i16 == key)
}

/// The versions of an API in Kafka itself, whether decoded here or not.
pub fn known_versions(key: i16) -> Option<VersionRange> {
    ApiKey::try_from(key).ok().map(|key| key.valid_versions())
}

/// Every API that this crate decodes, by key.
pub const APIS: &[Api] = &[
    Api::new(ApiKey::Produce, (3, 13), PRODUCE),
    Api::new(ApiKey::Fetch, (4, 18), FETCH),
    Api::new(ApiKey::ListOffsets, (1, 10), LIST_OFFSETS),
    Api::new(ApiKey::Metadata, (0, 13), METADATA),
    Api::new(ApiKey::OffsetCommit, (2, 9), OFFSET_COMMIT),
    Api::new(ApiKey::OffsetFetch, (1, 9), OFFSET_FETCH),
    Api::new(ApiKey::FindCoordinator, (0, 6), FIND_COORDINATOR),
    Api::new(ApiKey::JoinGroup, (0, 9), JOIN_GROUP),
    Api::new(ApiKey::Heartbeat, (0, 4), HEARTBEAT),
    Api::new(ApiKey::LeaveGroup, (0, 5), LEAVE_GROUP),
    Api::new(ApiKey::SyncGroup, (0, 5), SYNC_GROUP),
    Api::new(ApiKey::DescribeGroups, (0, 6), DESCRIBE_GROUPS),
    Api::new(ApiKey::ListGroups, (0, 5), LIST_GROUPS),
    Api::new(ApiKey::SaslHandshake, (0, 1), &[TEXT]),
    Api::new(ApiKey::ApiVersions, (0, 4), API_VERSIONS),
    Api::new(ApiKey::CreateTopics, (2, 7), CREATE_TOPICS),
    Api::new(ApiKey::DeleteTopics, (1, 6), DELETE_TOPICS),
    Api::new(ApiKey::DeleteRecords, (0, 2), DELETE_RECORDS),
    Api::new(ApiKey::InitProducerId, (0, 5), INIT_PRODUCER_ID),
    Api::new(
        ApiKey::OffsetForLeaderEpoch,
        (2, 4),
        OFFSET_FOR_LEADER_EPOCH,
    ),
    Api::new(ApiKey::DescribeAcls, (1, 3), ACL),
    Api::new(ApiKey::CreateAcls, (1, 3), &[list(ACL)]),
    Api::new(ApiKey::DeleteAcls, (1, 3), &[list(ACL)]),
    Api::new(ApiKey::DescribeConfigs, (1, 4), DESCRIBE_CONFIGS),
    Api::new(ApiKey::AlterConfigs, (0, 2), ALTER_CONFIGS),
    Api::new(ApiKey::DescribeLogDirs, (1, 4), DESCRIBE_LOG_DIRS),
    Api::new(ApiKey::CreatePartitions, (0, 3), CREATE_PARTITIONS),
    Api::new(ApiKey::DeleteGroups, (0, 2), &[TEXTS]),
    Api::new(ApiKey::ElectLeaders, (0, 2), ELECT_LEADERS),
    Api::new(
        ApiKey::IncrementalAlterConfigs,
        (0, 1),
        INCREMENTAL_ALTER_CONFIGS,
    ),
    Api::new(
        ApiKey::AlterPartitionReassignments,
        (0, 1),
        ALTER_PARTITION_REASSIGNMENTS,
    ),
    Api::new(
        ApiKey::ListPartitionReassignments,
        (0, 0),
        LIST_PARTITION_REASSIGNMENTS,
    ),
    Api::new(ApiKey::OffsetDelete, (0, 0), OFFSET_DELETE),
    Api::new(ApiKey::DescribeClientQuotas, (0, 1), DESCRIBE_CLIENT_QUOTAS),
    Api::new(ApiKey::AlterClientQuotas, (0, 1), ALTER_CLIENT_QUOTAS),
    Api::new(
        ApiKey::DescribeUserScramCredentials,
        (0, 0),
        &[list(&[TEXT])],
    ),
    Api::new(ApiKey::DescribeQuorum, (0, 2), DESCRIBE_QUORUM),
    Api::new(ApiKey::DescribeCluster, (0, 2), DESCRIBE_CLUSTER),
    Api::new(ApiKey::DescribeProducers, (0, 0), &[list(&[TEXT, INTS])]),
    Api::new(ApiKey::DescribeTransactions, (0, 0), &[TEXTS]),
    Api::new(ApiKey::ListTransactions, (0, 2), LIST_TRANSACTIONS),
    Api::new(ApiKey::ListConfigResources, (0, 1), &[BYTES.since(1)]),
    Api::new(
        ApiKey::DescribeTopicPartitions,
        (0, 0),
        DESCRIBE_TOPIC_PARTITIONS,
    ),
];

const PRODUCE: &[Field] = &[
    TEXT,  // transactional id
    INT16, // acks
    INT32, // timeout
    list(&[
        TEXT.until(12),
        UUID.since(13),
        list(&[INT32, BLOB]), // partition, records
    ]),
];

const FETCH: &[Field] = &[
    INT32.until(14), // replica id
    INT32,           // max wait
    INT32,           // min bytes
    INT32,           // max bytes
    INT8,            // isolation level
    INT32.since(7),  // session id
    INT32.since(7),  // session epoch
    list(&[
        TEXT.until(12),
        UUID.since(13),
        list(&[
            INT32,           // partition
            INT32.since(9),  // current leader epoch
            INT64,           // fetch offset
            INT32.since(12), // last fetched epoch
            INT64.since(5),  // log start offset
            INT32,           // partition max bytes
        ]),
    ]),
    list(&[TEXT.until(12), UUID.since(13), INTS]).since(7), // forgotten
    TEXT.since(11),                                         // rack
];

const LIST_OFFSETS: &[Field] = &[
    INT32,         // replica id
    INT8.since(2), // isolation level
    list(&[
        TEXT,
        list(&[INT32, INT32.since(4), INT64]), // partition, leader epoch, timestamp
    ]),
    INT32.since(10), // timeout
];

const METADATA: &[Field] = &[
    list(&[UUID.since(10), TEXT]),
    INT8.since(4),           // allow auto-creation
    INT8.since(8).until(10), // cluster authorized operations
    INT8.since(8),           // topic authorized operations
];

const OFFSET_COMMIT: &[Field] = &[
    TEXT,           // group
    INT32,          // generation
    TEXT,           // member
    TEXT.since(7),  // instance
    INT64.until(4), // retention
    list(&[
        TEXT,
        list(&[INT32, INT64, INT32.since(6), TEXT]), // partition, offset, epoch, metadata
    ]),
];

const OFFSET_FETCH: &[Field] = &[
    TEXT.until(7),
    list(&[TEXT, INTS]).until(7),
    list(&[
        TEXT,
        TEXT.since(9),  // member
        INT32.since(9), // member epoch
        list(&[TEXT, INTS]),
    ])
    .since(8),
    INT8.since(7), // require stable
];

const FIND_COORDINATOR: &[Field] = &[TEXT.until(3), INT8.since(1), TEXTS.since(4)];

const JOIN_GROUP: &[Field] = &[
    TEXT,                // group
    INT32,               // session timeout
    INT32.since(1),      // rebalance timeout
    TEXT,                // member
    TEXT.since(5),       // instance
    TEXT,                // protocol type
    list(&[TEXT, BLOB]), // protocols
    TEXT.since(8),       // reason
];

const HEARTBEAT: &[Field] = &[TEXT, INT32, TEXT, TEXT.since(3)];

const LEAVE_GROUP: &[Field] = &[
    TEXT,
    TEXT.until(2),
    list(&[TEXT, TEXT, TEXT.since(5)]).since(3), // member, instance, reason
];

const SYNC_GROUP: &[Field] = &[
    TEXT,                // group
    INT32,               // generation
    TEXT,                // member
    TEXT.since(3),       // instance
    TEXT.since(5),       // protocol type
    TEXT.since(5),       // protocol name
    list(&[TEXT, BLOB]), // assignments
];

const DESCRIBE_GROUPS: &[Field] = &[TEXTS, INT8.since(3)];

const LIST_GROUPS: &[Field] = &[TEXTS.since(4), TEXTS.since(5)];

const API_VERSIONS: &[Field] = &[TEXT.since(3), TEXT.since(3)];

const CREATE_TOPICS: &[Field] = &[
    list(&[
        TEXT,
        INT32,                // partitions
        INT16,                // replication factor
        list(&[INT32, INTS]), // assignments
        list(&[TEXT, TEXT]),  // configs
    ]),
    INT32, // timeout
    INT8,  // validate only
];

const DELETE_TOPICS: &[Field] = &[
    list(&[TEXT, UUID]).since(6),
    TEXTS.until(5),
    INT32, // timeout
];

const DELETE_RECORDS: &[Field] = &[list(&[TEXT, list(&[INT32, INT64])]), INT32];

const INIT_PRODUCER_ID: &[Field] = &[
    TEXT,           // transactional id
    INT32,          // timeout
    INT64.since(3), // producer id
    INT16.since(3), // producer epoch
];

const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    INT32.since(3),                              // replica id
    list(&[TEXT, list(&[INT32, INT32, INT32])]), // partition, current epoch, epoch
];

const DESCRIBE_CONFIGS: &[Field] = &[
    list(&[INT8, TEXT, TEXTS]), // type, name, keys
    INT8,                       // synonyms
    INT8.since(3),              // documentation
];

const ALTER_CONFIGS: &[Field] = &[list(&[INT8, TEXT, list(&[TEXT, TEXT])]), INT8];

const DESCRIBE_LOG_DIRS: &[Field] = &[list(&[TEXT, INTS])];

const CREATE_PARTITIONS: &[Field] = &[
    list(&[TEXT, INT32, list(&[INTS])]), // topic, count, assignments
    INT32,
    INT8,
];

const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[list(&[INT8, TEXT, list(&[TEXT, INT8, TEXT])]), INT8];

const OFFSET_DELETE: &[Field] = &[TEXT, list(&[TEXT, list(&[INT32])])];

const ACL: &[Field] = &[
    INT8, // resource type
    TEXT, // resource name
    INT8, // pattern type
    TEXT, // principal
    TEXT, // host
    INT8, // operation
    INT8, // permission
];

const ELECT_LEADERS: &[Field] = &[
    INT8.since(1), // election type
    list(&[TEXT, INTS]),
    INT32, // timeout
];

const ALTER_PARTITION_REASSIGNMENTS: &[Field] = &[
    INT32,         // timeout
    INT8.since(1), // allow another replication factor
    list(&[
        TEXT,
        list(&[INT32, INTS]), // partition, replicas
    ]),
];

const LIST_PARTITION_REASSIGNMENTS: &[Field] = &[
    INT32, // timeout
    list(&[TEXT, INTS]),
];

const DESCRIBE_CLIENT_QUOTAS: &[Field] = &[
    list(&[TEXT, INT8, TEXT]), // entity type, match type, match
    INT8,                      // strict
];

const ALTER_CLIENT_QUOTAS: &[Field] = &[
    list(&[
        list(&[TEXT, TEXT]),        // entity type, name
        list(&[TEXT, INT64, INT8]), // key, value, remove
    ]),
    INT8, // validate only
];

const DESCRIBE_QUORUM: &[Field] = &[list(&[TEXT, list(&[INT32])])];

const DESCRIBE_CLUSTER: &[Field] = &[INT8, INT8.since(1), INT8.since(2)];

const LIST_TRANSACTIONS: &[Field] = &[
    TEXTS,          // states
    LONGS,          // producer ids
    INT64.since(1), // duration
    TEXT.since(2),  // pattern of transactional ids
];

const DESCRIBE_TOPIC_PARTITIONS: &[Field] = &[
    list(&[TEXT]),
    INT32,                    // partitions in the response
    nullable(&[TEXT, INT32]), // cursor: topic, partition
];
