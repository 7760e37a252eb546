use std::time::Duration;

use bytes::Bytes;
use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    ParseResponseErrorCode, ResponseError, StrBytes,
    messages::{
        DeleteGroupsRequest, DescribeGroupsRequest, GroupId, HeartbeatRequest, JoinGroupRequest,
        JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
        OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest, SyncGroupResponse,
        join_group_request::JoinGroupRequestProtocol,
        leave_group_request::MemberIdentity,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
        offset_fetch_request::{
            OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        sync_group_request::SyncGroupRequestAssignment,
    },
};

use super::kit::{Client, settings, topic_name};
use crate::Settings;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

fn group() -> GroupId {
    GroupId(text("workers"))
}

fn join(member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"subscription"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

fn sync(member: &str, generation: i32, assignments: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let assignments = assignments.iter().map(|(member, assignment)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment))
    });
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(generation)
        .with_member_id(text(member))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(assignments.collect())
}

/// Joins as clients of version 4 and later do: first without an id, then with the one given.
async fn joined(client: &mut Client) -> JoinGroupResponse {
    let first = client.call(9, join("")).await;
    assert_eq!(
        first.error_code.err(),
        Some(ResponseError::MemberIdRequired)
    );
    assert!(
        first.member_id.starts_with("test-"),
        "{}",
        &*first.member_id
    );
    client.call(9, join(&first.member_id)).await
}

/// A group with one member that has its assignment.
async fn stable(client: &mut Client) -> (String, i32) {
    let joined = joined(client).await;
    assert_eq!(joined.error_code, 0);
    assert_eq!(joined.leader, joined.member_id);
    let member = joined.member_id.to_string();
    let synced = client
        .call(5, sync(&member, joined.generation_id, &[(&member, b"all")]))
        .await;
    assert_eq!(synced.error_code, 0);
    assert_eq!(&synced.assignment[..], b"all");
    (member, joined.generation_id)
}

fn heartbeat(member: &str, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text(member))
        .with_generation_id(generation)
}

fn commit(member: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("note")))
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![partition(0), partition(7)]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic])
}

