//! Client input: frames are split, headers read, and bodies decoded as the request that their
//! header claims. Nothing panics, and no memory is allocated because of a claimed length alone.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use stele_wire_kafka::{
    RequestHeader, decode,
    messages::{
        AlterClientQuotasRequest, AlterConfigsRequest, AlterPartitionReassignmentsRequest, ApiKey,
        ApiVersionsRequest, CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest,
        DeleteAclsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        DescribeAclsRequest, DescribeClientQuotasRequest, DescribeClusterRequest,
        DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
        DescribeProducersRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
        DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, ElectLeadersRequest,
        FetchRequest, FindCoordinatorRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
        InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListConfigResourcesRequest,
        ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest,
        ListTransactionsRequest, MetadataRequest, OffsetCommitRequest, OffsetDeleteRequest,
        OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest, SaslHandshakeRequest,
        SyncGroupRequest,
    },
    split_frame,
};

const FRAME_SIZE_BYTES_MAX: usize = 1 << 20;

fuzz_target!(|stream: &[u8]| {
    let mut inbox = BytesMut::from(stream);
    while let Ok(Some(mut frame)) = split_frame(&mut inbox, FRAME_SIZE_BYTES_MAX) {
        let Ok(header) = RequestHeader::split_from(&mut frame) else {
            return;
        };
        if let Ok(key) = ApiKey::try_from(header.api_key) {
            body(key, header.api_version, frame);
        }
    }
});

fn body(key: ApiKey, version: i16, body: Bytes) {
    match key {
        ApiKey::Produce => drop(decode::<ProduceRequest>(version, body)),
        ApiKey::Fetch => drop(decode::<FetchRequest>(version, body)),
        ApiKey::ListOffsets => drop(decode::<ListOffsetsRequest>(version, body)),
        ApiKey::Metadata => drop(decode::<MetadataRequest>(version, body)),
        ApiKey::OffsetCommit => drop(decode::<OffsetCommitRequest>(version, body)),
        ApiKey::OffsetFetch => drop(decode::<OffsetFetchRequest>(version, body)),
        ApiKey::FindCoordinator => drop(decode::<FindCoordinatorRequest>(version, body)),
        ApiKey::JoinGroup => drop(decode::<JoinGroupRequest>(version, body)),
        ApiKey::Heartbeat => drop(decode::<HeartbeatRequest>(version, body)),
        ApiKey::LeaveGroup => drop(decode::<LeaveGroupRequest>(version, body)),
        ApiKey::SyncGroup => drop(decode::<SyncGroupRequest>(version, body)),
        ApiKey::DescribeGroups => drop(decode::<DescribeGroupsRequest>(version, body)),
        ApiKey::ListGroups => drop(decode::<ListGroupsRequest>(version, body)),
        ApiKey::SaslHandshake => drop(decode::<SaslHandshakeRequest>(version, body)),
        ApiKey::ApiVersions => drop(decode::<ApiVersionsRequest>(version, body)),
        ApiKey::CreateTopics => drop(decode::<CreateTopicsRequest>(version, body)),
        ApiKey::DeleteTopics => drop(decode::<DeleteTopicsRequest>(version, body)),
        ApiKey::DeleteRecords => drop(decode::<DeleteRecordsRequest>(version, body)),
        ApiKey::InitProducerId => drop(decode::<InitProducerIdRequest>(version, body)),
        ApiKey::OffsetForLeaderEpoch => drop(decode::<OffsetForLeaderEpochRequest>(version, body)),
        ApiKey::DescribeConfigs => drop(decode::<DescribeConfigsRequest>(version, body)),
        ApiKey::AlterConfigs => drop(decode::<AlterConfigsRequest>(version, body)),
        ApiKey::CreatePartitions => drop(decode::<CreatePartitionsRequest>(version, body)),
        ApiKey::DeleteGroups => drop(decode::<DeleteGroupsRequest>(version, body)),
        ApiKey::IncrementalAlterConfigs => {
            drop(decode::<IncrementalAlterConfigsRequest>(version, body));
        }
        ApiKey::OffsetDelete => drop(decode::<OffsetDeleteRequest>(version, body)),
        ApiKey::DescribeAcls => drop(decode::<DescribeAclsRequest>(version, body)),
        ApiKey::CreateAcls => drop(decode::<CreateAclsRequest>(version, body)),
        ApiKey::DeleteAcls => drop(decode::<DeleteAclsRequest>(version, body)),
        ApiKey::ElectLeaders => drop(decode::<ElectLeadersRequest>(version, body)),
        ApiKey::ListPartitionReassignments => {
            drop(decode::<ListPartitionReassignmentsRequest>(version, body));
        }
        ApiKey::DescribeClientQuotas => {
            drop(decode::<DescribeClientQuotasRequest>(version, body));
        }
        ApiKey::DescribeCluster => drop(decode::<DescribeClusterRequest>(version, body)),
        _ => body_of_tools(key, version, body),
    }
}

fn body_of_tools(key: ApiKey, version: i16, body: Bytes) {
    match key {
        ApiKey::DescribeLogDirs => drop(decode::<DescribeLogDirsRequest>(version, body)),
        ApiKey::AlterPartitionReassignments => {
            drop(decode::<AlterPartitionReassignmentsRequest>(version, body))
        }
        ApiKey::AlterClientQuotas => drop(decode::<AlterClientQuotasRequest>(version, body)),
        ApiKey::DescribeUserScramCredentials => {
            drop(decode::<DescribeUserScramCredentialsRequest>(version, body))
        }
        ApiKey::DescribeQuorum => drop(decode::<DescribeQuorumRequest>(version, body)),
        ApiKey::DescribeProducers => drop(decode::<DescribeProducersRequest>(version, body)),
        ApiKey::DescribeTransactions => drop(decode::<DescribeTransactionsRequest>(version, body)),
        ApiKey::ListTransactions => drop(decode::<ListTransactionsRequest>(version, body)),
        ApiKey::ListConfigResources => drop(decode::<ListConfigResourcesRequest>(version, body)),
        ApiKey::DescribeTopicPartitions => {
            drop(decode::<DescribeTopicPartitionsRequest>(version, body))
        }
        _ => {}
    }
}
