use std::io::Cursor;

use amq_protocol::protocol::{AMQPClass, gen_class, parse_class};
use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::{ShortOctets, ShortString, Table, Value};

fn encoded(method: &Method) -> Bytes {
    let mut out = BytesMut::new();
    method.encode(&mut Writer::new(&mut out));
    out.freeze()
}

/// Every method once, with fields that differ from their defaults.
fn every_method() -> Vec<Method> {
    [
        negotiation(),
        connection_life(),
        channels(),
        realms(),
        exchanges(),
        queues(),
        consuming(),
        messages(),
        settling(),
        publishing_modes(),
    ]
    .concat()
}

fn text() -> ShortString {
    ShortString::from_static("name")
}

fn octets() -> Bytes {
    Bytes::from_static(b"octets")
}

fn table() -> Table {
    Table::new()
        .with("x", Value::Int32(-7))
        .with("s", Value::text("text"))
        .with("t", Value::Table(Table::new().with("b", Value::Bool(true))))
}

fn negotiation() -> Vec<Method> {
    vec![
        connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: table(),
            mechanisms: octets(),
            locales: octets(),
        }
        .into(),
        connection::StartOk {
            client_properties: table(),
            mechanism: text(),
            response: octets(),
            locale: text(),
        }
        .into(),
        connection::Secure {
            challenge: octets(),
        }
        .into(),
        connection::SecureOk { response: octets() }.into(),
        connection::Tune {
            channel_max: 1,
            frame_max: 2,
            heartbeat: 3,
        }
        .into(),
        connection::TuneOk {
            channel_max: 1,
            frame_max: 2,
            heartbeat: 3,
        }
        .into(),
    ]
}

fn connection_life() -> Vec<Method> {
    vec![
        connection::Open {
            virtual_host: text(),
        }
        .into(),
        connection::OpenOk {}.into(),
        connection::Close {
            reply_code: 320,
            reply_text: text(),
            class_id: 1,
            method_id: 2,
        }
        .into(),
        connection::CloseOk {}.into(),
        connection::Blocked { reason: text() }.into(),
        connection::Unblocked {}.into(),
        connection::UpdateSecret {
            new_secret: octets(),
            reason: text(),
        }
        .into(),
        connection::UpdateSecretOk {}.into(),
    ]
}

fn realms() -> Vec<Method> {
    vec![
        access::Request {
            realm: text(),
            exclusive: false,
            passive: true,
            active: false,
            write: true,
            read: true,
        }
        .into(),
        access::RequestOk { ticket: 1 }.into(),
    ]
}

fn channels() -> Vec<Method> {
    vec![
        channel::Open {}.into(),
        channel::OpenOk {}.into(),
        channel::Flow { active: true }.into(),
        channel::FlowOk { active: true }.into(),
        channel::Close {
            reply_code: 404,
            reply_text: text(),
            class_id: 1,
            method_id: 2,
        }
        .into(),
        channel::CloseOk {}.into(),
    ]
}

fn exchanges() -> Vec<Method> {
    vec![
        exchange::Declare {
            exchange: text(),
            kind: text(),
            passive: true,
            durable: false,
            auto_delete: true,
            internal: false,
            no_wait: true,
            arguments: table(),
        }
        .into(),
        exchange::DeclareOk {}.into(),
        exchange::Delete {
            exchange: text(),
            if_unused: false,
            no_wait: true,
        }
        .into(),
        exchange::DeleteOk {}.into(),
        exchange::Bind {
            destination: text(),
            source: text(),
            routing_key: text(),
            no_wait: true,
            arguments: table(),
        }
        .into(),
        exchange::BindOk {}.into(),
        exchange::Unbind {
            destination: text(),
            source: text(),
            routing_key: text(),
            no_wait: true,
            arguments: table(),
        }
        .into(),
        exchange::UnbindOk {}.into(),
    ]
}

fn queues() -> Vec<Method> {
    vec![
        queue::Declare {
            queue: text(),
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: true,
            no_wait: false,
            arguments: table(),
        }
        .into(),
        queue::DeclareOk {
            queue: text(),
            message_count: 1,
            consumer_count: 2,
        }
        .into(),
        queue::Bind {
            queue: text(),
            exchange: text(),
            routing_key: text(),
            no_wait: true,
            arguments: table(),
        }
        .into(),
        queue::BindOk {}.into(),
        queue::Purge {
            queue: text(),
            no_wait: true,
        }
        .into(),
        queue::PurgeOk { message_count: 1 }.into(),
        queue::Delete {
            queue: text(),
            if_unused: true,
            if_empty: false,
            no_wait: true,
        }
        .into(),
        queue::DeleteOk { message_count: 1 }.into(),
        queue::Unbind {
            queue: text(),
            exchange: text(),
            routing_key: text(),
            arguments: table(),
        }
        .into(),
        queue::UnbindOk {}.into(),
    ]
}

fn consuming() -> Vec<Method> {
    vec![
        basic::Qos {
            // The other implementation treats this field as reserved.
            prefetch_size: 0,
            prefetch_count: 2,
            global: true,
        }
        .into(),
        basic::QosOk {}.into(),
        basic::Consume {
            queue: text(),
            consumer_tag: text(),
            no_local: true,
            no_ack: false,
            exclusive: true,
            no_wait: false,
            arguments: table(),
        }
        .into(),
        basic::ConsumeOk {
            consumer_tag: text(),
        }
        .into(),
        basic::Cancel {
            consumer_tag: text(),
            no_wait: true,
        }
        .into(),
        basic::CancelOk {
            consumer_tag: text(),
        }
        .into(),
    ]
}