#[tokio::test]
async fn a_group_waits_for_members_that_come_soon_after_the_first() {
    const GATHERING_MS: u32 = 60_000;
    let broker = TestBroker::start();
    let client = || {
        let gathering = Settings {
            group_gathering_ms: GATHERING_MS,
            ..settings()
        };
        Client::with(&broker.broker, gathering)
    };
    let (mut first, mut second, mut watcher) = (client(), client(), client());
    // Without ids, which version 3 doesn't require.
    let joining = async { tokio::join!(first.call(3, join("")), second.call(3, join(""))) };
    let passing = async {
        let request = DescribeGroupsRequest::default().with_groups(vec![group()]);
        loop {
            let described = watcher.call(5, request.clone()).await;
            if described.groups[0].members.len() == 2 {
                assert_eq!(&*described.groups[0].group_state, "PreparingRebalance");
                break;
            }
        }
        broker.pass(GATHERING_MS.into()).await;
    };
    let ((first, second), ()) = tokio::join!(joining, passing);
    assert_eq!((first.generation_id, second.generation_id), (1, 1));
    assert_eq!(first.members.len() + second.members.len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn a_member_joins_syncs_beats_and_leaves() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let (member, generation) = stable(&mut client).await;
    for version in 0..=4 {
        let beat = client.call(version, heartbeat(&member, generation)).await;
        assert_eq!(beat.error_code, 0);
    }
    let stale = client.call(4, heartbeat(&member, generation + 1)).await;
    assert_eq!(
        stale.error_code.err(),
        Some(ResponseError::IllegalGeneration)
    );
    let stranger = client.call(4, heartbeat("stranger", generation)).await;
    assert_eq!(
        stranger.error_code.err(),
        Some(ResponseError::UnknownMemberId)
    );
    let leave = LeaveGroupRequest::default()
        .with_group_id(group())
        .with_members(vec![
            MemberIdentity::default().with_member_id(text(&member)),
        ]);
    let left = client.call(5, leave).await;
    assert_eq!((left.error_code, left.members[0].error_code), (0, 0));
    let gone = client.call(4, heartbeat(&member, generation)).await;
    assert_eq!(gone.error_code.err(), Some(ResponseError::UnknownMemberId));
    broker.stop().await;
}

#[tokio::test]
async fn every_version_of_join_and_sync_is_answered() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    for version in 0..=9 {
        let mut request = join("");
        if version < 1 {
            request.rebalance_timeout_ms = -1;
        }
        let mut joined = client.call(version, request.clone()).await;
        if version >= 4 {
            request.member_id = joined.member_id;
            joined = client.call(version, request).await;
        }
        assert_eq!(joined.error_code, 0, "version {version}");
        let member = joined.member_id.to_string();
        let mut syncing = sync(&member, joined.generation_id, &[(&member, b"all")]);
        let sync_version = version.min(5);
        if sync_version < 5 {
            syncing.protocol_type = None;
            syncing.protocol_name = None;
        }
        let synced: SyncGroupResponse = client.call(sync_version, syncing).await;
        assert_eq!(&synced.assignment[..], b"all", "version {version}");
        let leave = LeaveGroupRequest::default()
            .with_group_id(group())
            .with_member_id(text(&member));
        assert_eq!(client.call(2, leave).await.error_code, 0);
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_static_leader_comes_back_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let named = || join("").with_group_instance_id(Some(text("the one")));
    let first = client.call(9, named()).await;
    let assignments: [(&str, &'static [u8]); 1] = [(&first.member_id, b"all")];
    let synced = client
        .call(5, sync(&first.member_id, first.generation_id, &assignments))
        .await;
    assert_eq!(synced.error_code, 0);
    // A response that the version can't encode would close the connection.
    for version in 5..=9 {
        let back = client.call(version, named()).await;
        assert_eq!(
            (back.error_code, back.generation_id),
            (0, first.generation_id)
        );
        assert_eq!(back.skip_assignment, version >= 9);
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_second_member_makes_the_first_join_again() {
    let broker = TestBroker::start();
    let (mut first, mut second) = (Client::of(&broker), Client::of(&broker));
    let (leader, generation) = stable(&mut first).await;
    let joining = tokio::spawn(async move {
        let joined = joined(&mut second).await;
        (second, joined)
    });
    let told = async {
        loop {
            let beat = first.call(4, heartbeat(&leader, generation)).await;
            if beat.error_code.err() == Some(ResponseError::RebalanceInProgress) {
                break;
            }
            assert_eq!(beat.error_code, 0);
            tokio::task::yield_now().await;
        }
        first.call(9, join(&leader)).await
    };
    let again = tokio::time::timeout(Duration::from_secs(120), told)
        .await
        .unwrap();
    let (mut second, follower) = joining.await.unwrap();
    assert_eq!(again.generation_id, follower.generation_id);
    assert!(again.generation_id > generation);
    assert_eq!(again.members.len(), 2, "the leader sees both");
    assert!(follower.members.is_empty());
    let member = follower.member_id.to_string();
    let waiting = sync(&member, follower.generation_id, &[]);
    let waiting = tokio::spawn(async move { second.call(5, waiting).await });
    let parts: [(&str, &[u8]); 2] = [(&leader, b"mine"), (&member, b"yours")];
    let led = first
        .call(5, sync(&leader, again.generation_id, &parts))
        .await;
    assert_eq!(&led.assignment[..], b"mine");
    assert_eq!(&waiting.await.unwrap().assignment[..], b"yours");
    broker.stop().await;
}

#[tokio::test]
async fn offsets_are_committed_and_fetched_in_every_version() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let (member, generation) = stable(&mut client).await;
    for version in 2..=9 {
        let request = commit(&member, generation, i64::from(version));
        let committed = client.call(version, request).await;
        let [known, unknown] = &committed.topics[0].partitions[..] else {
            panic!("two partitions");
        };
        assert_eq!(known.error_code, 0, "version {version}");
        let error = unknown.error_code.err();
        assert_eq!(error, Some(ResponseError::UnknownTopicOrPartition));
    }
    for version in 1..=7 {
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name("orders"))
            .with_partition_indexes(vec![0, 7]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group())
            .with_topics(Some(vec![topic]));
        let response = client.call(version, request).await;
        let offsets: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|it| it.committed_offset)
            .collect();
        assert_eq!(offsets, [9, -1], "version {version}");
    }
    for version in 8..=9 {
        let named = OffsetFetchRequestTopics::default()
            .with_name(topic_name("orders"))
            .with_partition_indexes(vec![0]);
        let ask = |name: &str, topics| {
            OffsetFetchRequestGroup::default()
                .with_group_id(GroupId(text(name)))
                .with_topics(topics)
        };
        let request = OffsetFetchRequest::default().with_groups(vec![
            ask("workers", Some(vec![named.clone()])),
            ask("workers", None),
            ask("nobody", Some(vec![named])),
        ]);
        let response = client.call(version, request).await;
        let offsets: Vec<_> = response
            .groups
            .iter()
            .map(|it| it.topics[0].partitions[0].committed_offset)
            .collect();
        assert_eq!(offsets, [9, 9, -1]);
        let noted = &response.groups[0].topics[0].partitions[0];
        assert_eq!(noted.metadata.as_deref(), Some("note"));
    }
    broker.stop().await;
}

/// kafkajs does this to reset a group, and to recover from an offset that is out of range.
#[tokio::test]
async fn a_negative_offset_is_committed_and_told_again() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let (member, generation) = stable(&mut client).await;
    for offset in [-2, -1] {
        let request = commit(&member, generation, offset);
        let committed = client.call(5, request).await;
        assert_eq!(committed.topics[0].partitions[0].error_code, 0);
        let topic = OffsetFetchRequestTopic::default()
            .with_name(topic_name("orders"))
            .with_partition_indexes(vec![0]);
        let request = OffsetFetchRequest::default()
            .with_group_id(group())
            .with_topics(Some(vec![topic]));
        let fetched = client.call(5, request).await;
        assert_eq!(fetched.topics[0].partitions[0].committed_offset, offset);
    }
    broker.stop().await;
}

#[tokio::test]
async fn commits_of_strangers_and_of_too_long_notes_are_refused() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    let (member, generation) = stable(&mut client).await;
    let mut long = commit(&member, generation, 1);
    long.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(5_000)));
    let cases = [
        (
            commit("stranger", generation, 1),
            ResponseError::UnknownMemberId,
        ),
        (
            commit(&member, generation + 5, 1),
            ResponseError::IllegalGeneration,
        ),
        (long, ResponseError::OffsetMetadataTooLarge),
    ];
    for (request, error) in cases {
        let response = client.call(8, request).await;
        let code = response.topics[0].partitions[0].error_code;
        assert_eq!(code.err(), Some(error));
    }
    broker.stop().await;
}

