//! The common part of the three batch actions: a list of entries with ids, and an outcome for each.

use std::collections::BTreeSet;

use crate::{
    error::{Error, ErrorKind, Fault},
    limits::{BATCH_ENTRIES_MAX, BATCH_ENTRY_ID_LENGTH_MAX_BYTES},
    members::{ListName, Members},
    writer::Writer,
};

/// The list of the entries that failed.
const FAILED: ListName = ListName {
    json: "Failed",
    query: "BatchResultErrorEntry",
};

/// An entry that failed while others may have succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The entry's id.
    pub id: String,
    /// The error.
    pub error: Error,
}

impl Failure {
    fn write(&self, writer: &mut impl Writer) {
        writer.text("Id", &self.id);
        writer.flag("SenderFault", self.error.kind.fault() == Fault::Sender);
        writer.text("Code", self.error.kind.query_code());
        writer.text("Message", &self.error.message);
    }
}

pub(crate) fn write_failures(failures: &[Failure], writer: &mut impl Writer) {
    writer.nonempty_list(FAILED, failures, Failure::write);
}

/// Writes successful entries for which only the ids are reported.
pub(crate) fn write_ids(name: ListName, ids: &[String], writer: &mut impl Writer) {
    writer.nonempty_list(name, ids, |id, writer| writer.text("Id", id));
}

/// Reads the entries of a batch. Their number is limited only by what a request may hold.
pub(crate) fn read_entries<T>(
    members: &mut Members,
    name: ListName,
    read: impl Fn(&mut Members) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let entries = members.list(name)?.unwrap_or_default().into_iter();
    entries.map(|mut entry| read(&mut entry)).collect()
}

/// Checks the ids of a batch's entries as AWS does: one to ten entries, with distinct ids of
/// letters, digits, hyphens and underscores. An error fails the batch as a whole.
pub fn check_ids<'a>(
    ids: impl ExactSizeIterator<Item = &'a str> + Clone,
    entries: &str,
) -> Result<(), Error> {
    let count = ids.len();
    if count == 0 {
        let message = format!("There should be at least one {entries} in the request.");
        return Err(Error::new(ErrorKind::EmptyBatchRequest, message));
    }
    if count > BATCH_ENTRIES_MAX {
        return Err(Error::new(
            ErrorKind::TooManyEntriesInBatchRequest,
            format!(
                "Maximum number of entries per request are {BATCH_ENTRIES_MAX}. \
                 You have sent {count}."
            ),
        ));
    }
    if !ids.clone().all(is_entry_id) {
        return Err(Error::new(
            ErrorKind::InvalidBatchEntryId,
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        ));
    }
    let mut before = BTreeSet::new();
    match ids.into_iter().find(|id| !before.insert(*id)) {
        None => Ok(()),
        Some(id) => Err(Error::new(
            ErrorKind::BatchEntryIdsNotDistinct,
            format!("Id {id} repeated."),
        )),
    }
}

fn is_entry_id(id: &str) -> bool {
    let fits = !id.is_empty() && id.len() <= BATCH_ENTRY_ID_LENGTH_MAX_BYTES;
    fits && id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(ids: &[&str]) -> Option<ErrorKind> {
        check_ids(ids.iter().copied(), "SendMessageBatchRequestEntry")
            .err()
            .map(|error| error.kind)
    }

    #[test]
    fn the_first_id_that_comes_again_is_named() {
        let ids = ["b", "c", "c", "b"];
        let error = check_ids(ids.into_iter(), "SendMessageBatchRequestEntry").unwrap_err();
        assert_eq!(error.message, "Id c repeated.");
    }

    #[test]
    fn ids_of_a_batch_are_few_distinct_and_simple() {
        assert_eq!(kind(&["a", "b-_9", &"x".repeat(80)]), None);
        assert_eq!(kind(&[]), Some(ErrorKind::EmptyBatchRequest));
        assert_eq!(
            kind(&["a"; 11]),
            Some(ErrorKind::TooManyEntriesInBatchRequest)
        );
        assert_eq!(
            kind(&["a", "b", "a"]),
            Some(ErrorKind::BatchEntryIdsNotDistinct)
        );
        for id in ["", "a:b", "ä", &"x".repeat(81)] {
            assert_eq!(kind(&[id]), Some(ErrorKind::InvalidBatchEntryId), "{id}");
        }
    }
}
