//! The virtual hosts whose messages are traced.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use stele_base_types::Name;

/// The virtual hosts whose messages are traced; none at a start. Cheap to clone, and to ask while
/// there are none.
#[derive(Clone, Debug, Default)]
pub struct Traced(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_any: AtomicBool,
    vhosts: Mutex<BTreeSet<Name>>,
}

impl Traced {
    /// Starts or stops tracing a virtual host.
    pub fn set(&self, vhost: Name, is_on: bool) {
        let mut vhosts = self.0.vhosts.lock();
        match is_on {
            true => vhosts.insert(vhost),
            false => vhosts.remove(&vhost),
        };
        self.0.is_any.store(!vhosts.is_empty(), Ordering::Relaxed);
    }

    /// Whether a virtual host is traced.
    pub fn is_on(&self, vhost: &str) -> bool {
        self.0.is_any.load(Ordering::Relaxed) && self.0.vhosts.lock().contains(vhost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_virtual_host_is_traced_by_itself() {
        let traced = Traced::default();
        let (one, other) = (Name::new("/").unwrap(), Name::new("other").unwrap());
        assert!(!traced.is_on("/"));
        traced.set(one.clone(), true);
        traced.set(other.clone(), true);
        traced.set(one, false);
        assert!(!traced.is_on("/") && traced.is_on("other"));
        traced.set(other, false);
        assert!(!traced.is_on("other"));
    }
}
