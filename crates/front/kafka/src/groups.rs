//! Functions shared by the operations on groups.

use stele_base_types::Name;
use stele_core_engine::{GroupCommand, GroupError};
use stele_wire_kafka::ResponseError;

use crate::{
    errors::{Coded as _, of_group},
    limits::ID_SIZE_BYTES_MAX,
    session::Session,
};

/// A group id as a name.
pub(crate) fn group_name(group: &str) -> Result<Name, ResponseError> {
    if group.len() > ID_SIZE_BYTES_MAX {
        return Err(ResponseError::InvalidGroupId);
    }
    Name::new(group).map_err(|_| ResponseError::InvalidGroupId)
}

/// Sends a command to a group.
pub(crate) async fn command<C: GroupCommand>(
    session: &Session,
    command: C,
) -> Result<C::Reply, ResponseError> {
    let answer = session.broker.group(command).await;
    answer.map_err(|error| of_group(&error))
}

/// The error codes of results.
pub(crate) fn codes(results: Vec<Result<(), GroupError>>) -> Vec<i16> {
    let each = results.into_iter();
    each.map(|result| code_of(result.map_err(|error| error.coded())))
        .collect()
}

/// Converts a text to the form of commands.
pub(crate) fn boxed(text: &str) -> Box<str> {
    text.into()
}

/// The same for an optional text.
pub(crate) fn boxed_option(text: Option<&str>) -> Option<Box<str>> {
    text.map(boxed)
}

/// The error code of a result.
pub(crate) fn code_of<T>(result: Result<T, ResponseError>) -> i16 {
    result.err().map_or(0, |error| error.code())
}
