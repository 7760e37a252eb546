//! The supported APIs: one file each, ordered by key. ApiVersions returns the table.

use std::{future::Future, ops::RangeInclusive, pin::Pin};

use bytes::Bytes;
use stele_wire_kafka::{
    Request, RequestHeader, StrBytes, decode, encode,
    messages::{ApiKey, TopicName},
};

use crate::{
    Settings,
    limits::CONTROL_REQUEST_SIZE_BYTES_MAX,
    refusal::Refusal,
    session::{Answer, Session, SessionError},
};

pub(crate) mod k00_produce;
mod k01_fetch;
mod k02_list_offsets;
mod k03_metadata;
mod k08_offset_commit;
mod k09_offset_fetch;
mod k10_find_coordinator;
mod k11_join_group;
mod k12_heartbeat;
mod k13_leave_group;
mod k14_sync_group;
mod k15_describe_groups;
mod k16_list_groups;
mod k17_sasl_handshake;
pub(crate) mod k18_api_versions;
mod k19_create_topics;
mod k20_delete_topics;
mod k21_delete_records;
mod k22_init_producer_id;
mod k23_offset_for_leader_epoch;
mod k29_describe_acls;
mod k30_create_acls;
mod k31_delete_acls;
mod k32_describe_configs;
mod k33_alter_configs;
mod k35_describe_log_dirs;
mod k37_create_partitions;
mod k42_delete_groups;
mod k43_elect_leaders;
mod k44_incremental_alter_configs;
mod k45_alter_partition_reassignments;
mod k46_list_partition_reassignments;
mod k47_offset_delete;
mod k48_describe_client_quotas;
mod k49_alter_client_quotas;
mod k50_describe_user_scram_credentials;
mod k55_describe_quorum;
mod k60_describe_cluster;
mod k61_describe_producers;
mod k65_describe_transactions;
mod k66_list_transactions;
mod k74_list_config_resources;
mod k75_describe_topic_partitions;

/// Every supported API.
pub(crate) const TABLE: &[Entry] = &[
    Entry::new(
        ApiKey::Produce,
        "Produce",
        k00_produce::VERSIONS,
        k00_produce::run,
    ),
    Entry::new(ApiKey::Fetch, "Fetch", k01_fetch::VERSIONS, k01_fetch::run),
    Entry::of::<k02_list_offsets::ListOffsets>(ApiKey::ListOffsets, "ListOffsets"),
    Entry::of::<k03_metadata::Metadata>(ApiKey::Metadata, "Metadata"),
    Entry::of::<k08_offset_commit::OffsetCommit>(ApiKey::OffsetCommit, "OffsetCommit"),
    Entry::of::<k09_offset_fetch::OffsetFetch>(ApiKey::OffsetFetch, "OffsetFetch"),
    Entry::of::<k10_find_coordinator::FindCoordinator>(ApiKey::FindCoordinator, "FindCoordinator"),
    Entry::of::<k11_join_group::JoinGroup>(ApiKey::JoinGroup, "JoinGroup"),
    Entry::of::<k12_heartbeat::Heartbeat>(ApiKey::Heartbeat, "Heartbeat"),
    Entry::of::<k13_leave_group::LeaveGroup>(ApiKey::LeaveGroup, "LeaveGroup"),
    Entry::of::<k14_sync_group::SyncGroup>(ApiKey::SyncGroup, "SyncGroup"),
    Entry::of::<k15_describe_groups::DescribeGroups>(ApiKey::DescribeGroups, "DescribeGroups"),
    Entry::of::<k16_list_groups::ListGroups>(ApiKey::ListGroups, "ListGroups"),
    Entry::of::<k17_sasl_handshake::SaslHandshake>(ApiKey::SaslHandshake, "SaslHandshake"),
    Entry::of::<k18_api_versions::ApiVersions>(ApiKey::ApiVersions, "ApiVersions"),
    Entry::of::<k19_create_topics::CreateTopics>(ApiKey::CreateTopics, "CreateTopics"),
    Entry::of::<k20_delete_topics::DeleteTopics>(ApiKey::DeleteTopics, "DeleteTopics"),
    Entry::of::<k21_delete_records::DeleteRecords>(ApiKey::DeleteRecords, "DeleteRecords"),
    Entry::of::<k22_init_producer_id::InitProducerId>(ApiKey::InitProducerId, "InitProducerId"),
    Entry::of::<k23_offset_for_leader_epoch::OffsetForLeaderEpoch>(
        ApiKey::OffsetForLeaderEpoch,
        "OffsetForLeaderEpoch",
    ),
    Entry::of::<k29_describe_acls::DescribeAcls>(ApiKey::DescribeAcls, "DescribeAcls"),
    Entry::of::<k30_create_acls::CreateAcls>(ApiKey::CreateAcls, "CreateAcls"),
    Entry::of::<k31_delete_acls::DeleteAcls>(ApiKey::DeleteAcls, "DeleteAcls"),
    Entry::of::<k32_describe_configs::DescribeConfigs>(ApiKey::DescribeConfigs, "DescribeConfigs"),
    Entry::of::<k33_alter_configs::AlterConfigs>(ApiKey::AlterConfigs, "AlterConfigs"),
    Entry::of::<k35_describe_log_dirs::DescribeLogDirs>(ApiKey::DescribeLogDirs, "DescribeLogDirs"),
    Entry::of::<k37_create_partitions::CreatePartitions>(
        ApiKey::CreatePartitions,
        "CreatePartitions",
    ),
    Entry::of::<k42_delete_groups::DeleteGroups>(ApiKey::DeleteGroups, "DeleteGroups"),
    Entry::of::<k43_elect_leaders::ElectLeaders>(ApiKey::ElectLeaders, "ElectLeaders"),
    Entry::of::<k44_incremental_alter_configs::IncrementalAlterConfigs>(
        ApiKey::IncrementalAlterConfigs,
        "IncrementalAlterConfigs",
    ),
    Entry::of::<k45_alter_partition_reassignments::AlterPartitionReassignments>(
        ApiKey::AlterPartitionReassignments,
        "AlterPartitionReassignments",
    ),
    Entry::of::<k46_list_partition_reassignments::ListPartitionReassignments>(
        ApiKey::ListPartitionReassignments,
        "ListPartitionReassignments",
    ),
    Entry::of::<k47_offset_delete::OffsetDelete>(ApiKey::OffsetDelete, "OffsetDelete"),
    Entry::of::<k48_describe_client_quotas::DescribeClientQuotas>(
        ApiKey::DescribeClientQuotas,
        "DescribeClientQuotas",
    ),
    Entry::of::<k49_alter_client_quotas::AlterClientQuotas>(
        ApiKey::AlterClientQuotas,
        "AlterClientQuotas",
    ),
    Entry::of::<k50_describe_user_scram_credentials::DescribeUserScramCredentials>(
        ApiKey::DescribeUserScramCredentials,
        "DescribeUserScramCredentials",
    ),
    Entry::of::<k55_describe_quorum::DescribeQuorum>(ApiKey::DescribeQuorum, "DescribeQuorum"),
    Entry::of::<k60_describe_cluster::DescribeCluster>(ApiKey::DescribeCluster, "DescribeCluster"),
    Entry::of::<k61_describe_producers::DescribeProducers>(
        ApiKey::DescribeProducers,
        "DescribeProducers",
    ),
    Entry::of::<k65_describe_transactions::DescribeTransactions>(
        ApiKey::DescribeTransactions,
        "DescribeTransactions",
    ),
    Entry::of::<k66_list_transactions::ListTransactions>(
        ApiKey::ListTransactions,
        "ListTransactions",
    ),
    Entry::of::<k74_list_config_resources::ListConfigResources>(
        ApiKey::ListConfigResources,
        "ListConfigResources",
    ),
    Entry::of::<k75_describe_topic_partitions::DescribeTopicPartitions>(
        ApiKey::DescribeTopicPartitions,
        "DescribeTopicPartitions",
    ),
];

