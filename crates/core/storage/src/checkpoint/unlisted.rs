//! Removes what no snapshot names: what a process before left, or a checkpoint that failed.

use std::collections::HashSet;

use crate::{
    Error, ShardDirectory,
    segment::{SEGMENTS, Segment},
    snapshot::Snapshot,
};

/// Removes the segments that `snapshot`, which is in place, doesn't list, except for `left`, which
/// are removed once nobody reads them. Looks at all names, so it is for the first checkpoint only.
pub(super) fn remove(
    directory: &ShardDirectory,
    snapshot: &Snapshot,
    left: &[Segment],
) -> Result<(), Error> {
    let store = &*directory.store;
    store.discard_unfinished()?;
    let listed = snapshot.segments.values().flatten().chain(left);
    let mut kept: HashSet<String> = listed
        .flat_map(|segment| [segment.log_name(), segment.index_name()])
        .collect();
    kept.extend(directory.leftovers.names());
    let mut names = store.list(SEGMENTS)?;
    names.retain(|name| !kept.contains(name));
    store.delete(&names)
}
