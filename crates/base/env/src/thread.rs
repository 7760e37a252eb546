//! Threads: named, owned, joined.

use std::{
    io,
    thread::{Builder, JoinHandle},
};

/// Starts a thread that system tools show as `name` (Linux truncates it to 15 bytes). The caller
/// keeps the handle and joins it.
///
/// Fails if the system refuses another thread.
#[expect(
    clippy::disallowed_methods,
    reason = "this is what the ban's replacement stands on"
)]
pub fn spawn_thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_the_name_it_was_given() {
        let handle = spawn_thread("stele-test", || {
            std::thread::current().name().map(str::to_owned)
        });
        assert_eq!(
            handle.unwrap().join().unwrap().as_deref(),
            Some("stele-test")
        );
    }
}
