use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{self, fetch_request as fetch_parts, *};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    Encodable, Error, LIST_ELEMENTS_MAX, RequestHeader, Response, StrBytes, api, decode, encode,
    fetch::{self, FetchPartition, FetchResponse, FetchTopic},
};

fn text(value: &'static str) -> StrBytes {
    StrBytes::from_static_str(value)
}

fn name(value: &'static str) -> TopicName {
    TopicName(text(value))
}

fn group(value: &'static str) -> GroupId {
    GroupId(text(value))
}

fn encoded<M: Encodable>(message: M, version: i16) -> Bytes {
    let mut buffer = BytesMut::new();
    message.encode(&mut buffer, version).unwrap();
    buffer.freeze()
}

/// A request of each API, with one or two elements in each list that `version` has.
fn sample(key: ApiKey, version: i16) -> Bytes {
    match key {
        ApiKey::Produce => encoded(produce(version), version),
        ApiKey::Fetch => encoded(fetch_request(version), version),
        ApiKey::OffsetCommit => encoded(offset_commit(version), version),
        ApiKey::OffsetFetch => encoded(offset_fetch(version), version),
        ApiKey::FindCoordinator => encoded(find_coordinator(version), version),
        ApiKey::LeaveGroup => encoded(leave_group(version), version),
        ApiKey::DeleteTopics => encoded(delete_topics(version), version),
        ApiKey::CreateTopics => encoded(create_topics(), version),
        ApiKey::Metadata => encoded(
            MetadataRequest::default().with_topics(Some(vec![
                metadata_request::MetadataRequestTopic::default().with_name(Some(name("orders"))),
            ])),
            version,
        ),
        ApiKey::ListOffsets => encoded(
            ListOffsetsRequest::default().with_topics(vec![
                list_offsets_request::ListOffsetsTopic::default()
                    .with_name(name("orders"))
                    .with_partitions(vec![Default::default(), Default::default()]),
            ]),
            version,
        ),
        ApiKey::JoinGroup => encoded(
            JoinGroupRequest::default()
                .with_group_id(group("g"))
                .with_protocols(vec![
                    join_group_request::JoinGroupRequestProtocol::default()
                        .with_name(text("range"))
                        .with_metadata(Bytes::from_static(b"subscription")),
                ]),
            version,
        ),
        ApiKey::SyncGroup => encoded(
            SyncGroupRequest::default()
                .with_group_id(group("g"))
                .with_assignments(vec![
                    sync_group_request::SyncGroupRequestAssignment::default()
                        .with_member_id(text("m"))
                        .with_assignment(Bytes::from_static(b"assignment")),
                ]),
            version,
        ),
        ApiKey::Heartbeat => encoded(
            HeartbeatRequest::default().with_member_id(text("m")),
            version,
        ),
        ApiKey::DescribeGroups => encoded(
            DescribeGroupsRequest::default().with_groups(vec![group("a"), group("b")]),
            version,
        ),
        ApiKey::ListGroups => {
            let mut request = ListGroupsRequest::default();
            if version >= 4 {
                request.states_filter = vec![text("Stable"), text("Empty")];
            }
            if version >= 5 {
                request.types_filter = vec![text("classic")];
            }
            encoded(request, version)
        }
        ApiKey::SaslHandshake => encoded(
            SaslHandshakeRequest::default().with_mechanism(text("PLAIN")),
            version,
        ),
        ApiKey::ApiVersions => encoded(api_versions(version), version),
        _ => administration(key, version),
    }
}

