//! Decides which responses count as errors: those with an error code, at the top level or for any
//! of the requested objects.
//!
//! Some codes are part of a protocol's normal course, such as `REBALANCE_IN_PROGRESS`, and are
//! counted too: whether they are normal depends on how many there are.

use stele_wire_kafka::{
    fetch::FetchResponse,
    messages::{
        AlterClientQuotasResponse, AlterConfigsResponse, AlterPartitionReassignmentsResponse,
        ApiVersionsResponse, CreateAclsResponse, CreatePartitionsResponse, CreateTopicsResponse,
        DeleteAclsResponse, DeleteGroupsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
        DescribeAclsResponse, DescribeClientQuotasResponse, DescribeClusterResponse,
        DescribeConfigsResponse, DescribeGroupsResponse, DescribeLogDirsResponse,
        DescribeProducersResponse, DescribeQuorumResponse, DescribeTopicPartitionsResponse,
        DescribeTransactionsResponse, DescribeUserScramCredentialsResponse, ElectLeadersResponse,
        FindCoordinatorResponse, HeartbeatResponse, IncrementalAlterConfigsResponse,
        InitProducerIdResponse, JoinGroupResponse, LeaveGroupResponse, ListConfigResourcesResponse,
        ListGroupsResponse, ListOffsetsResponse, ListPartitionReassignmentsResponse,
        ListTransactionsResponse, MetadataResponse, OffsetCommitResponse, OffsetDeleteResponse,
        OffsetFetchResponse, OffsetForLeaderEpochResponse, SaslHandshakeResponse,
        SyncGroupResponse,
    },
};

/// A response that can be a refusal.
pub(crate) trait Refusal {
    /// Whether it has an error code.
    fn is_refusal(&self) -> bool;
}

macro_rules! refusals {
    ($($response:ident: |$it:ident| $is_refusal:expr;)+) => {
        $(impl Refusal for $response {
            fn is_refusal(&self) -> bool {
                let $it = self;
                $is_refusal
            }
        })+
    };
}

refusals!(
    AlterClientQuotasResponse: |it| it.entries.iter().any(|it| it.error_code != 0);
    AlterConfigsResponse: |it| it.responses.iter().any(|it| it.error_code != 0);
    AlterPartitionReassignmentsResponse: |it| {
        let mut partitions = it.responses.iter().flat_map(|it| &it.partitions);
        it.error_code != 0 || partitions.any(|it| it.error_code != 0)
    };
    ApiVersionsResponse: |it| it.error_code != 0;
    CreateAclsResponse: |it| it.results.iter().any(|it| it.error_code != 0);
    CreatePartitionsResponse: |it| it.results.iter().any(|it| it.error_code != 0);
    CreateTopicsResponse: |it| it.topics.iter().any(|it| it.error_code != 0);
    DeleteAclsResponse: |it| it.filter_results.iter().any(|it| it.error_code != 0);
    DeleteGroupsResponse: |it| it.results.iter().any(|it| it.error_code != 0);
    DeleteRecordsResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        partitions.any(|it| it.error_code != 0)
    };
    DeleteTopicsResponse: |it| it.responses.iter().any(|it| it.error_code != 0);
    DescribeAclsResponse: |it| it.error_code != 0;
    DescribeClientQuotasResponse: |it| it.error_code != 0;
    DescribeClusterResponse: |it| it.error_code != 0;
    DescribeConfigsResponse: |it| it.results.iter().any(|it| it.error_code != 0);
    DescribeGroupsResponse: |it| it.groups.iter().any(|it| it.error_code != 0);
    DescribeLogDirsResponse: |it| {
        it.error_code != 0 || it.results.iter().any(|it| it.error_code != 0)
    };
    DescribeProducersResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        partitions.any(|it| it.error_code != 0)
    };
    DescribeQuorumResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        it.error_code != 0 || partitions.any(|it| it.error_code != 0)
    };
    DescribeTopicPartitionsResponse: |it| it.topics.iter().any(|it| it.error_code != 0);
    DescribeTransactionsResponse: |it| it.transaction_states.iter().any(|it| it.error_code != 0);
    DescribeUserScramCredentialsResponse: |it| {
        it.error_code != 0 || it.results.iter().any(|it| it.error_code != 0)
    };
    ElectLeadersResponse: |it| {
        let mut partitions = it
            .replica_election_results
            .iter()
            .flat_map(|it| &it.partition_result);
        it.error_code != 0 || partitions.any(|it| it.error_code != 0)
    };
    FetchResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        it.error_code != 0 || partitions.any(|it| it.error_code != 0)
    };
    FindCoordinatorResponse: |it| {
        it.error_code != 0 || it.coordinators.iter().any(|it| it.error_code != 0)
    };
    HeartbeatResponse: |it| it.error_code != 0;
    IncrementalAlterConfigsResponse: |it| it.responses.iter().any(|it| it.error_code != 0);
    InitProducerIdResponse: |it| it.error_code != 0;
    JoinGroupResponse: |it| it.error_code != 0;
    LeaveGroupResponse: |it| it.error_code != 0 || it.members.iter().any(|it| it.error_code != 0);
    ListConfigResourcesResponse: |it| it.error_code != 0;
    ListGroupsResponse: |it| it.error_code != 0;
    ListOffsetsResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        partitions.any(|it| it.error_code != 0)
    };
    ListPartitionReassignmentsResponse: |it| it.error_code != 0;
    ListTransactionsResponse: |it| it.error_code != 0;
    MetadataResponse: |it| it.topics.iter().any(|it| it.error_code != 0);
    OffsetCommitResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        partitions.any(|it| it.error_code != 0)
    };
    OffsetDeleteResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        it.error_code != 0 || partitions.any(|it| it.error_code != 0)
    };
    OffsetFetchResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        let of_groups = it.groups.iter().flat_map(|it| &it.topics);
        let mut of_groups = of_groups.flat_map(|it| &it.partitions);
        it.error_code != 0
            || it.groups.iter().any(|it| it.error_code != 0)
            || partitions.any(|it| it.error_code != 0)
            || of_groups.any(|it| it.error_code != 0)
    };
    OffsetForLeaderEpochResponse: |it| {
        let mut partitions = it.topics.iter().flat_map(|it| &it.partitions);
        partitions.any(|it| it.error_code != 0)
    };
    SaslHandshakeResponse: |it| it.error_code != 0;
    SyncGroupResponse: |it| it.error_code != 0;
);
