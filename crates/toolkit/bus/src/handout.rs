//! Messages between the task that takes them from a broker and the consumer that asks for them.

use std::{
    collections::VecDeque,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Messages that a transport has taken from its broker, of which at most a number are handed out
/// and unsettled at a time. Clones are the same handout.
///
/// ```text
///  broker ──put──► ready ──next──► handed out, with a Hold ──► the Hold is dropped: settled
///                    └─recall──► given back to the broker
/// ```
pub struct Handout<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    held_max: usize,
    /// Woken when there may be something to hand out, or the handout is closed.
    ready: Notify,
    /// Woken when there is more room, or less is held.
    room: Notify,
}

struct State<T> {
    ready: VecDeque<T>,
    held: usize,
    is_closed: bool,
}

impl<T> Clone for Handout<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + 'static> Handout<T> {
    /// An empty handout of which at most `held_max` messages are handed out at a time.
    pub fn new(held_max: u32) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                held: 0,
                is_closed: false,
            }),
            held_max: usize::try_from(held_max).unwrap_or(usize::MAX).max(1),
            ready: Notify::new(),
            room: Notify::new(),
        }))
    }

    /// Adds a message. Gives it back if the handout is closed.
    pub fn put(&self, message: T) -> Result<(), T> {
        let mut state = self.0.state();
        if state.is_closed {
            return Err(message);
        }
        state.ready.push_back(message);
        drop(state);
        self.0.ready.notify_waiters();
        Ok(())
    }

    /// The next message, once there is one and fewer than the maximum are held; `None` once the
    /// handout is closed. Cancelling loses nothing.
    pub async fn next(&self) -> Option<(T, Hold)> {
        loop {
            let mut woken = pin!(self.0.ready.notified());
            woken.as_mut().enable();
            {
                let mut state = self.0.state();
                if state.is_closed {
                    return None;
                }
                if state.held < self.0.held_max
                    && let Some(message) = state.ready.pop_front()
                {
                    state.held += 1;
                    drop(state);
                    return Some((message, self.hold()));
                }
            }
            woken.await;
        }
    }

    /// Takes back the messages that aren't handed out yet and for which `is_recalled` holds.
    pub fn recall(&self, mut is_recalled: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.0.state();
        let all = std::mem::take(&mut state.ready);
        let (recalled, kept): (Vec<T>, Vec<T>) = all.into_iter().partition(|m| is_recalled(m));
        state.ready = kept.into();
        drop(state);
        self.0.room.notify_waiters();
        recalled
    }

    /// Takes back all that isn't handed out yet, and ends [`Handout::next`].
    pub fn close(&self) -> Vec<T> {
        let mut state = self.0.state();
        state.is_closed = true;
        let rest = std::mem::take(&mut state.ready);
        drop(state);
        self.0.ready.notify_waiters();
        self.0.room.notify_waiters();
        rest.into()
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.0.state().is_closed
    }

    /// How many more messages can be taken from the broker, so that no more than the maximum are
    /// either handed out or ready.
    pub fn room(&self) -> usize {
        let state = self.0.state();
        let taken = state.held + state.ready.len();
        self.0.held_max.saturating_sub(taken)
    }

    /// Returns once there is room, with how much, or `None` once the handout is closed.
    pub async fn has_room(&self) -> Option<usize> {
        loop {
            let mut woken = pin!(self.0.room.notified());
            woken.as_mut().enable();
            if self.is_closed() {
                return None;
            }
            match self.room() {
                0 => woken.await,
                room => return Some(room),
            }
        }
    }

    /// Returns once nothing is held: all that was handed out is settled or dropped.
    pub async fn is_idle(&self) {
        loop {
            let mut woken = pin!(self.0.room.notified());
            woken.as_mut().enable();
            if self.0.state().held == 0 {
                return;
            }
            woken.await;
        }
    }

    fn hold(&self) -> Hold {
        let shared = Arc::clone(&self.0);
        Hold(Some(Box::new(move || {
            shared.state().held -= 1;
            shared.ready.notify_waiters();
            shared.room.notify_waiters();
        })))
    }
}

impl<T> Shared<T> {
    /// Every change of the state is complete when its lock is given up, panic or not.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Handout<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.debug_struct("Handout")
            .field("ready", &state.ready.len())
            .field("held", &state.held)
            .field("held_max", &self.0.held_max)
            .field("is_closed", &state.is_closed)
            .finish()
    }
}

/// Counts a message as held until it is dropped.
pub struct Hold(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(free) = self.0.take() {
            free();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, task::Poll};

    use super::*;

    /// What a future gives when it is asked once.
    async fn now<F: Future>(future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn no_more_than_the_maximum_is_handed_out() {
        let handout = Handout::new(2);
        for number in 1..=3 {
            handout.put(number).expect("it is open");
        }
        let first = handout.next().await.expect("it is open");
        let second = handout.next().await.expect("it is open");
        assert_eq!((first.0, second.0), (1, 2));
        assert!(now(handout.next()).await.is_none());
        drop(first);
        assert_eq!(now(handout.next()).await.flatten().map(|m| m.0), Some(3));
    }

    #[tokio::test]
    async fn a_waiting_consumer_is_woken_by_a_message_by_room_and_by_the_end() {
        let handout = Handout::new(1);
        let next = |handout: &Handout<u8>| {
            let handout = handout.clone();
            tokio::spawn(async move { handout.next().await })
        };
        let waiting = next(&handout);
        tokio::task::yield_now().await;
        handout.put(1).expect("it is open");
        let first = waiting.await.expect("no panic").expect("it is open");
        handout.put(2).expect("it is open");
        let waiting = next(&handout);
        tokio::task::yield_now().await;
        drop(first);
        let second = waiting.await.expect("no panic").expect("it is open");
        assert_eq!(second.0, 2);
        let waiting = next(&handout);
        tokio::task::yield_now().await;
        assert!(handout.close().is_empty());
        assert!(waiting.await.expect("no panic").is_none());
        assert_eq!(handout.put(3), Err(3));
    }

    #[tokio::test]
    async fn room_counts_what_is_ready_and_what_is_held() {
        let handout = Handout::new(3);
        handout.put(1).expect("it is open");
        handout.put(2).expect("it is open");
        let held = handout.next().await.expect("it is open");
        assert_eq!(handout.room(), 1);
        assert_eq!(handout.recall(|number| *number == 2), [2]);
        assert_eq!(handout.has_room().await, Some(2));
        assert!(now(handout.is_idle()).await.is_none());
        drop(held);
        assert_eq!(now(handout.is_idle()).await, Some(()));
        assert_eq!(handout.room(), 3);
        handout.close();
        assert_eq!(handout.has_room().await, None);
    }
}
