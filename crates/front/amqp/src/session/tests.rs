use stele_base_types::{Offset, PartitionIndex, Principal};
use stele_core_engine::{LeaseId, Outcome};
use stele_wire_amqp::{RawProperties, Writer, method::queue};
use tokio::time::Instant;

use super::*;
use crate::negotiation::Capabilities;

fn session() -> Session {
    let opened = Opened {
        principal: Principal::anonymous(([127, 0, 0, 1], 40_000).into()),
        vhost: Name::vhost_default(),
        channel_max: 2,
        frame_bytes_max: 4096,
        heartbeat_s: 0,
        capabilities: Capabilities::default(),
        client_properties: Vec::new(),
    };
    let mut session = Session::new(opened, 1 << 30);
    session.open_channel(1).unwrap();
    session
}

fn method(channel: u16, method: impl Into<Method>) -> Frame {
    let mut payload = bytes::BytesMut::new();
    method.into().encode(&mut Writer::new(&mut payload));
    Frame::Method {
        channel,
        payload: payload.freeze(),
    }
}

fn header(channel: u16, body_size: u64) -> Frame {
    let mut payload = bytes::BytesMut::new();
    let header = ContentHeader {
        class_id: 60,
        body_size,
        properties: RawProperties::default(),
    };
    header.encode(&mut Writer::new(&mut payload));
    Frame::Header {
        channel,
        payload: payload.freeze(),
    }
}

fn body(channel: u16, size: usize) -> Frame {
    Frame::Body {
        channel,
        payload: Bytes::from(vec![0; size]),
    }
}

fn text(result: Result<Option<Command>, Failure>) -> String {
    result.expect_err("a failure").fault.text()
}

#[test]
fn a_message_is_put_together_between_those_of_other_channels() {
    let mut session = session();
    session.open_channel(2).unwrap();
    for frame in [
        method(1, basic::Publish::default()),
        method(2, basic::Publish::default()),
        header(1, 2),
        header(2, 1),
        body(1, 1),
    ] {
        assert!(session.accept(frame).unwrap().is_none());
    }
    let whole = session.accept(body(2, 1)).unwrap();
    assert!(matches!(whole, Some(Command::Publish(2, _))));
    let whole = session.accept(body(1, 1)).unwrap();
    assert!(matches!(whole, Some(Command::Publish(1, content)) if content.body.size_bytes() == 2));
    assert_eq!(session.unfinished(), Unfinished::default());
}

#[test]
fn an_empty_message_needs_no_body_frame() {
    let mut session = session();
    session
        .accept(method(1, basic::Publish::default()))
        .unwrap();
    assert!(matches!(
        session.accept(header(1, 0)).unwrap(),
        Some(Command::Publish(1, _))
    ));
}

#[test]
fn methods_within_a_message_close_the_connection() {
    let mut session = session();
    session
        .accept(method(1, basic::Publish::default()))
        .unwrap();
    let result = session.accept(method(1, queue::Declare::default()));
    assert_eq!(
        text(result),
        "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame \
         instead"
    );
}

#[test]
fn content_without_a_method_closes_the_connection() {
    assert!(text(session().accept(header(1, 1))).starts_with("UNEXPECTED_FRAME"));
    assert!(text(session().accept(body(1, 1))).starts_with("UNEXPECTED_FRAME"));
    assert!(text(session().accept(body(7, 1))).starts_with("UNEXPECTED_FRAME"));
    assert!(text(session().accept(body(0, 1))).starts_with("UNEXPECTED_FRAME"));
}

#[test]
fn a_channel_is_opened_first_and_once() {
    let mut session = session();
    let result = session.accept(method(2, queue::Declare::default()));
    assert_eq!(text(result), "CHANNEL_ERROR - expected 'channel.open'");
    let result = session.accept(method(1, channel::Open {}));
    assert_eq!(text(result), "CHANNEL_ERROR - second 'channel.open' seen");
    session.open_channel(2).unwrap();
    let fault = session.open_channel(3).unwrap_err();
    assert_eq!(
        fault.text(),
        "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)"
    );
}

#[test]
fn connection_methods_come_on_channel_0_alone() {
    let mut session = session();
    let on_channel = session.accept(method(1, connection::CloseOk {}));
    assert!(text(on_channel).starts_with("COMMAND_INVALID"));
    let on_connection = session.accept(method(0, queue::Declare::default()));
    assert!(text(on_connection).starts_with("COMMAND_INVALID"));
}

