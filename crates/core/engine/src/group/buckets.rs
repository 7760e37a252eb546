//! Groups in buckets, by a hash of their names. Each bucket is stored as one part of the state.

use std::{collections::BTreeMap, ops::Bound};

use stele_base_types::{Name, murmur2};

use super::Group;

/// Groups by bucket and name. No bucket is empty.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Buckets(BTreeMap<u8, BTreeMap<Name, Group>>);

/// The bucket of a group. Stored snapshots depend on it. The lower bits of the hash choose the
/// shard.
pub(crate) fn bucket_of(name: &str) -> u8 {
    let [highest, ..] = murmur2(name.as_bytes()).to_be_bytes();
    highest
}

impl Buckets {
    pub(super) fn get(&self, name: &str) -> Option<&Group> {
        self.0.get(&bucket_of(name))?.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Group> {
        self.0.get_mut(&bucket_of(name))?.get_mut(name)
    }

    /// The group of this name, created if there is none.
    pub(super) fn get_or_make(&mut self, name: &Name) -> &mut Group {
        let bucket = self.0.entry(bucket_of(name)).or_default();
        bucket.entry(name.clone()).or_default()
    }

    pub(super) fn insert(&mut self, name: Name, group: Group) {
        let bucket = self.0.entry(bucket_of(&name)).or_default();
        bucket.insert(name, group);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Group> {
        let bucket = self.0.get_mut(&bucket_of(name))?;
        let group = bucket.remove(name);
        if bucket.is_empty() {
            self.0.remove(&bucket_of(name));
        }
        group
    }

    /// All groups, by bucket.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Group)> {
        self.0.values().flatten()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.0.values_mut().flat_map(BTreeMap::values_mut)
    }

    /// The group of this name, with the stored name.
    pub(super) fn get_key_value(&self, name: &str) -> Option<(&Name, &Group)> {
        self.0.get(&bucket_of(name))?.get_key_value(name)
    }

    /// The groups after the one of this name, or all of them, by bucket.
    pub(super) fn after<'a>(
        &'a self,
        last: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Name, &'a Group)> {
        let bucket = last.map(bucket_of);
        let begun = bucket.and_then(|bucket| self.0.get(&bucket)).zip(last);
        let begun = begun.map(|(groups, last)| {
            groups.range::<str, _>((Bound::Excluded(last), Bound::Unbounded))
        });
        let from = bucket.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.0.range((from, Bound::Unbounded));
        begun
            .into_iter()
            .flatten()
            .chain(later.flat_map(|(_, groups)| groups))
    }

    /// The numbers of the non-empty buckets.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u8> {
        self.0.keys().copied()
    }

    /// The groups of a bucket, if there are any.
    pub(super) fn bucket(&self, number: u8) -> Option<&BTreeMap<Name, Group>> {
        self.0.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_bucket() {
        // The highest bytes of the hashes in Kafka's own tests.
        assert_eq!(bucket_of("21"), 0xc5);
        assert_eq!(bucket_of("foobar"), 0xd0);
        assert_eq!(bucket_of("abc"), 0x1c);
    }
}
