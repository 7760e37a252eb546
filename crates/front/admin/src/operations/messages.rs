//! `GET /v1/logs/NAME/messages?vhost=/&state=ready&after=NEXT&limit=100`: the messages of a queue
//! or topic, paged. Looking changes nothing: they are neither delivered nor moved. `state` is
//! `ready`, `leased`, `delayed`, `moving` or `dead`; without it, all messages that aren't settled
//! are listed. `next` is the `after` of the next page, or null on the last. A page may be short, or
//! empty, before the last one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use stele_base_types::{Offset, PartitionIndex, Principal, VHOST_DEFAULT};
use stele_core_broker::{self as broker, Action, PeekedMessage};
use stele_core_engine::{DeathReason, LedgerId, Peek, PeekState, limits::PEEK_RECORDS_MAX};

use super::log;
use crate::{
    errors::Error,
    limits::PAGE_MESSAGES_DEFAULT,
    router::{self, Answer},
    settings::Settings,
    state::State,
};

/// The end of the path.
pub(crate) const SUFFIX: &str = "/messages";

/// The header in which the AMQP front stores exchange, routing key and properties.
const AMQP: &[u8] = b"stele.amqp";

#[derive(Debug, PartialEq, Eq)]
struct Page {
    vhost: String,
    state: Option<PeekState>,
    after: Option<(PartitionIndex, Offset)>,
    limit: usize,
}

/// The response.
pub(crate) async fn answer(
    state: &State,
    settings: &Settings,
    principal: &Principal,
    name: &str,
    query: &str,
) -> Result<Answer, Error> {
    let page = Page::read(query)?;
    let broker = &state.serving()?.broker;
    let definition = log::find_in(broker, principal, name, &page.vhost, Action::Inspect)?;
    let found = broker.peek(Peek {
        log: definition.id,
        ledger: LedgerId::DEFAULT,
        state: page.state,
        after: page.after,
        records_max: page.limit,
    });
    let found = found.await.map_err(|error| match error {
        broker::Error::Refused(_) => Error::NoSuchLog,
        broker::Error::Failed(failure) => Error::Broker(failure),
    })?;
    let messages = found.messages.iter();
    let messages: Vec<_> = messages.map(|message| of(message, settings)).collect();
    let next = found.next;
    let next = next.map(|(partition, offset)| format!("{}:{}", partition.0, offset.0));
    let body = json!({ "messages": messages, "next": next });
    Ok(router::json_charged(&body, found.room))
}

impl Page {
    fn read(query: &str) -> Result<Self, Error> {
        let mut page = Self {
            vhost: VHOST_DEFAULT.to_owned(),
            state: None,
            after: None,
            limit: PAGE_MESSAGES_DEFAULT,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = |what: String| Error::BadQuery(format!("{name} must be {what}"));
            match &*name {
                "vhost" => page.vhost = value.into_owned(),
                "state" => {
                    let state = state_of(&value);
                    let words = "ready, leased, delayed, moving or dead".to_owned();
                    page.state = Some(state.ok_or_else(|| wrong(words))?);
                }
                "after" => {
                    let after = place(&value);
                    let words = "the next of another page".to_owned();
                    page.after = Some(after.ok_or_else(|| wrong(words))?);
                }
                "limit" => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=PEEK_RECORDS_MAX).contains(limit));
                    let words = format!("a number from 1 to {PEEK_RECORDS_MAX}");
                    page.limit = limit.ok_or_else(|| wrong(words))?;
                }
                _ => return Err(Error::BadQuery(format!("unknown parameter '{name}'"))),
            }
        }
        Ok(page)
    }
}

fn state_of(word: &str) -> Option<PeekState> {
    Some(match word {
        "ready" => PeekState::Ready,
        "leased" => PeekState::Leased,
        "delayed" => PeekState::Delayed,
        "moving" => PeekState::Moving,
        "dead" => PeekState::Dead,
        _ => return None,
    })
}

fn word(state: PeekState) -> &'static str {
    match state {
        PeekState::Ready => "ready",
        PeekState::Leased => "leased",
        PeekState::Delayed => "delayed",
        PeekState::Moving => "moving",
        PeekState::Dead => "dead",
    }
}

fn reason(reason: DeathReason) -> &'static str {
    match reason {
        DeathReason::Rejected => "rejected",
        DeathReason::Expired => "expired",
        DeathReason::Length => "length",
        DeathReason::Deliveries => "deliveries",
    }
}

