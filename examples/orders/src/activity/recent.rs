//! The latest entries, for any number of readers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use uuid::Uuid;

/// The latest entries, numbered from 1.
#[derive(Debug)]
pub(super) struct Recent {
    /// This start of the process, in the ids of entries.
    boot: String,
    entries_max: usize,
    kept: Mutex<Kept>,
    /// The number of the last entry.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Arc<str>>,
    /// The number of the last entry.
    last: u64,
}

impl Recent {
    pub(super) fn new(entries_max: usize) -> Self {
        Self {
            boot: Uuid::new_v4().simple().to_string(),
            entries_max,
            kept: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// Adds an entry that is made of its id, and forgets the oldest if there are too many.
    pub(super) fn push(&self, entry: impl FnOnce(String) -> Arc<str>) {
        let mut kept = self.kept();
        kept.last += 1;
        let last = kept.last;
        kept.entries.push_back(entry(self.id(last)));
        if kept.entries.len() > self.entries_max {
            kept.entries.pop_front();
        }
        drop(kept);
        // Of two at the same time, the later number stays.
        self.last.send_if_modified(|number| {
            let is_later = last > *number;
            *number = last.max(*number);
            is_later
        });
    }

    /// Reads what comes after the entry of an id; everything, if the id isn't of this start.
    pub(super) fn reader(self: &Arc<Self>, after: &str) -> Reader {
        let number = after.strip_prefix(&self.boot);
        let number = number.and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        Reader {
            recent: Arc::clone(self),
            seen: number.unwrap_or(0),
            last: self.last.subscribe(),
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.boot)
    }

    /// The oldest entry after a number, with its number.
    fn after(&self, number: u64) -> Option<(u64, Arc<str>)> {
        let kept = self.kept();
        let first = kept.last + 1 - u64::try_from(kept.entries.len()).ok()?;
        let next = first.max(number.saturating_add(1));
        let entry = kept.entries.get(usize::try_from(next - first).ok()?)?;
        Some((next, Arc::clone(entry)))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whole at any time.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads entries in order. One that is too slow misses what was forgotten meanwhile.
#[derive(Debug)]
pub(super) struct Reader {
    recent: Arc<Recent>,
    seen: u64,
    last: watch::Receiver<u64>,
}

impl Reader {
    /// The next entry, with its id. Nothing is lost if this is dropped before it returns.
    pub(super) async fn next(&mut self) -> (String, Arc<str>) {
        loop {
            self.last.mark_unchanged();
            if let Some((number, entry)) = self.recent.after(self.seen) {
                self.seen = number;
                return (self.recent.id(number), entry);
            }
            if self.last.changed().await.is_err() {
                // The reader holds what sends.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(reader: &mut Reader, count: usize) -> Vec<String> {
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(reader.next().await.1.to_string());
        }
        entries
    }

    #[tokio::test]
    async fn readers_get_what_is_kept_and_what_comes() {
        let recent = Arc::new(Recent::new(2));
        for text in ["a", "b", "c"] {
            recent.push(|_| text.into());
        }
        let mut reader = recent.reader("");
        assert_eq!(read(&mut reader, 2).await, ["b", "c"]);
        let reading = tokio::spawn(async move { read(&mut reader, 1).await });
        recent.push(|_| "d".into());
        assert_eq!(reading.await.expect("no panic"), ["d"]);
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_goes_on_behind_what_it_has_seen() {
        let recent = Arc::new(Recent::new(10));
        recent.push(|_| "a".into());
        let (id, _) = recent.reader("").next().await;
        recent.push(|_| "b".into());
        assert_eq!(read(&mut recent.reader(&id), 1).await, ["b"]);
        let of_another_start = Recent::new(1).id(1);
        assert_eq!(
            read(&mut recent.reader(&of_another_start), 2).await,
            ["a", "b"]
        );
    }
}
