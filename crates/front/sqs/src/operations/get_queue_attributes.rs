//! GetQueueAttributes: returns a queue's attributes, both configured and counted.
//!
//! - Fields: `QueueUrl`, `AttributeNames` (`All`); returns `Attributes`.
//! - The counts are exact at the time of counting. `ApproximateNumberOfMessages` includes messages
//!   published by any protocol; `…NotVisible` includes those held by consumers of any protocol.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>

use stele_core_broker::{Action, LogStatus};
use stele_core_engine::LogDefinition;
use stele_wire_sqs::{Error, Response, get_queue_attributes};

use crate::{
    attributes::{self, QueueAttributes},
    errors,
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: get_queue_attributes::Request,
) -> Result<Response, Error> {
    let definition = front.definition_at(context, &request.queue_url, Action::Describe)?;
    let names = wanted(&request.attribute_names)?;
    let counts = names.iter().any(|name| name.starts_with("Approximate"));
    let status = if counts {
        front
            .broker
            .status(definition.id)
            .await
            .map_err(errors::of_broker)?
    } else {
        LogStatus::default()
    };
    let set = QueueAttributes::of(&definition);
    let attributes = names.into_iter().filter_map(|name| {
        let told = set
            .value(name)
            .or_else(|| counted(front, &definition, &status, name));
        Some((name.to_owned(), told?))
    });
    let attributes = attributes.collect();
    Ok(Response::GetQueueAttributes(
        get_queue_attributes::Response { attributes },
    ))
}

fn wanted(asked: &[String]) -> Result<Vec<&str>, Error> {
    if asked.iter().any(|name| name == "All") {
        return Ok(attributes::names().collect());
    }
    if let Some(unknown) = asked.iter().find(|name| !attributes::is_known(name)) {
        return Err(attributes::unknown(unknown));
    }
    Ok(asked.iter().map(String::as_str).collect())
}

fn counted(
    front: &Front,
    definition: &LogDefinition,
    status: &LogStatus,
    name: &str,
) -> Option<String> {
    match name {
        "ApproximateNumberOfMessages" => Some(status.ready.to_string()),
        "ApproximateNumberOfMessagesNotVisible" => Some(status.leased.to_string()),
        "ApproximateNumberOfMessagesDelayed" => Some(status.delayed.to_string()),
        "CreatedTimestamp" => Some((definition.created.0 / 1000).to_string()),
        "LastModifiedTimestamp" => Some((definition.modified.0 / 1000).to_string()),
        "QueueArn" => Some(front.queue_arn(&definition.name)),
        _ => None,
    }
}
