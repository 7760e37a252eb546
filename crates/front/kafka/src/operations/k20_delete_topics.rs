//! DeleteTopics (key 20), versions 1 to 6.
//!
//! Deletes topics with their records, by name or, from version 6 on, by id. A topic that is also a
//! queue is gone for every protocol.
//!
//! Deviations: the timeout isn't needed: a topic is gone when the response says so.
//!
//! Spec: `DeleteTopicsRequest.json`; KIP-516 (topic ids).

use stele_base_types::LogId;
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

use super::Operation;
use crate::{errors::Fault, session::Session};

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
            let result = DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id);
            results.push(match deleted {
                Ok(()) => result,
                Err(fault) => result
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

async fn delete(session: &Session, name: Option<&TopicName>, id: Uuid) -> Result<(), Fault> {
    let log = find(session, name, id)?;
    session.broker.delete_log(DeleteLog::anyway(log)).await?;
    Ok(())
}

fn find(session: &Session, name: Option<&TopicName>, id: Uuid) -> Result<LogId, Fault> {
    let topics = session.topics();
    let topic = match name {
        Some(_) if !id.is_nil() => {
            return Err(Fault::new(
                ResponseError::InvalidRequest,
                "a topic is named by its name or by its id, not by both",
            ));
        }
        Some(name) => topics.by_name(name, Action::Delete)?,
        None => topics.by_id(id, Action::Delete)?,
    };
    Ok(topic.log)
}