fn messages() -> Vec<Method> {
    vec![
        basic::Publish {
            exchange: text().into(),
            routing_key: text().into(),
            mandatory: true,
            immediate: false,
        }
        .into(),
        basic::Return {
            reply_code: 312,
            reply_text: text(),
            exchange: text().into(),
            routing_key: text().into(),
        }
        .into(),
        basic::Deliver {
            consumer_tag: text(),
            delivery_tag: 1,
            redelivered: true,
            exchange: text().into(),
            routing_key: text().into(),
        }
        .into(),
        basic::Get {
            queue: text(),
            no_ack: true,
        }
        .into(),
        basic::GetOk {
            delivery_tag: 1,
            redelivered: true,
            exchange: text().into(),
            routing_key: text().into(),
            message_count: 2,
        }
        .into(),
        basic::GetEmpty {}.into(),
    ]
}

fn settling() -> Vec<Method> {
    vec![
        basic::Ack {
            delivery_tag: 1,
            multiple: true,
        }
        .into(),
        basic::Reject {
            delivery_tag: 1,
            requeue: true,
        }
        .into(),
        basic::RecoverAsync { requeue: true }.into(),
        basic::Recover { requeue: true }.into(),
        basic::RecoverOk {}.into(),
        basic::Nack {
            delivery_tag: 1,
            multiple: false,
            requeue: true,
        }
        .into(),
    ]
}

fn publishing_modes() -> Vec<Method> {
    vec![
        confirm::Select { no_wait: true }.into(),
        confirm::SelectOk {}.into(),
        tx::Select {}.into(),
        tx::SelectOk {}.into(),
        tx::Commit {}.into(),
        tx::CommitOk {}.into(),
        tx::Rollback {}.into(),
        tx::RollbackOk {}.into(),
    ]
}

#[test]
fn every_method_reads_back_as_it_was_written() {
    for method in every_method() {
        assert_eq!(
            Method::decode(encoded(&method)),
            Ok(method.clone()),
            "{}",
            method.name()
        );
    }
}

#[test]
fn another_implementation_writes_every_method_as_we_do() {
    for method in every_method() {
        let octets = encoded(&method);
        let (rest, theirs): (&[u8], AMQPClass) =
            parse_class(&octets[..]).unwrap_or_else(|error| panic!("{method:?}: {error}"));
        assert!(rest.is_empty(), "{method:?}");
        assert_eq!(
            (theirs.get_amqp_class_id(), theirs.get_amqp_method_id()),
            method.ids()
        );
        let mut written = vec![0; octets.len()];
        gen_class(&theirs)(Cursor::new(&mut written[..]).into())
            .unwrap_or_else(|_| panic!("{method:?}"));
        let again = Method::decode(Bytes::from(written));
        assert_eq!(again.map(|again| sorted(&again)), Ok(sorted(&method)));
    }
}

/// The other implementation sorts its tables, so sorted octets are compared.
fn sorted(method: &Method) -> Vec<u8> {
    let mut octets = encoded(method).to_vec();
    octets.sort_unstable();
    octets
}

#[test]
fn a_publish_has_these_octets() {
    let publish = basic::Publish {
        exchange: ShortOctets::EMPTY,
        routing_key: ShortOctets::from_static("orders"),
        mandatory: true,
        immediate: false,
    };
    assert_eq!(
        encoded(&publish.into()),
        &b"\x00\x3c\x00\x28\x00\x00\x00\x06orders\x01"[..]
    );
}

#[test]
fn flags_of_a_declaration_share_one_octet() {
    let declare = queue::Declare {
        queue: ShortString::from_static("q"),
        durable: true,
        auto_delete: true,
        ..queue::Declare::default()
    };
    assert_eq!(
        encoded(&declare.into()),
        &b"\x00\x32\x00\x0a\x00\x00\x01q\x0a\x00\x00\x00\x00"[..]
    );
}

#[test]
fn unknown_methods_are_told_from_malformed_ones() {
    let decode = |octets: &'static [u8]| Method::decode(Bytes::from_static(octets));
    assert_eq!(decode(b"\x00\x3c"), Err(MethodError::NoIds(2)));
    assert_eq!(
        decode(b"\x00\x1f\x00\x0a"),
        Err(MethodError::Unknown {
            class_id: 31,
            method_id: 10
        })
    );
    assert_eq!(
        decode(b"\x00\x3c\x00\x28\x00"),
        Err(MethodError::Fields {
            class_id: 60,
            method_id: 40,
            source: ReadError::Truncated { needed: 2, left: 1 },
        })
    );
    assert_eq!(
        decode(b"\x00\x5a\x00\x0a!"),
        Err(MethodError::Fields {
            class_id: 90,
            method_id: 10,
            source: ReadError::Trailing(1),
        })
    );
}

proptest! {
    #[test]
    fn no_payload_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Method::decode(Bytes::from(octets));
    }

    #[test]
    fn no_cut_or_change_of_a_method_panics(
        which in any::<prop::sample::Index>(),
        length in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let methods = every_method();
        let mut octets = encoded(which.get(&methods)).to_vec();
        let at = at.index(octets.len());
        octets[at] = octet;
        octets.truncate(length.index(octets.len() + 1));
        let _ = Method::decode(Bytes::from(octets));
    }
}
