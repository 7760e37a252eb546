use stele_wire_kafka::messages::{
    TopicName,
    fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
};

use super::*;

fn request(session_id: i32, session_epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest {
    let partitions = partitions.iter().map(|(index, offset)| {
        FetchPartition::default()
            .with_partition(*index)
            .with_fetch_offset(*offset)
    });
    FetchRequest::default()
        .with_session_id(session_id)
        .with_session_epoch(session_epoch)
        .with_topics(vec![
            FetchTopic::default()
                .with_topic(TopicName(StrBytes::from_static_str("orders")))
                .with_partitions(partitions.collect()),
        ])
}

fn plan(request: &FetchRequest, current: Option<FetchSession>) -> Result<Plan, ResponseError> {
    Plan::new(12, request, current, 77)
}

fn opened(partitions: &[(i32, i64)]) -> FetchSession {
    let plan = plan(&request(0, 0, partitions), None).unwrap();
    assert!(!plan.is_incremental);
    plan.session.unwrap()
}

fn offsets(plan: &Plan) -> Vec<(i32, i64)> {
    let item = |(key, wanted): &(PartitionKey, Wanted)| (key.index, wanted.offset);
    plan.items.iter().map(item).collect()
}

fn key(index: i32) -> PartitionKey {
    PartitionKey {
        topic: TopicKey::Name(StrBytes::from_static_str("orders")),
        index,
    }
}

#[test]
fn a_request_of_the_final_epoch_ends_the_session() {
    let session = opened(&[(0, 0)]);
    let plan = plan(&request(77, -1, &[(0, 5)]), Some(session)).unwrap();
    assert!(plan.session.is_none());
    assert_eq!(offsets(&plan), [(0, 5)]);
}

#[test]
fn an_incremental_request_changes_adds_and_forgets() {
    let session = opened(&[(0, 0), (1, 0), (2, 0)]);
    let mut changes = request(77, 1, &[(1, 10), (3, 7)]);
    changes.forgotten_topics_data = vec![
        ForgottenTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str("orders")))
            .with_partitions(vec![0, 9]),
    ];
    let plan = plan(&changes, Some(session)).unwrap();
    assert!(plan.is_incremental);
    assert_eq!(offsets(&plan), [(1, 10), (2, 0), (3, 7)]);
}

#[test]
fn a_session_of_another_connection_is_not_found() {
    let refused = plan(&request(5, 1, &[]), Some(opened(&[(0, 0)]))).unwrap_err();
    assert_eq!(refused, ResponseError::FetchSessionIdNotFound);
    let refused = plan(&request(77, 1, &[]), None).unwrap_err();
    assert_eq!(refused, ResponseError::FetchSessionIdNotFound);
}

#[test]
fn an_epoch_out_of_turn_is_refused() {
    let refused = plan(&request(77, 2, &[]), Some(opened(&[(0, 0)]))).unwrap_err();
    assert_eq!(refused, ResponseError::InvalidFetchSessionEpoch);
}

#[test]
fn a_session_that_has_forgotten_all_ends() {
    let mut changes = request(77, 1, &[]);
    changes.forgotten_topics_data = vec![
        ForgottenTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str("orders")))
            .with_partitions(vec![0]),
    ];
    let plan = plan(&changes, Some(opened(&[(0, 0)]))).unwrap();
    assert!(plan.session.is_none());
}

#[test]
fn only_news_is_shown_again() {
    let mut session = opened(&[(0, 0)]);
    let shown = |high_watermark| {
        Some(Shown {
            high_watermark,
            log_start_offset: 0,
        })
    };
    assert!(session.show(&key(0), shown(3)));
    assert!(!session.show(&key(0), shown(3)));
    assert!(session.show(&key(0), shown(4)));
    assert!(session.show(&key(0), None), "an error is always news");
    assert!(session.show(&key(0), shown(4)), "and so is its end");
}

#[test]
fn partitions_that_were_served_go_behind_the_others() {
    let mut session = opened(&[(0, 0), (1, 0), (2, 0)]);
    session.move_back(&HashSet::from_iter([key(0), key(1)]));
    let plan = plan(&request(77, 1, &[]), Some(session)).unwrap();
    assert_eq!(offsets(&plan), [(2, 0), (0, 0), (1, 0)]);
}

#[test]
fn an_epoch_wraps_to_1() {
    let mut session = opened(&[(0, 0)]);
    session.epoch = i32::MAX;
    let plan = plan(&request(77, i32::MAX, &[]), Some(session)).unwrap();
    assert_eq!(plan.session.unwrap().epoch, 1);
}