fn place(text: &str) -> Option<(PartitionIndex, Offset)> {
    let (partition, offset) = text.split_once(':')?;
    let partition = PartitionIndex(partition.parse().ok()?);
    Some((partition, Offset(offset.parse().ok()?)))
}

/// A message as JSON. Its content is null if it can't be read.
fn of(message: &PeekedMessage, settings: &Settings) -> Value {
    let found = message.found;
    let lease = found.lease.map(|(_, holder)| {
        let open = settings.connections.list();
        let mut open = open.iter();
        let connection = open.find(|info| info.principal.session == Some(holder.session));
        json!({
            "session": holder.session.0,
            "consumer": holder.consumer.0,
            "connection": connection.map(|info| info.name()),
        })
    });
    let mut shown = json!({
        "partition": found.partition.0,
        "offset": found.offset.0,
        "state": word(found.state),
        "deliveries": found.deliveries,
        "until": found.until.map(|until| until.0),
        "reason": found.reason.map(reason),
        "lease": lease,
        "timestamp": null,
        "key": null,
        "exchange": null,
        "routing_key": null,
        "headers": [],
        "body": null,
        "body_bytes": message.body_bytes,
    });
    if let Some(record) = &message.content {
        let headers = record.headers.iter().filter(|header| header.key != AMQP);
        let headers = headers.map(|header| {
            let name = String::from_utf8_lossy(header.key);
            json!({ "name": name, "value": header.value.map(readable) })
        });
        shown["timestamp"] = record.timestamp.0.into();
        shown["key"] = record.key.as_deref().map(readable).into();
        shown["headers"] = headers.collect::<Vec<_>>().into();
        let body = record.value.as_deref();
        shown["body"] = body.map(|body| cut(body, message.body_bytes)).into();
        let routed = record.headers.iter().find(|header| header.key == AMQP);
        if let Some((exchange, key)) = routed.and_then(|header| routed_by(header.value?)) {
            shown["exchange"] = String::from_utf8_lossy(exchange).into();
            shown["routing_key"] = String::from_utf8_lossy(key).into();
        }
    }
    shown
}

/// Bytes as text if they are text, otherwise in base64.
fn readable(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// The first part of a body of so many bytes. The last character may have been cut.
fn cut(body: &[u8], body_bytes: usize) -> Value {
    const CHARACTER_BYTES_MAX: usize = 4;
    let is_cut = body.len() < body_bytes;
    match std::str::from_utf8(body) {
        Err(error) if is_cut && body.len() - error.valid_up_to() < CHARACTER_BYTES_MAX => {
            readable(&body[..error.valid_up_to()])
        }
        _ => readable(body),
    }
}

/// Exchange and routing key, from their stored form: a version, and two short strings.
fn routed_by(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let (1, rest) = stored
        .split_first()
        .map(|(version, rest)| (*version, rest))?
    else {
        return None;
    };
    let (exchange, rest) = short_string(rest)?;
    let (key, _) = short_string(rest)?;
    Some((exchange, key))
}

fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let page = Page::read("vhost=%2Fa&state=leased&after=3:17&limit=1000").expect("a query");
        assert_eq!(page.vhost, "/a");
        assert_eq!(page.state, Some(PeekState::Leased));
        assert_eq!(page.after, Some((PartitionIndex(3), Offset(17))));
        assert_eq!(page.limit, 1000);
        for wrong in [
            "state=settled",
            "after=3",
            "after=a:b",
            "after=-1:0",
            "after=0:99999999999999999999",
            "limit=0",
            "limit=1001",
            "limit=-1",
            "name=x",
        ] {
            let refused = Page::read(wrong);
            assert!(matches!(refused, Err(Error::BadQuery(_))), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_text_or_base64_also_where_it_is_cut() {
        assert_eq!(cut(b"text", 4), json!({ "text": "text" }));
        assert_eq!(cut(b"\xff", 1), json!({ "base64": "/w==" }));
        // The first byte of two.
        assert_eq!(cut(b"a\xc3", 10), json!({ "text": "a" }));
        assert_eq!(cut(b"a\xc3", 2), json!({ "base64": "YcM=" }));
        assert_eq!(cut(b"", 0), json!({ "text": "" }));
    }

    #[test]
    fn a_stored_form_that_is_cut_names_no_exchange() {
        let stored = b"\x01\x02ex\x03key\0\0";
        assert_eq!(routed_by(stored), Some((&b"ex"[..], &b"key"[..])));
        for length in 0..8 {
            assert_eq!(routed_by(&stored[..length]), None, "{length}");
        }
        assert_eq!(routed_by(b"\x02\0\0"), None);
    }
}
