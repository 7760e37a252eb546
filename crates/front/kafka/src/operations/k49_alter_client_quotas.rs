//! AlterClientQuotas (key 49), versions 0 to 1.
//!
//! Accepts removals of quotas, although there are none, and refuses to set any: a client would rely
//! on a limit that isn't enforced. The entities are validated as in Kafka.
//!
//! Deviations: no quota can be set. The keys of quotas aren't validated.
//!
//! Spec: `AlterClientQuotasRequest.json`; KIP-546.

use stele_wire_kafka::{
    RequestHeader, ResponseError,
    messages::{
        AlterClientQuotasRequest, AlterClientQuotasResponse,
        alter_client_quotas_request::{EntityData, EntryData},
        alter_client_quotas_response as response,
    },
};

use super::{
    Operation,
    k48_describe_client_quotas::{CLIENT_ID, IP, USER},
};
use crate::{errors::Fault, session::Session};

/// The operation.
pub(crate) struct AlterClientQuotas;

impl Operation for AlterClientQuotas {
    type Request = AlterClientQuotasRequest;

    const VERSIONS: (i16, i16) = (0, 1);

    async fn handle(
        _session: &mut Session,
        _header: &RequestHeader,
        request: AlterClientQuotasRequest,
    ) -> AlterClientQuotasResponse {
        let entries = request.entries.into_iter().map(answer);
        AlterClientQuotasResponse::default().with_entries(entries.collect())
    }
}

fn answer(entry: EntryData) -> response::EntryData {
    let refused = check(&entry).err();
    let entity = entry.entity.into_iter().map(|entity| {
        response::EntityData::default()
            .with_entity_type(entity.entity_type)
            .with_entity_name(entity.entity_name)
    });
    response::EntryData::default()
        .with_error_code(refused.as_ref().map_or(0, Fault::code))
        .with_error_message(refused.as_ref().and_then(Fault::text))
        .with_entity(entity.collect())
}

fn check(entry: &EntryData) -> Result<(), Fault> {
    check_entity(&entry.entity)?;
    match entry.ops.iter().all(|quota| quota.remove) {
        true => Ok(()),
        false => Err(invalid("Client quotas aren't supported")),
    }
}

fn check_entity(entity: &[EntityData]) -> Result<(), Fault> {
    if entity.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    for part in entity {
        let kind = &*part.entity_type;
        if ![USER, CLIENT_ID, IP].contains(&kind) {
            let message = format!("Unhandled client quota entity type: {kind}");
            return Err(invalid(message));
        }
        if part.entity_name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    let has_ip = entity.iter().any(|part| &*part.entity_type == IP);
    if has_ip && entity.len() > 1 {
        return Err(invalid(
            "Invalid quota entity combination, IP entity should not be combined with User or \
             ClientId",
        ));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(ResponseError::InvalidRequest, message)
}