/// The names of the APIs in the table's order, by which requests are counted.
pub(crate) const NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut position = 0;
    while position < names.len() {
        names[position] = TABLE[position].name;
        position += 1;
    }
    names
};

/// The API `key`, if it is supported.
pub(crate) fn find(key: i16) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.key as i16 == key)
}

/// The position of the API `key` in [`NAMES`].
pub(crate) fn position(key: i16) -> usize {
    let position = TABLE.iter().position(|entry| entry.key as i16 == key);
    position.unwrap_or(TABLE.len())
}

/// An API whose response is one message.
pub(crate) trait Operation {
    /// The request type, which determines the response type.
    type Request: Request;

    /// The lowest and the highest supported version.
    const VERSIONS: (i16, i16);

    /// Handles a request. Errors are part of the response.
    fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: Self::Request,
    ) -> impl Future<Output = <Self::Request as Request>::Response> + Send;
}

/// A supported API.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) key: ApiKey,
    name: &'static str,
    pub(crate) version_min: i16,
    pub(crate) version_max: i16,
    run: Run,
}

type Run = for<'a> fn(&'a mut Session, RequestHeader, Bytes) -> Running<'a>;

/// A request being handled.
pub(crate) type Running<'a> =
    Pin<Box<dyn Future<Output = Result<Answer, SessionError>> + Send + 'a>>;

impl Entry {
    const fn new(key: ApiKey, name: &'static str, versions: (i16, i16), run: Run) -> Self {
        Self {
            key,
            name,
            version_min: versions.0,
            version_max: versions.1,
            run,
        }
    }

    const fn of<O: Operation>(key: ApiKey, name: &'static str) -> Self
    where
        O::Request: Send,
        <O::Request as Request>::Response: Send + Refusal,
    {
        Self::new(key, name, O::VERSIONS, run::<O>)
    }

    pub(crate) fn versions(&self) -> RangeInclusive<i16> {
        self.version_min..=self.version_max
    }

    /// Refuses a request that is too large for its API.
    pub(crate) fn check_size(
        &self,
        size_bytes: usize,
        settings: &Settings,
    ) -> Result<(), SessionError> {
        let size_bytes_max = match self.key {
            ApiKey::Produce => settings.request_size_bytes_max,
            _ => CONTROL_REQUEST_SIZE_BYTES_MAX,
        };
        if size_bytes > size_bytes_max {
            let key = self.key as i16;
            return Err(SessionError::TooLarge { key, size_bytes });
        }
        Ok(())
    }

    pub(crate) fn run<'a>(
        &self,
        session: &'a mut Session,
        header: RequestHeader,
        body: Bytes,
    ) -> Running<'a> {
        (self.run)(session, header, body)
    }
}

fn run<O: Operation>(session: &mut Session, header: RequestHeader, body: Bytes) -> Running<'_>
where
    O::Request: Send,
    <O::Request as Request>::Response: Send + Refusal,
{
    Box::pin(async move {
        let request = decode::<O::Request>(header.api_version, body)?;
        let response = O::handle(session, &header, request).await;
        if response.is_refusal() {
            session.meter.error(position(header.api_key), 1);
        }
        Ok(Answer::Reply(encode::<O::Request>(&header, &response)?))
    })
}

/// A text for a response.
pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A topic's name for a response.
pub(crate) fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_has_its_own_name() {
        for entry in TABLE {
            assert_eq!(entry.name, format!("{:?}", entry.key));
            assert_eq!(NAMES[position(entry.key as i16)], entry.name);
        }
    }
}
