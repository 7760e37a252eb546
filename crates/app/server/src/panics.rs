//! A panic in any thread ends the process: a broker with a dead thread could acknowledge data that
//! it can't keep.

use std::{any::Any, panic, process};

/// The exit code after a panic, the same as Rust's default.
const EXIT_CODE: i32 = 101;

/// Installs the panic hook: it logs the place and the reason, and ends the process. Acknowledged
/// data is on disk; the next start recovers it.
pub(crate) fn end_the_process() {
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed").to_owned();
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let reason = reason(panic.payload());
        tracing::error!(
            thread,
            place,
            reason,
            "the process ends because of a bug; acknowledged data is safe: restart, and report this"
        );
        process::exit(EXIT_CODE);
    }));
}

fn reason(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}