fn administration(key: ApiKey, version: i16) -> Bytes {
    match key {
        ApiKey::DeleteRecords => encoded(
            DeleteRecordsRequest::default().with_topics(vec![
                delete_records_request::DeleteRecordsTopic::default()
                    .with_name(name("orders"))
                    .with_partitions(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::InitProducerId => encoded(InitProducerIdRequest::default(), version),
        ApiKey::OffsetForLeaderEpoch => encoded(
            OffsetForLeaderEpochRequest::default().with_topics(vec![
                offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                    .with_topic(name("orders"))
                    .with_partitions(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::DescribeConfigs => encoded(
            DescribeConfigsRequest::default().with_resources(vec![
                describe_configs_request::DescribeConfigsResource::default()
                    .with_resource_name(text("orders"))
                    .with_configuration_keys(Some(vec![text("retention.ms")])),
                Default::default(),
            ]),
            version,
        ),
        ApiKey::AlterConfigs => encoded(
            AlterConfigsRequest::default().with_resources(vec![
                alter_configs_request::AlterConfigsResource::default()
                    .with_configs(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::IncrementalAlterConfigs => encoded(
            IncrementalAlterConfigsRequest::default().with_resources(vec![
                incremental_alter_configs_request::AlterConfigsResource::default()
                    .with_configs(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::CreatePartitions => encoded(
            CreatePartitionsRequest::default().with_topics(vec![
                create_partitions_request::CreatePartitionsTopic::default().with_assignments(Some(
                    vec![
                        create_partitions_request::CreatePartitionsAssignment::default()
                            .with_broker_ids(vec![BrokerId(0)]),
                    ],
                )),
            ]),
            version,
        ),
        ApiKey::DeleteGroups => encoded(
            DeleteGroupsRequest::default().with_groups_names(vec![group("g")]),
            version,
        ),
        ApiKey::OffsetDelete => encoded(
            OffsetDeleteRequest::default().with_topics(vec![
                offset_delete_request::OffsetDeleteRequestTopic::default()
                    .with_partitions(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::DescribeCluster => encoded(DescribeClusterRequest::default(), version),
        _ => of_one_broker(key, version),
    }
}

fn of_one_broker(key: ApiKey, version: i16) -> Bytes {
    match key {
        ApiKey::DescribeAcls => encoded(DescribeAclsRequest::default(), version),
        ApiKey::CreateAcls => encoded(
            CreateAclsRequest::default().with_creations(vec![Default::default()]),
            version,
        ),
        ApiKey::DeleteAcls => encoded(
            DeleteAclsRequest::default().with_filters(vec![Default::default()]),
            version,
        ),
        ApiKey::ElectLeaders => encoded(
            ElectLeadersRequest::default().with_topic_partitions(Some(vec![
                elect_leaders_request::TopicPartitions::default()
                    .with_topic(name("orders"))
                    .with_partitions(vec![0, 1]),
            ])),
            version,
        ),
        ApiKey::ListPartitionReassignments => encoded(
            ListPartitionReassignmentsRequest::default().with_topics(Some(vec![
                list_partition_reassignments_request::ListPartitionReassignmentsTopics::default()
                    .with_name(name("orders"))
                    .with_partition_indexes(vec![0, 1]),
            ])),
            version,
        ),
        ApiKey::DescribeClientQuotas => encoded(
            DescribeClientQuotasRequest::default().with_components(vec![Default::default()]),
            version,
        ),
        _ => of_tools(key, version),
    }
}

fn of_tools(key: ApiKey, version: i16) -> Bytes {
    match key {
        ApiKey::DescribeLogDirs => encoded(
            DescribeLogDirsRequest::default().with_topics(Some(vec![
                describe_log_dirs_request::DescribableLogDirTopic::default()
                    .with_topic(name("orders"))
                    .with_partitions(vec![0, 1]),
            ])),
            version,
        ),
        ApiKey::AlterPartitionReassignments => encoded(
            AlterPartitionReassignmentsRequest::default().with_topics(vec![
                alter_partition_reassignments_request::ReassignableTopic::default()
                    .with_name(name("orders"))
                    .with_partitions(vec![Default::default(), Default::default()]),
            ]),
            version,
        ),
        ApiKey::AlterClientQuotas => encoded(
            AlterClientQuotasRequest::default().with_entries(vec![
                alter_client_quotas_request::EntryData::default()
                    .with_entity(vec![Default::default()])
                    .with_ops(vec![Default::default(), Default::default()]),
            ]),
            version,
        ),
        ApiKey::DescribeUserScramCredentials => encoded(
            DescribeUserScramCredentialsRequest::default()
                .with_users(Some(vec![Default::default()])),
            version,
        ),
        ApiKey::DescribeQuorum => encoded(
            DescribeQuorumRequest::default().with_topics(vec![
                describe_quorum_request::TopicData::default()
                    .with_partitions(vec![Default::default()]),
            ]),
            version,
        ),
        ApiKey::DescribeProducers => encoded(
            DescribeProducersRequest::default().with_topics(vec![
                describe_producers_request::TopicRequest::default()
                    .with_partition_indexes(vec![0, 1]),
            ]),
            version,
        ),
        ApiKey::DescribeTransactions => encoded(
            DescribeTransactionsRequest::default()
                .with_transactional_ids(vec![TransactionalId(text("t"))]),
            version,
        ),
        ApiKey::ListTransactions => encoded(list_transactions(version), version),
        ApiKey::ListConfigResources => encoded(list_config_resources(version), version),
        ApiKey::DescribeTopicPartitions => encoded(
            DescribeTopicPartitionsRequest::default()
                .with_topics(vec![Default::default(), Default::default()])
                .with_cursor(Some(Default::default())),
            version,
        ),
        other => panic!("no sample of {other:?}"),
    }
}

fn list_transactions(version: i16) -> ListTransactionsRequest {
    let request = ListTransactionsRequest::default()
        .with_state_filters(vec![text("Ongoing")])
        .with_producer_id_filters(vec![ProducerId(1), ProducerId(2)]);
    match version {
        2.. => request.with_transactional_id_pattern(Some(text("pay.*"))),
        _ => request,
    }
}

fn list_config_resources(version: i16) -> ListConfigResourcesRequest {
    let request = ListConfigResourcesRequest::default();
    match version {
        1.. => request.with_resource_types(vec![2, 4]),
        _ => request,
    }
}

fn produce(version: i16) -> ProduceRequest {
    let mut topic = produce_request::TopicProduceData::default().with_partition_data(vec![
        produce_request::PartitionProduceData::default()
            .with_records(Some(Bytes::from_static(b"records"))),
    ]);
    match version {
        13.. => topic.topic_id = Uuid::from_u128(1),
        _ => topic.name = name("orders"),
    }
    ProduceRequest::default().with_topic_data(vec![topic.clone(), topic])
}

fn fetch_request(version: i16) -> FetchRequest {
    let mut topic = fetch_parts::FetchTopic::default().with_partitions(vec![Default::default()]);
    let mut forgotten = fetch_parts::ForgottenTopic::default();
    if version >= 7 {
        forgotten.partitions = vec![1, 2, 3];
    }
    match version {
        13.. => {
            topic.topic_id = Uuid::from_u128(1);
            forgotten.topic_id = Uuid::from_u128(2);
        }
        7.. => {
            topic.topic = name("orders");
            forgotten.topic = name("forgotten");
        }
        _ => topic.topic = name("orders"),
    }
    let mut request = FetchRequest::default().with_topics(vec![topic]);
    if version >= 7 {
        request.forgotten_topics_data = vec![forgotten];
    }
    if version >= 15 {
        request.replica_id = BrokerId(-1);
    }
    request
}

fn offset_commit(version: i16) -> OffsetCommitRequest {
    let mut request = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_topics(vec![
            offset_commit_request::OffsetCommitRequestTopic::default()
                .with_name(name("orders"))
                .with_partitions(vec![
                    offset_commit_request::OffsetCommitRequestPartition::default()
                        .with_committed_metadata(Some(text("note"))),
                ]),
        ]);
    if version >= 7 {
        request.group_instance_id = Some(text("instance"));
    }
    request
}

fn offset_fetch(version: i16) -> OffsetFetchRequest {
    if version < 8 {
        return OffsetFetchRequest::default()
            .with_group_id(group("g"))
            .with_topics(Some(vec![
                offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(name("orders"))
                    .with_partition_indexes(vec![0, 1]),
            ]));
    }
    OffsetFetchRequest::default().with_groups(vec![
        offset_fetch_request::OffsetFetchRequestGroup::default()
            .with_group_id(group("g"))
            .with_topics(Some(vec![
                offset_fetch_request::OffsetFetchRequestTopics::default()
                    .with_name(name("orders"))
                    .with_partition_indexes(vec![0, 1]),
            ])),
        offset_fetch_request::OffsetFetchRequestGroup::default().with_topics(None),
    ])
}

fn find_coordinator(version: i16) -> FindCoordinatorRequest {
    match version {
        4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]),
        _ => FindCoordinatorRequest::default().with_key(text("a")),
    }
}

fn leave_group(version: i16) -> LeaveGroupRequest {
    match version {
        3.. => LeaveGroupRequest::default().with_members(vec![
            leave_group_request::MemberIdentity::default().with_member_id(text("m")),
        ]),
        _ => LeaveGroupRequest::default().with_member_id(text("m")),
    }
}

fn delete_topics(version: i16) -> DeleteTopicsRequest {
    match version {
        6.. => DeleteTopicsRequest::default().with_topics(vec![
            delete_topics_request::DeleteTopicState::default().with_name(Some(name("orders"))),
        ]),
        _ => DeleteTopicsRequest::default().with_topic_names(vec![name("orders")]),
    }
}

fn create_topics() -> CreateTopicsRequest {
    CreateTopicsRequest::default().with_topics(vec![
        create_topics_request::CreatableTopic::default()
            .with_name(name("orders"))
            .with_assignments(vec![
                create_topics_request::CreatableReplicaAssignment::default()
                    .with_broker_ids(vec![BrokerId(1)]),
            ])
            .with_configs(vec![
                create_topics_request::CreatableTopicConfig::default()
                    .with_name(text("retention.ms"))
                    .with_value(Some(text("1000"))),
            ]),
    ])
}

fn api_versions(version: i16) -> ApiVersionsRequest {
    match version {
        3.. => ApiVersionsRequest::default()
            .with_client_software_name(text("librdkafka"))
            .with_client_software_version(text("2.0")),
        _ => ApiVersionsRequest::default(),
    }
}

#[test]
fn every_shape_covers_its_request_to_the_last_byte() {
    for api in api::APIS {
        for version in api.versions() {
            let body = sample(api.key, version);
            let shape = |bytes: &[u8]| api.check_shape(version, bytes);
            assert_eq!(shape(&body), Ok(()), "{:?} {version}", api.key);
            if !body.is_empty() {
                let cut = shape(&body[..body.len() - 1]);
                assert!(cut.is_err(), "{:?} {version} ends early", api.key);
            }
        }
    }
}

#[test]
fn a_structure_that_may_be_missing_may_be_missing() {
    let request = DescribeTopicPartitionsRequest::default().with_topics(vec![Default::default()]);
    let body = encoded(request.clone(), 0);
    assert_eq!(
        decode::<DescribeTopicPartitionsRequest>(0, body),
        Ok(request)
    );
}

#[test]
fn versions_are_those_that_the_generated_messages_have() {
    let mut last = -1;
    for api in api::APIS {
        assert!(api.key as i16 > last, "sorted by key");
        last = api.key as i16;
        let known = api::known_versions(last).unwrap();
        assert_eq!(api.version_min, known.min, "{:?}", api.key);
        assert!(api.version_max <= known.max, "{:?}", api.key);
    }
}

#[test]
fn produced_records_are_slices_of_the_frame() {
    let body = sample(ApiKey::Produce, 9);
    let range = body.as_ptr_range();
    let request: ProduceRequest = decode(9, body).unwrap();
    let records = request.topic_data[0].partition_data[0].records.as_ref();
    assert_eq!(records.unwrap(), "records");
    assert!(range.contains(&records.unwrap().as_ptr()));
}

#[test]
fn a_list_that_claims_gigabytes_is_refused_before_anything_is_allocated() {
    let metadata_of_2_billion_topics = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
    let refused = decode::<MetadataRequest>(1, metadata_of_2_billion_topics);
    assert_eq!(refused, Err(Error::Length(0x7fff_ffff)));
    let compact = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(decode::<MetadataRequest>(9, compact).is_err());
}

#[test]
fn a_request_of_very_many_elements_is_refused() {
    let count = LIST_ELEMENTS_MAX + 1;
    let mut body = BytesMut::from(&(count as u32).to_be_bytes()[..]);
    body.resize(4 + 2 * count, 0);
    let refused = decode::<MetadataRequest>(0, body.freeze());
    assert_eq!(refused, Err(Error::TooManyElements(LIST_ELEMENTS_MAX)));
}

#[test]
fn versions_that_are_not_served_are_not_decoded() {
    let unsupported = Error::Unsupported { key: 0, version: 2 };
    assert_eq!(decode::<ProduceRequest>(2, Bytes::new()), Err(unsupported));
    assert!(decode::<OffsetCommitRequest>(10, Bytes::new()).is_err());
}

#[test]
fn headers_of_either_version_are_read_up_to_the_body() {
    let mut plain = Bytes::from_static(b"\0\x03\0\x01\0\0\0\x07\0\x02mebody");
    let header = RequestHeader::split_from(&mut plain).unwrap();
    let expected = RequestHeader {
        api_key: 3,
        api_version: 1,
        correlation_id: 7,
        client_id: Some(text("me")),
    };
    assert_eq!(header, expected);
    assert_eq!(plain, "body");
    let mut flexible = Bytes::from_static(b"\0\x03\0\x09\0\0\0\x07\xff\xff\x01\x05\x02xybody");
    let header = RequestHeader::split_from(&mut flexible).unwrap();
    assert_eq!(header.client_id, None);
    assert_eq!(flexible, "body");
}

#[test]
fn a_header_of_an_unknown_api_is_still_read() {
    let mut frame = Bytes::from_static(b"\x7f\xff\0\0\0\0\0\x01\xff\xff");
    assert_eq!(
        RequestHeader::split_from(&mut frame).unwrap().api_key,
        i16::MAX
    );
}

fn header(key: ApiKey, api_version: i16) -> RequestHeader {
    RequestHeader {
        api_key: key as i16,
        api_version,
        correlation_id: 99,
        client_id: None,
    }
}

/// The body of a response in one piece; checks its length and correlation id.
fn body_of(response: &Response, tagged: bool) -> Bytes {
    let mut all = Bytes::from(response.chunks.concat());
    assert_eq!(all.get_i32() as usize, all.len());
    assert_eq!(all.get_i32(), 99);
    if tagged {
        assert_eq!(all.get_u8(), 0);
    }
    all
}

#[test]
fn an_api_versions_response_never_has_header_tags() {
    for version in 0..=4 {
        let answer = ApiVersionsResponse::default().with_error_code(35);
        let response = encode::<ApiVersionsRequest>(&header(ApiKey::ApiVersions, version), &answer);
        let mut body = body_of(&response.unwrap(), false);
        assert_eq!(
            <ApiVersionsResponse as crate::Decodable>::decode(&mut body, version).unwrap(),
            answer
        );
        assert!(body.is_empty());
    }
}

#[test]
fn a_response_that_its_version_cannot_express_is_an_error() {
    let answer = FindCoordinatorResponse::default().with_coordinators(vec![Default::default()]);
    let refused = encode::<FindCoordinatorRequest>(&header(ApiKey::FindCoordinator, 0), &answer);
    assert!(matches!(refused, Err(Error::Unencodable { .. })));
}

#[test]
fn fetch_responses_are_as_the_generated_decoder_expects_in_every_version() {
    let batch = Bytes::from_static(b"a stored batch");
    let answer = FetchResponse {
        error_code: 0,
        session_id: 7,
        topics: vec![FetchTopic {
            name: text("orders"),
            id: Uuid::from_u128(5),
            partitions: vec![
                FetchPartition {
                    index: 3,
                    high_watermark: 20,
                    last_stable_offset: 19,
                    log_start_offset: 2,
                    aborted_transactions: Some(vec![(8, 9)]),
                    records: vec![batch.slice(..2), batch.slice(2..)],
                    ..FetchPartition::default()
                },
                FetchPartition {
                    error_code: 3,
                    ..FetchPartition::default()
                },
            ],
        }],
    };
    for version in 4..=18 {
        let response = fetch::encode(&header(ApiKey::Fetch, version), &answer).unwrap();
        let carried = |chunk: &Bytes| batch.as_ptr_range().contains(&chunk.as_ptr());
        assert_eq!(response.chunks.iter().filter(|it| carried(it)).count(), 2);
        let mut body = body_of(&response, version >= 12);
        let decoded =
            <messages::FetchResponse as crate::Decodable>::decode(&mut body, version).unwrap();
        assert!(body.is_empty(), "version {version}");
        assert_eq!(decoded.session_id, if version >= 7 { 7 } else { 0 });
        let topic = &decoded.responses[0];
        match version {
            13.. => assert_eq!(topic.topic_id, Uuid::from_u128(5)),
            _ => assert_eq!(topic.topic, name("orders")),
        }
        let [full, failed] = &topic.partitions[..] else {
            panic!("two partitions");
        };
        assert_eq!((full.partition_index, full.high_watermark), (3, 20));
        assert_eq!(full.last_stable_offset, 19);
        assert_eq!(full.log_start_offset, if version >= 5 { 2 } else { -1 });
        assert_eq!(full.records.as_ref(), Some(&batch));
        let aborted = full.aborted_transactions.as_ref().unwrap();
        assert_eq!((aborted[0].producer_id.0, aborted[0].first_offset), (8, 9));
        assert_eq!(failed.error_code, 3);
        assert_eq!(failed.records.as_deref(), Some(&b""[..]));
        assert_eq!(failed.aborted_transactions, None);
    }
}

/// Decodes a body as the request that it claims to be; only a panic fails.
fn touch(key: ApiKey, version: i16, body: Bytes) {
    match key {
        ApiKey::Produce => drop(decode::<ProduceRequest>(version, body)),
        ApiKey::Fetch => drop(decode::<FetchRequest>(version, body)),
        ApiKey::Metadata => drop(decode::<MetadataRequest>(version, body)),
        ApiKey::JoinGroup => drop(decode::<JoinGroupRequest>(version, body)),
        ApiKey::CreateTopics => drop(decode::<CreateTopicsRequest>(version, body)),
        ApiKey::OffsetFetch => drop(decode::<OffsetFetchRequest>(version, body)),
        ApiKey::OffsetCommit => drop(decode::<OffsetCommitRequest>(version, body)),
        ApiKey::DescribeConfigs => drop(decode::<DescribeConfigsRequest>(version, body)),
        ApiKey::ApiVersions => drop(decode::<ApiVersionsRequest>(version, body)),
        ApiKey::DescribeTopicPartitions => {
            drop(decode::<DescribeTopicPartitionsRequest>(version, body));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn mutated_requests_never_panic(
        which in 0..api::APIS.len(),
        version_index in any::<proptest::sample::Index>(),
        mutations in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..5),
    ) {
        let api = &api::APIS[which];
        let count = usize::try_from(api.version_max - api.version_min + 1).unwrap();
        let version = api.version_min + version_index.index(count) as i16;
        let mut body = sample(api.key, version).to_vec();
        for (index, byte) in mutations.into_iter().filter(|_| !body.is_empty()).collect::<Vec<_>>() {
            let at = index.index(body.len());
            body[at] = byte;
        }
        touch(api.key, version, Bytes::from(body));
    }

    #[test]
    fn random_headers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = RequestHeader::split_from(&mut Bytes::from(bytes));
    }
}
