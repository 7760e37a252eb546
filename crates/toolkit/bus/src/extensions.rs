//! Values by their types, and values that are lent.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt::{self, Debug},
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::StoreError;

/// Values by their types, which extractors take.
#[derive(Default)]
pub struct Extensions(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Extensions {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in, and returns the one of its type that was there.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let old = self.0.insert(TypeId::of::<T>(), Box::new(value))?;
        old.downcast().ok().map(|old| *old)
    }

    /// The value of a type.
    pub fn of<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Takes the value of a type out.
    pub fn remove<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        let value = self.0.remove(&TypeId::of::<T>())?;
        value.downcast().ok().map(|value| *value)
    }
}

impl Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

/// A place for a value that is lent to a handler: an open transaction. Clones are the same place.
///
/// ```text
/// Work::lend: Slot::new(tx) into Extensions ─► extractor: take ─► Lent, with the value
/// Work::take_back: Slot::take_back ◄────────── dropping Lent puts the value back
/// ```
pub struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// A place with a value in it.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Some(value))))
    }

    /// Takes the value, to be put back when it is dropped; `None` while somebody else has it.
    pub fn take(&self) -> Option<Lent<T>> {
        let value = self.value().take()?;
        Some(Lent {
            value: Some(value),
            slot: self.clone(),
        })
    }

    /// Ends the lending. Fails while somebody has the value.
    pub fn take_back(&self) -> Result<T, StoreError> {
        self.value().take().ok_or(StoreError::Leaked)
    }

    fn value(&self) -> MutexGuard<'_, Option<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.value().is_some() {
            "here"
        } else {
            "lent"
        };
        write!(f, "Slot({state})")
    }
}

/// A value that is lent. Dropping it puts it back into its [`Slot`].
pub struct Lent<T> {
    /// Taken by `drop` alone.
    value: Option<T>,
    slot: Slot<T>,
}

impl<T> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only drop takes it")
    }
}

impl<T> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("only drop takes it")
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        *self.slot.value() = self.value.take();
    }
}

impl<T> Debug for Lent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_value_is_put_back_with_its_changes() {
        let slot = Slot::new(1);
        let mut lent = slot.take().expect("it is there");
        assert!(slot.take().is_none());
        *lent += 1;
        drop(lent);
        assert_eq!(slot.take_back().expect("it is back"), 2);
    }

    #[test]
    fn a_value_that_is_kept_has_leaked() {
        let slot = Slot::new(1);
        let kept = slot.take();
        assert!(matches!(slot.take_back(), Err(StoreError::Leaked)));
        drop(kept);
    }

    #[test]
    fn extensions_hold_one_value_of_each_type() {
        let mut values = Extensions::new();
        assert_eq!(values.insert(1_u8), None);
        assert_eq!(values.insert("text"), None);
        assert_eq!(values.insert(2_u8), Some(1));
        assert_eq!(values.of::<u8>(), Some(&2));
        assert_eq!(values.remove::<u8>(), Some(2));
        assert_eq!(values.of::<u8>(), None);
    }
}