#[tokio::test]
async fn committed_offsets_survive_a_restart() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    // A consumer that isn't a member commits while the group has no members.
    let committed = client.call(8, commit("", -1, 5)).await;
    assert_eq!(committed.topics[0].partitions[0].error_code, 0);
    drop(client);
    let broker = broker.restart().await;
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(group())
        .with_topics(None);
    let request = OffsetFetchRequest::default().with_groups(vec![asked]);
    let response = Client::of(&broker).call(8, request).await;
    let partition = &response.groups[0].topics[0].partitions[0];
    assert_eq!(partition.committed_offset, 5);
    broker.stop().await;
}

#[tokio::test]
async fn groups_are_listed_described_and_deleted_when_empty() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let (member, _) = stable(&mut client).await;
    let listed = client.call(5, ListGroupsRequest::default()).await;
    assert_eq!(listed.groups.len(), 1);
    assert_eq!(&*listed.groups[0].group_state, "Stable");
    let others = ListGroupsRequest::default().with_states_filter(vec![text("Empty")]);
    assert!(client.call(5, others).await.groups.is_empty());
    let describe =
        DescribeGroupsRequest::default().with_groups(vec![group(), GroupId(text("nobody"))]);
    let described = client.call(5, describe.clone()).await;
    assert_eq!(&*described.groups[0].members[0].member_id, member);
    assert_eq!(&*described.groups[0].members[0].client_host, "/127.0.0.1");
    assert_eq!(&*described.groups[1].group_state, "Dead");
    let described = client.call(6, describe).await;
    let nobody = &described.groups[1];
    let error = nobody.error_code.err();
    assert_eq!(error, Some(ResponseError::GroupIdNotFound));
    let why = nobody.error_message.as_deref();
    assert_eq!(why, Some("Group nobody not found."));

    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
    let busy = client.call(2, delete.clone()).await;
    let error = busy.results[0].error_code.err();
    assert_eq!(error, Some(ResponseError::NonEmptyGroup));
    let leave = LeaveGroupRequest::default()
        .with_group_id(group())
        .with_member_id(text(&member));
    client.call(2, leave).await;
    assert_eq!(
        client.call(2, delete.clone()).await.results[0].error_code,
        0
    );
    let gone = client.call(2, delete).await;
    let error = gone.results[0].error_code.err();
    assert_eq!(error, Some(ResponseError::GroupIdNotFound));
    broker.stop().await;
}

#[tokio::test]
async fn committed_offsets_are_forgotten_on_request() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    client.create_topic("orders", 1).await;
    client.call(8, commit("", -1, 5)).await;
    let partition = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(topic_name("orders"))
        .with_partitions(vec![partition(0), partition(7)]);
    let request = OffsetDeleteRequest::default()
        .with_group_id(group())
        .with_topics(vec![topic]);
    let deleted = client.call(0, request).await;
    let codes: Vec<_> = deleted.topics[0]
        .partitions
        .iter()
        .map(|it| it.error_code.err())
        .collect();
    assert_eq!(codes, [None, Some(ResponseError::UnknownTopicOrPartition)]);
    broker.stop().await;
}

#[tokio::test]
async fn a_group_whose_members_say_too_much_takes_no_more_of_them() {
    let broker = TestBroker::start();
    let mut client = Client::of(&broker);
    let saying = |size_bytes: usize| {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from(vec![0; size_bytes]));
        join("").with_protocols(vec![protocol])
    };
    // Version 3 joins without getting an id first.
    let first = client.call(3, saying(15 << 20)).await;
    assert_eq!(first.error_code, 0);
    let second = client.call(3, saying(2 << 20)).await;
    let error = second.error_code.err();
    assert_eq!(error, Some(ResponseError::GroupMaxSizeReached));
    broker.stop().await;
}
