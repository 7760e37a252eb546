//! DeleteTopics (key 20), versions 1 to 6.
//!
//! Deletes topics with their records, by name or, in versions 6 and later, by id. A topic that is
//! also a queue is deleted for every protocol.
//!
//! Deviations: the timeout isn't needed: a topic is deleted when the response is sent.
//!
//! Spec: `DeleteTopicsRequest.json`; KIP-516 (topic ids).

use stele_core_broker::Action;
use stele_core_engine::DeleteLog;
use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
        delete_topics_request::DeleteTopicState, delete_topics_response::DeletableTopicResult,
    },
};
use uuid::Uuid;

use super::{Operation, topic_name};
use crate::{errors::Fault, session::Session, topics::Topic};

/// The first version that names topics in structures.
const STATES_SINCE: i16 = 6;

/// The operation.
pub(crate) struct DeleteTopics;

impl Operation for DeleteTopics {
    type Request = DeleteTopicsRequest;

    const VERSIONS: (i16, i16) = (1, 6);

    async fn handle(
        session: &mut Session,
        header: &RequestHeader,
        request: DeleteTopicsRequest,
    ) -> DeleteTopicsResponse {
        let asked: Vec<(Option<TopicName>, Uuid)> = match header.api_version {
            STATES_SINCE.. => request.topics.into_iter().map(asked).collect(),
            _ => {
                let names = request.topic_names.into_iter();
                names.map(|name| (Some(name), Uuid::nil())).collect()
            }
        };
        let mut results = Vec::with_capacity(asked.len());
        for (name, id) in asked {
            let deleted = delete(session, name.as_ref(), id).await;
            let result = DeletableTopicResult::default();
            results.push(match deleted {
                Ok(topic) => result
                    .with_name(Some(topic_name(&topic.name)))
                    .with_topic_id(session.topics().id(topic.log)),
                Err(fault) => result
                    .with_name(name)
                    .with_topic_id(id)
                    .with_error_code(fault.code())
                    .with_error_message(fault.text()),
            });
        }
        DeleteTopicsResponse::default().with_responses(results)
    }
}

fn asked(state: DeleteTopicState) -> (Option<TopicName>, Uuid) {
    (state.name, state.topic_id)
}

async fn delete(session: &Session, name: Option<&TopicName>, id: Uuid) -> Result<Topic, Fault> {
    let topic = find(session, name, id)?;
    let delete = DeleteLog::anyway(topic.log);
    session.broker.delete_log(delete).await?;
    Ok(topic)
}

fn find(session: &Session, name: Option<&TopicName>, id: Uuid) -> Result<Topic, Fault> {
    let topics = session.topics();
    match name {
        Some(_) if !id.is_nil() => {
            let message = "a topic must be given by name or by id, not by both";
            Err(Fault::new(ResponseError::InvalidRequest, message))
        }
        Some(name) => topics.by_name(name, Action::Delete),
        None => topics.by_id(id, Action::Delete),
    }
}