#[test]
fn a_closing_channel_drops_all_but_its_end() {
    let mut session = session();
    session
        .accept(method(1, basic::Publish::default()))
        .unwrap();
    session.begin_closing(1);
    let undecodable = Frame::Method {
        channel: 1,
        payload: Bytes::from_static(b"\0\x3c\0\x0a"),
    };
    for frame in [
        header(1, 3),
        body(1, 3),
        method(1, queue::Declare::default()),
        undecodable,
    ] {
        assert!(session.accept(frame).unwrap().is_none());
    }
    let end = session.accept(method(1, channel::CloseOk {})).unwrap();
    assert!(matches!(end, Some(Command::Method(1, _))));
}

#[test]
fn unfinished_bodies_are_bounded_over_all_channels() {
    const SIZE_BYTES: u64 = 48 << 20;
    for (body_bytes_max, taken_max) in [(SIZE_BYTES, ASSEMBLY_BYTES_MAX), (80 << 20, 80 << 20)] {
        let mut session = session();
        session.body_bytes_max = body_bytes_max;
        session.open_channel(2).unwrap();
        for number in [1, 2] {
            let publish = method(number, basic::Publish::default());
            session.accept(publish).unwrap();
            session.accept(header(number, SIZE_BYTES)).unwrap();
        }
        let piece = 1 << 20;
        let mut taken = 0;
        let failure = loop {
            match session.accept(body(1 + u16::from(taken % 2 == 0), piece)) {
                Ok(_) => taken += 1,
                Err(failure) => break failure,
            }
        };
        assert_eq!(taken << 20, taken_max);
        assert!(failure.fault.text().starts_with("RESOURCE_ERROR"));
    }
}

#[test]
fn a_channel_gives_back_what_it_held() {
    let mut session = session();
    let subscription = Subscription {
        channel: 1,
        tag: ShortString::from_static("t"),
        queue: Name::new("q").unwrap(),
        log: LogId(3),
        no_ack: false,
        exclusive: false,
        counts_deliveries: false,
        reads: false,
    };
    let id = session.add_subscription(subscription);
    assert_eq!(session.consumed_logs(1), [LogId(3)]);
    let unacked = Unacked {
        log: LogId(3),
        partition: PartitionIndex(0),
        offset: Offset(0),
        lease: LeaseId(1),
        is_counted: true,
        read_by: None,
    };
    let channel = session.channel(1).unwrap();
    channel.deliveries.leased(unacked, Instant::now());
    let mut transaction = Transaction::default();
    transaction.settle(2, unacked, Outcome::Done).unwrap();
    channel.transaction = Some(transaction);
    let released = session.begin_closing(1);
    assert_eq!(released.consumers.len(), 1);
    assert_eq!(released.unacked, [unacked, unacked]);
    assert!(session.subscription(id).is_none());
    assert!(session.channel(1).is_err());
    session.forget(1);
    session.open_channel(1).unwrap();
    assert_eq!(session.channel(1).unwrap().id.life, 2);
}

#[test]
fn each_shard_is_told_what_the_others_leave_of_a_shared_bound() {
    let shard_of = |log: LogId| ShardId(u16::try_from(log.0 % 2).unwrap());
    let mut session = session();
    for (tag, log) in [("a", 2), ("b", 4), ("c", 5)] {
        session.add_subscription(Subscription {
            channel: 1,
            tag: ShortString::from_static(tag),
            queue: Name::new(tag).unwrap(),
            log: LogId(log),
            no_ack: false,
            exclusive: false,
            counts_deliveries: false,
            reads: false,
        });
    }
    let told = |session: &mut Session| -> Vec<(u64, u32)> {
        let changed = session.changed_bounds(shard_of);
        changed
            .iter()
            .map(|bound| (bound.log.0 % 2, bound.limit))
            .collect()
    };
    assert_eq!(told(&mut session), [], "no bound is shared");
    session.channel(1).unwrap().prefetch_shared = Some(10);
    assert_eq!(told(&mut session), [(0, 10), (1, 10)]);
    assert_eq!(told(&mut session), []);
    let unacked = |log: u64| Unacked {
        log: LogId(log),
        partition: PartitionIndex(0),
        offset: Offset(0),
        lease: LeaseId(1),
        is_counted: true,
        read_by: None,
    };
    let deliveries = &mut session.channel(1).unwrap().deliveries;
    for log in [2, 2, 4, 5] {
        deliveries.leased(unacked(log), Instant::now());
    }
    assert_eq!(told(&mut session), [(0, 9), (1, 7)]);
    let channel = session.channel(1).unwrap();
    assert_eq!(channel.bound_at(ShardId(1), shard_of), Some(7));
    channel.deliveries.take(3, true).unwrap();
    assert_eq!(told(&mut session), [(1, 10)]);
    session.channel(1).unwrap().deliveries.take_all();
    assert_eq!(told(&mut session), [(0, 10)]);
}
