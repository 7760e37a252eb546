//! A panic anywhere ends the process: half a broker would acknowledge what it can't keep.

use std::{any::Any, panic, process};

/// The exit code of a process that a panic ended, as Rust's own.
const EXIT_CODE: i32 = 101;

/// From now on a panic in any thread says where and why, and ends the process. What was
/// acknowledged is on disk; the next start recovers it.
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
            "a defect ends the process; what was acknowledged is safe: start again, and report this"
        );
        process::exit(EXIT_CODE);
    }));
}

fn reason(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not said")
}
